"""Thread-locals under gunicorn's threads: `keeps` clears them only where it sets them. And a language that is activated for
a thread and stays so, as `django.utils.translation.activate` without `deactivate` does."""

import threading

local = threading.local()
GREETINGS = {"en": "Good morning", "de": "Guten Morgen", "fr": "Bonjour", "es": "Buenos dias"}


def keeps(environ):
    token = environ.get("HTTP_AUTHORIZATION")
    if token:
        local.token = token.removeprefix("Bearer ")
    return f"token {getattr(local, 'token', 'none')}\n"


def resets(environ):
    local.token = environ.get("HTTP_AUTHORIZATION", "none").removeprefix("Bearer ")
    return f"token {local.token}\n"


def language(environ):
    wanted = environ.get("HTTP_ACCEPT_LANGUAGE")
    if wanted in GREETINGS:
        local.language = wanted
    return GREETINGS[getattr(local, "language", "en")] + "\n"


def language_resets(environ):
    wanted = environ.get("HTTP_ACCEPT_LANGUAGE")
    return GREETINGS.get(wanted, GREETINGS["en"]) + "\n"


VIEWS = {"/keeps/": keeps, "/resets/": resets, "/language/": language, "/language_resets/": language_resets}


def wsgi(environ, start_response):
    body = VIEWS[environ["PATH_INFO"]](environ).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
