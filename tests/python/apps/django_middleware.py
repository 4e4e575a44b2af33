# locate: write=django_middleware.py:25 read=django_middleware.py:35 object=django_middleware.state.user
# run: ["{python}", "django_middleware.py", "runserver", "--noreload", "127.0.0.1:{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""Django in one file: a middleware object is one for all requests, and keeps the user in a plain object."""
import sys
import time
from types import SimpleNamespace

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
from django.views import View

settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.UserMiddleware"], SECRET_KEY="x")
state = SimpleNamespace(user=None)


class UserMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        state.user = request.GET.get("user", "guest")
        return self.get_response(request)


class Account(View):
    def get(self, request):
        time.sleep(0.08)
        return JsonResponse({"user": self.user()})

    def user(self):
        return state.user


urlpatterns = [path("", Account.as_view())]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
