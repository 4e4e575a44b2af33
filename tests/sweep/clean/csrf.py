"""Django with its CSRF protection: a session cookie, and a token in each form that has to come back. A login by form.

The token is masked anew in each page, so that two pages never look alike. Sessions and notes are in memory.
"""

import html
import json
import os
import secrets
import time
from collections import defaultdict

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path

settings.configure(
    SECRET_KEY=secrets.token_hex(32),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DEFAULT_CHARSET="utf-8",
)
django.setup()

LINKS = ("/", "/login", "/notes", "/profile", "/about")
notes = defaultdict(list)
journal = open(os.environ["JOURNAL"], "a", buffering=1) if os.environ.get("JOURNAL") else None


def note(request, status):
    if journal:
        entry = {"at": round(time.time(), 4), "method": request.method, "path": request.path, "status": status}
        entry |= {"operation": f"{request.method} {request.path}", "dangerous": request.path == "/logout"}
        journal.write(json.dumps(entry) + "\n")


def page(request, title, body, status=200):
    links = " ".join(f'<a href="{link}">{link}</a>' for link in LINKS)
    note(request, status)
    return HttpResponse(f"<!doctype html>\n<title>{title}</title>\n<nav>{links}</nav>\n{body}\n", status=status)


def form(request, action, *fields):
    hidden = f'<input type="hidden" name="csrf" value="{get_token(request)}">'
    inputs = "".join(f'<input name="{name}" type="{kind}" required>' for name, kind in fields)
    return f'<form method="post" action="{action}">{hidden}{inputs}<button>Send</button></form>'


class Renamed:
    """Django reads its token from `csrfmiddlewaretoken`; here the field is called `csrf`, as in many frameworks."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.method == "POST":
            request.META["HTTP_X_CSRFTOKEN"] = request.POST.get("csrf", "")
        return self.get_response(request)


def home(request):
    return page(request, "Home", f"<p>Hello, {html.escape(request.session.get('user', 'guest'))}</p>")


def login(request):
    if request.method == "POST":
        request.session["user"] = request.POST.get("username", "")
        note(request, 302)
        return HttpResponseRedirect("/profile")
    return page(request, "Log in", form(request, "/login", ("username", "text"), ("password", "password")))


def logout(request):
    request.session.flush()
    return page(request, "Bye", "<p>Bye</p>")


def own_notes(request):
    user = request.session.get("user")
    if not user:
        note(request, 302)
        return HttpResponseRedirect("/login")
    if request.method == "POST":
        notes[user].append(request.POST.get("text", ""))
        note(request, 302)
        return HttpResponseRedirect("/notes")
    lines = "".join(f"<li>{html.escape(text)}" for text in notes[user])
    return page(request, "Notes", f"<p>{html.escape(user)}</p><ul>{lines}</ul>" + form(request, "/notes", ("text", "text")))


def profile(request):
    user = request.session.get("user", "guest")
    time.sleep(0.005)
    return page(request, "Profile", f"<p>{html.escape(user)}</p>")


def about(request):
    return page(request, "About", "<p>An application</p>")


def described(request):
    """The document, as somebody wrote it by hand: forms, cookies, and a login that sets one."""

    def posted(**fields):
        properties = {"csrf": {"type": "string"}, **fields}
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}

    text = {"type": "string"}
    seen = {"responses": {"200": {"description": "a page", "content": {"text/html": {}}}}}
    moved = {"302": {"description": "done"}}
    own = {"security": [{"session": []}]}
    paths = {
        "/": {"get": {**seen, **own}},
        "/login": {
            "get": seen,
            "post": {
                "operationId": "login",
                "requestBody": posted(username=text, password={**text, "format": "password"}),
                "responses": moved,
            },
        },
        "/logout": {"get": {**seen, **own}},
        "/notes": {"get": {**seen, **own}, "post": {"requestBody": posted(text=text), "responses": moved, **own}},
        "/profile": {"get": {**seen, **own}},
        "/about": {"get": seen},
    }
    schemes = {"session": {"type": "apiKey", "in": "cookie", "name": "sessionid"}}
    info = {"title": "Notes with forms", "version": "1"}
    return JsonResponse({"openapi": "3.0.3", "info": info, "paths": paths, "components": {"securitySchemes": schemes}})


settings.MIDDLEWARE.insert(0, f"{__name__}.Renamed")
urlpatterns = [
    path("", home), path("login", login), path("logout", logout), path("notes", own_notes), path("profile", profile),
    path("about", about), path("openapi.json", described),
]  # fmt: skip
app = get_asgi_application()
