"""One synchronous view of Django, under ASGI: `django_app:asgi`.

    /sync_sleep/?sleep=0.1           time.sleep in a view with plain `def`
    /health                          answers at once
    /                                the same as /sync_sleep/

Django runs a synchronous view in a thread, and each request has a thread of its own (`ThreadSensitiveContext` of asgiref).
"""

import time

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None)
django.setup()


def sync_sleep(request):
    time.sleep(float(request.GET.get("sleep", "0")))
    return HttpResponse("slept\n", content_type="text/plain")


async def health(request):
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [path("", sync_sleep), path("sync_sleep/", sync_sleep), path("health", health)]
asgi = ASGIHandler()
