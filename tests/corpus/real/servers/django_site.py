"""A site on Django with its own log-in (CSRF token in the form), sessions and users ada, bob and zoe, whose password is
their name twice.

`/orders/` is cached by `cache_page`, which does not see yet that the session varies the page: all who are logged in share
it. `/limits/` asks a function that `lru_cache` keeps, though what it says depends on who asks. `/greeting/` activates the
language that is asked for, and it stays the language of the thread. Each has its right twin below `/right/`."""

import contextvars
import functools
import os

import django
from django.conf import settings

FOLDER = os.environ["FOLDER"]

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=os.urandom(16).hex(),
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.who_asks",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FOLDER}/site.sqlite"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [(
        "django.template.loaders.locmem.Loader",
        {"login.html": '<form method="post">{% csrf_token %}{{ form.as_p }}<button>Log in</button></form>'},
    )]}}],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    LOGIN_REDIRECT_URL="/orders/",
    LANGUAGE_CODE="en",
    USE_I18N=True,
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import translation  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402
from django.views.decorators.vary import vary_on_cookie  # noqa: E402

call_command("migrate", verbosity=0)
for name in ("ada", "bob", "zoe"):
    User.objects.create_user(name, f"{name}@mail.test", name * 2)


asking = contextvars.ContextVar("asking")


def who_asks(get_response):
    def middleware(request):
        asking.set(request.user.pk)
        return get_response(request)

    return middleware


def orders(request):
    return HttpResponse(f"<h1>Orders of {request.user.email}</h1>\n")


@functools.lru_cache
def current_email():
    return User.objects.get(pk=asking.get()).email


@functools.lru_cache
def email_of(pk):
    return User.objects.get(pk=pk).email


@login_required
def limits(request):
    return HttpResponse(f"<p>Limits of {current_email()}</p>\n")


@login_required
def limits_right(request):
    return HttpResponse(f"<p>Limits of {email_of(request.user.pk)}</p>\n")


def greeting(request):
    if "lang" in request.GET:
        translation.activate(request.GET["lang"])
    return HttpResponse(f"<p>{translation.gettext('Monday')}, {translation.gettext('Yes')}</p>\n")


def greeting_right(request):
    with translation.override(request.GET.get("lang", "en")):
        return HttpResponse(f"<p>{translation.gettext('Monday')}, {translation.gettext('Yes')}</p>\n")


urlpatterns = [
    path("accounts/login/", LoginView.as_view(template_name="login.html")),
    path("orders/", login_required(cache_page(60)(orders))),
    path("limits/", limits),
    path("greeting/", greeting),
    path("right/orders/", login_required(cache_page(60)(vary_on_cookie(orders)))),
    path("right/limits/", limits_right),
    path("right/greeting/", greeting_right),
]

application = get_wsgi_application()
