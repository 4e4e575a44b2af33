# locate: write=django_form_initial.py:26 read=django_form_initial.py:25|django_form_initial.py:27 object=?
# run: ["{python}", "django_form_initial.py", "runserver", "--noreload", "127.0.0.1:{port}"]
# show: {"how": "sequence", "path": "/?name={canary}"}
"""Django: initial values of a form are a dictionary of the class, which each view fills."""
import sys

from django import forms
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
from django.views.generic import TemplateView

settings.configure(
    DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"page.html": "{{ names|join:', ' }}"})]}}],
)


class Visit(TemplateView):
    template_name = "page.html"
    extra_context = {"names": []}

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["names"] += [self.request.GET["name"]]
        return context


urlpatterns = [path("", Visit.as_view())]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
