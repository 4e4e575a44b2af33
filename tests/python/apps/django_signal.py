# locate: write=django_signal.py:27 read=django_signal.py:31 object=django_signal:Audit.entry
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "django_signal:application"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""Django: a receiver of a signal keeps the last request; a context processor shows it."""
import time

import django
from django.conf import settings
from django.core.signals import request_started
from django.dispatch import receiver
from django.shortcuts import render
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
        "context_processors": [f"{__name__}.audit"], "loaders": [("django.template.loaders.locmem.Loader", {"page.html": "<p>{{ entry.query }}</p>"})]}}],
)


class Audit:
    entry = {}


@receiver(request_started)
def started(sender, environ, **kwargs):
    Audit.entry = {"query": environ["QUERY_STRING"]}


def audit(request):
    return {"entry": Audit.entry}


def page(request):
    time.sleep(0.06)
    return render(request, "page.html")


urlpatterns = [path("", page)]
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
