"""Where requests begin and end: each server is wrapped at one place, when its module is imported.

WSGI and ASGI applications are wrapped as the server loads them; `http.server`, aiohttp, tornado and Sanic at the method that
handles one request. Executors hand the request of the caller on to their threads. Servers that an application has written
itself are known by what they read: see `received` in `runner_probe`.
"""

import re
import sys
import types

import runner_probe as probe
from runner_probe import add_own, add_shown, canaries_in_text, end_request, in_text, open_request, request_of_unit, unquoted

MOST_BODY = 4 << 20
TAIL = 256  # a canary may lie across two parts of a body


def canaries_in(*parts):
    """The canaries in parts of a request, also percent-encoded ones, and those of basic authentication."""
    found = ()
    for part in parts:
        kind = type(part)
        if kind is str:
            more = texts_brought.get(part)
        elif kind is bytes:
            more = bytes_brought.get(part)
        else:
            continue
        if more is None:
            more = brought_by(part)
        if more:
            found += more
    return found if len(found) < 2 else tuple(dict.fromkeys(found))


# Parts of requests with their canaries: headers come again and again.
texts_brought, bytes_brought = {}, {}


def brought_by(part):
    text = part if type(part) is str else part.decode("latin-1")
    found = in_text(text)
    if "%" in text:
        found += in_text(unquoted(text))
    if probe.whole_texts:
        found += tuple([word for word in WORDS(text) if word in probe.whole_texts])
    if text[:6].lower() == "basic " and (decoded := from_base64(text[6:])):
        found += in_text(decoded)
    if len(text) <= probe.LONGEST_SEEN:
        seen = texts_brought if type(part) is str else bytes_brought
        if len(seen) >= probe.MOST_SEEN:
            seen.clear()
        seen[part] = found
    return found


# What stands between `=`, `/` and their like, as in a query, a path, a cookie, or in quotes, as in JSON.
WORDS = re.compile(r"(?<=[=/\"])[^=/&;?\s\"]+(?=[/&;?\s\"]|$)").findall


def forget_brought():
    texts_brought.clear()
    bytes_brought.clear()


probe.on_marks.append(forget_brought)


def from_base64(text):
    try:
        from binascii import a2b_base64

        return a2b_base64(text.encode()).decode("latin-1")
    except Exception:
        return None


class Body:
    """Looks for canaries in the parts of a request's body."""

    __slots__ = ("request", "tail", "size")

    def __init__(self, request):
        self.request, self.tail, self.size = request, b"", 0

    def part(self, data):
        try:
            if type(data) is not bytes and type(data) is not bytearray or not data or self.size > MOST_BODY:
                return
            self.size += len(data)
            text = self.tail + data
            self.tail = bytes(text[-TAIL:])
            found = canaries_in(bytes(text))
            if found:
                add_own(self.request, found)
        except Exception:
            pass


class Shown:
    """Looks for canaries in the parts of a response's body."""

    __slots__ = ("request", "last")

    def __init__(self, request):
        self.request, self.last = request, b""

    def part(self, data):
        try:
            if not data:
                return
            if type(data) is not bytes or len(data) > probe.LONG_TEXT:
                if type(data) not in (bytes, bytearray, memoryview):
                    return
                data = bytes(data[: probe.LONG_TEXT])
            if self.last:
                data = self.last[-TAIL:] + data
            self.last = data
            add_shown(self.request, data)
        except Exception:
            pass


def quiet(function, *arguments):
    """Calls a function of the probe; an error of it is none of the application's."""
    try:
        return function(*arguments)
    except Exception:
        return None


# WSGI ---------------------------------------------------------------------------------------------------------------------


class Input:
    """`wsgi.input`, or another file from which a request's body is read."""

    def __init__(self, file, body):
        self.__dict__["_runner_file"], self.__dict__["_runner_body"] = file, body

    def __getattr__(self, name):
        return getattr(self._runner_file, name)

    def __setattr__(self, name, value):
        setattr(self._runner_file, name, value)

    def read(self, *arguments):
        data = self._runner_file.read(*arguments)
        self._runner_body.part(data)
        return data

    def read1(self, *arguments):
        data = self._runner_file.read1(*arguments)
        self._runner_body.part(data)
        return data

    def readline(self, *arguments):
        data = self._runner_file.readline(*arguments)
        self._runner_body.part(data)
        return data

    def readinto(self, buffer):
        size = self._runner_file.readinto(buffer)
        self._runner_body.part(bytes(memoryview(buffer)[: size or 0]))
        return size

    def readlines(self, *arguments):
        lines = self._runner_file.readlines(*arguments)
        for line in lines:
            self._runner_body.part(line)
        return lines

    def __iter__(self):
        for line in self._runner_file:
            self._runner_body.part(line)
            yield line

    def __enter__(self):
        self._runner_file.__enter__()
        return self

    def __exit__(self, *error):
        return self._runner_file.__exit__(*error)


class Parts:
    """The iterable that a WSGI application has returned, if it is not simply a list."""

    def __init__(self, parts, request, shown):
        self.parts, self.request, self.shown = parts, request, shown
        self.iterator = None

    def __iter__(self):
        return self

    def __next__(self):
        if self.iterator is None:
            self.iterator = iter(self.parts)
        request_of_unit.set(self.request)
        try:
            part = next(self.iterator)
        except BaseException:
            quiet(end_request, self.request)
            raise
        self.shown.part(part)
        return part

    def close(self):
        try:
            close = getattr(self.parts, "close", None)
            if close is not None:
                close()
        finally:
            quiet(end_request, self.request)
            request_of_unit.set(None)

    def __getattr__(self, name):
        return getattr(self.parts, name)


class SizedParts(Parts):
    def __len__(self):
        return len(self.parts)


class Wsgi:
    """A WSGI application."""

    def __init__(self, application):
        self._runner_application = application

    def __getattr__(self, name):
        if name == "_runner_application":
            raise AttributeError(name)
        return getattr(self._runner_application, name)

    def begin(self, environ):
        query, path = environ.get("QUERY_STRING", ""), environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO", "")
        target = f"{path}?{query}" if query and "?" not in path else path
        texts = [value for key, value in environ.items() if type(value) is str and (key.startswith("HTTP_") or key in ("CONTENT_TYPE", "REMOTE_USER"))]
        request = open_request("wsgi", environ.get("REQUEST_METHOD", ""), target, canaries_in(environ.get("PATH_INFO", ""), target, query, *texts))
        if "wsgi.input" in environ:
            environ["wsgi.input"] = Input(environ["wsgi.input"], Body(request))
        return request

    def __call__(self, environ, start_response):
        if type(environ) is not dict or "runner.probe" in environ:
            return self._runner_application(environ, start_response)
        request = quiet(self.begin, environ)
        if request is None:
            return self._runner_application(environ, start_response)
        environ["runner.probe"] = True
        request_of_unit.set(request)
        shown = Shown(request)

        def start(status, headers, *error):
            try:
                request.status = int(status[:3])
                for name, value in headers:
                    add_shown(request, value)
            except Exception:
                pass
            write = start_response(status, headers, *error)

            def writes(data):
                shown.part(data)
                return write(data)

            return writes

        try:
            parts = self._runner_application(environ, start)
        except BaseException:
            end_request(request)
            request_of_unit.set(None)
            raise
        if type(parts) in (list, tuple):
            for part in parts:
                shown.part(part)
            end_request(request)
            request_of_unit.set(None)
            return parts
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and type(parts) is wrapper:
            end_request(request)
            request_of_unit.set(None)
            return parts
        return (SizedParts if hasattr(type(parts), "__len__") else Parts)(parts, request, shown)


def wsgi(application):
    return application if type(application) in (Wsgi, Asgi) or application is None else Wsgi(application)


# ASGI ---------------------------------------------------------------------------------------------------------------------


class Asgi:
    """An ASGI application, of version 3."""

    def __init__(self, application):
        self._runner_application = application

    def __getattr__(self, name):
        if name == "_runner_application":
            raise AttributeError(name)
        return getattr(self._runner_application, name)

    def begin(self, scope):
        path, query = scope.get("raw_path"), scope.get("query_string")
        target = path.decode("latin-1") if path else scope.get("path", "")
        if query:
            target += "?" + query.decode("latin-1")
        own = probe.all_texts(target)
        if "%" in target or probe.whole_texts:
            own = [*own, *canaries_in(target, scope.get("path", ""))]
        for _, value in scope.get("headers") or ():
            found = bytes_brought.get(value)
            if found is None:
                found = canaries_in(value)
            if found:
                own = [*own, *found]
        if len(own) > 1:
            own = tuple(dict.fromkeys(own))
        return open_request("asgi", scope.get("method") or scope["type"].upper(), target, own)

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket") or "runner.probe" in scope:
            return await self._runner_application(scope, receive, send)
        try:
            request = self.begin(scope)
        except Exception:
            return await self._runner_application(scope, receive, send)
        body = shown = None

        async def receives():
            nonlocal body
            message = await receive()
            if type(message) is dict:
                if body is None:
                    body = Body(request)
                body.part(message.get("body"))
                if "text" in message:
                    quiet(lambda: body.part(message["text"].encode()))
                if "bytes" in message:
                    body.part(message["bytes"])
            return message

        async def sends(message):
            nonlocal shown
            last = False
            try:
                kind = message["type"]
                if kind == "http.response.body":
                    data, last = message.get("body"), not message.get("more_body")
                    if last and shown is None and type(data) is bytes and len(data) < probe.LONG_TEXT:
                        add_shown(request, data)
                    else:
                        shown = shown or Shown(request)
                        shown.part(data)
                elif kind == "http.response.start":
                    request.status = message["status"]
                    for _, value in message.get("headers") or ():
                        add_shown(request, value)
                elif kind == "websocket.send":
                    shown = shown or Shown(request)
                    shown.part((message.get("text") or "").encode() or message.get("bytes"))
            except Exception:
                pass
            await send(message)
            if last and not request.ended:
                end_request(request)

        before = request_of_unit.set(request)
        try:
            return await self._runner_application(scope, receives, sends)
        finally:
            if not request.ended:
                end_request(request)
            try:
                request_of_unit.reset(before)
            except Exception:
                pass


def asgi(application):
    return application if type(application) in (Wsgi, Asgi) or application is None else Asgi(application)


# Servers ------------------------------------------------------------------------------------------------------------------


def around(owner, name, make):
    """Replaces a function by what `make` makes of it; if the release of the server has none of that name, nothing is done."""
    original = getattr(owner, name, None)
    if type(original) is not types.FunctionType:
        return
    new = make(original)
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__", "__wrapped__"):
        quiet(setattr, new, attribute, original if attribute == "__wrapped__" else getattr(original, attribute, None))
    setattr(owner, name, new)


def after(owner, method, attribute, wrap):
    """Wraps an attribute of an object once a method of it has set that."""

    def make(original):
        def method_then_wrap(self, *arguments, **keywords):
            original(self, *arguments, **keywords)
            if hasattr(self, attribute):
                setattr(self, attribute, wrap(getattr(self, attribute)))

        return method_then_wrap

    around(owner, method, make)


def after_init(owner, attribute, wrap):
    """Wraps an attribute of each new object of a class."""
    after(owner, "__init__", attribute, wrap)


def of_gunicorn(module):
    def make(original):
        def load_wsgi(self):
            original(self)
            kind = type(self)
            names = [base.__module__ for base in kind.__mro__]
            # gunicorn carries ASGI applications too. A worker that hands the application to uvicorn has it wrapped there.
            if any(name.startswith(("uvicorn", "uvicorn_worker", "hypercorn", "aiohttp", "daphne")) for name in names):
                return
            self.wsgi = wsgi(self.wsgi)

        return load_wsgi

    around(module.Worker, "load_wsgi", make)


def of_gunicorn_asgi(module):
    """The worker of newer releases that carries ASGI itself."""
    after(module.ASGIWorker, "load_wsgi", "asgi", asgi)


def of_uvicorn(module):
    after(module.Config, "load", "loaded_app", asgi)


def of_hypercorn(module):
    after_init(module.ASGIWrapper, "app", asgi)
    after_init(module.WSGIWrapper, "app", wsgi)


def of_daphne(module):
    after_init(module.Server, "application", asgi)


def of_granian(wrap):
    def patch(module):
        def make(original):
            def callback_wrapper(callback, *arguments, **keywords):
                return original(wrap(callback), *arguments, **keywords)

            return callback_wrapper

        around(module, "_callback_wrapper", make)

    return patch


def of_waitress(module):
    after_init(module.BaseWSGIServer, "application", wsgi)


def of_werkzeug(module):
    after_init(module.BaseWSGIServer, "app", wsgi)


def of_wsgiref(module):
    def make(original):
        def set_app(self, application):
            return original(self, wsgi(application))

        return set_app

    around(module.WSGIServer, "set_app", make)


def of_gevent(module):
    after_init(module.WSGIServer, "application", wsgi)


def of_cheroot(module):
    def make(original):
        def init(self, bind_addr, wsgi_app, *arguments, **keywords):
            original(self, bind_addr, wsgi(wsgi_app), *arguments, **keywords)

        return init

    around(module.Server, "__init__", make)


def of_http_server(module):
    """Handlers of `http.server`. Those that carry WSGI are known there."""

    def is_wsgi(handler):
        return any(base.__name__ == "WSGIRequestHandler" for base in type(handler).__mro__)

    def make_parse(original):
        def parse_request(self):
            parsed = original(self)
            if parsed and not is_wsgi(self):
                def begin():
                    texts = [value for value in self.headers.values()]
                    request = open_request("http.server", self.command, self.path, canaries_in(self.path, *texts))
                    request_of_unit.set(request)
                    self.rfile = Input(getattr(self.rfile, "_runner_file", self.rfile) if type(self.rfile) is Input else self.rfile, Body(request))
                    if type(self.wfile) is not Output:
                        self.wfile = Output(self.wfile)

                quiet(begin)
            return parsed

        return parse_request

    def make_status(original):
        def send_response_only(self, code, *arguments, **keywords):
            request = request_of_unit.get()
            if request is not None and request.server == "http.server":
                request.status = quiet(int, code)
            return original(self, code, *arguments, **keywords)

        return send_response_only

    def make_handle(original):
        def handle_one_request(self):
            if is_wsgi(self):
                return original(self)
            try:
                return original(self)
            finally:
                request = request_of_unit.get()
                if request is not None and request.server == "http.server":
                    end_request(request)
                    request_of_unit.set(None)
                    if type(self.rfile) is Input:
                        self.rfile = self.rfile._runner_file

        return handle_one_request

    handler = module.BaseHTTPRequestHandler
    around(handler, "parse_request", make_parse)
    around(handler, "send_response_only", make_status)
    around(handler, "handle_one_request", make_handle)


class Output:
    """The file to which a handler of `http.server` writes."""

    def __init__(self, file):
        self.__dict__["_runner_file"] = file

    def __getattr__(self, name):
        return getattr(self._runner_file, name)

    def __setattr__(self, name, value):
        setattr(self._runner_file, name, value)

    def write(self, data):
        request = request_of_unit.get()
        if request is not None:
            quiet(add_shown, request, data)
        return self._runner_file.write(data)


def of_aiohttp(module):
    def make(original):
        async def _handle(self, message):
            if request_of_unit.get() is not None and not request_of_unit.get().ended:
                return await original(self, message)

            def begin():
                request = open_request("aiohttp", message.method, message.path_qs, canaries_in(message.raw_path, message.path_qs, *message.headers.values()))
                read = message._payload
                if hasattr(read, "feed_data"):
                    body = Body(request)
                    for data in getattr(read, "_buffer", ()):
                        body.part(bytes(data))
                    feed = read.feed_data

                    def feed_data(data, *arguments):
                        body.part(bytes(data))
                        return feed(data, *arguments)

                    quiet(setattr, read, "feed_data", feed_data)
                return request

            request = quiet(begin)
            if request is None:
                return await original(self, message)
            before = request_of_unit.set(request)
            try:
                response = await original(self, message)
                quiet(shown, request, response)
                return response
            except BaseException as error:
                quiet(shown, request, error)
                raise
            finally:
                end_request(request)
                quiet(request_of_unit.reset, before)

        return _handle

    def shown(request, response):
        status = getattr(response, "status", None)
        if status is None:
            return
        request.status = status
        for value in response.headers.values():
            add_shown(request, value)
        body = getattr(response, "body", None)
        if type(body) in (bytes, bytearray):
            Shown(request).part(body)
        elif body is not None and type(getattr(body, "_value", None)) is bytes:
            Shown(request).part(body._value)

    around(module.Application, "_handle", make)


def of_tornado(module):
    def make(original):
        async def _execute(self, *arguments, **keywords):
            current = request_of_unit.get()
            if current is not None and not current.ended:
                return await original(self, *arguments, **keywords)

            def begin():
                message = self.request
                texts = [value for _, value in message.headers.get_all()]
                request = open_request("tornado", message.method, message.uri, canaries_in(message.uri, *texts))
                Body(request).part(message.body)
                return request

            request = quiet(begin)
            if request is None:
                return await original(self, *arguments, **keywords)
            before = request_of_unit.set(request)
            self._runner_request = request
            try:
                return await original(self, *arguments, **keywords)
            finally:
                request.status = quiet(self.get_status)
                end_request(request)
                quiet(request_of_unit.reset, before)

        return _execute

    def make_flush(original):
        def flush(self, *arguments, **keywords):
            request = getattr(self, "_runner_request", None)
            if request is not None:
                def look():
                    for _, value in self._headers.get_all():
                        add_shown(request, value)
                    Shown(request).part(b"".join(self._write_buffer))

                quiet(look)
            return original(self, *arguments, **keywords)

        return flush

    around(module.RequestHandler, "_execute", make)
    around(module.RequestHandler, "flush", make_flush)


def of_sanic(module):
    def make(original):
        async def handle_request(self, message, *arguments, **keywords):
            current = request_of_unit.get()
            if current is not None and not current.ended:
                return await original(self, message, *arguments, **keywords)

            def begin():
                target = message.raw_url.decode("latin-1")
                request = open_request("sanic", message.method, target, canaries_in(target, *message.headers.values()))
                message.ctx._runner_body = Body(request)
                return request

            request = quiet(begin)
            if request is None:
                return await original(self, message, *arguments, **keywords)
            before = request_of_unit.set(request)
            try:
                return await original(self, message, *arguments, **keywords)
            finally:
                end_request(request)
                quiet(request_of_unit.reset, before)

        return handle_request

    around(module.Sanic, "handle_request", make)


def of_sanic_stream(module):
    """The bodies that Sanic's HTTP protocol reads."""

    def make_read(original):
        async def read(self):
            data = await original(self)
            request = request_of_unit.get()
            if data and request is not None and request.server == "sanic":
                Body(request).part(bytes(data))
            return data

        return read

    around(module.Http, "read", make_read)


def of_sanic_response(module):
    def make(original):
        async def send(self, data=None, *arguments, **keywords):
            request = request_of_unit.get()
            if request is not None and request.server == "sanic":
                def look():
                    request.status = self.status
                    for value in self.headers.values():
                        add_shown(request, str(value))
                    text = data if data is not None else self.body
                    Shown(request).part(text.encode() if type(text) is str else text)

                quiet(look)
            return await original(self, data, *arguments, **keywords)

        return send

    around(module.BaseHTTPResponse, "send", make)


# Threads ------------------------------------------------------------------------------------------------------------------


def of_executors(module):
    """The threads of an executor work for the request of who submits."""

    def make(original):
        def submit(self, function, /, *arguments, **keywords):
            request = request_of_unit.get()
            if request is None:
                return original(self, function, *arguments, **keywords)
            # A thread that begins here belongs to no request.
            before = request_of_unit.set(None)
            try:
                return original(self, Handed(request, function), *arguments, **keywords)
            finally:
                request_of_unit.reset(before)

        return submit

    around(module.ThreadPoolExecutor, "submit", make)


class Handed:
    """A function that another thread runs for a request."""

    __slots__ = ("request", "function")

    def __init__(self, request, function):
        self.request, self.function = request, function

    def __call__(self, /, *arguments, **keywords):
        before = request_of_unit.set(self.request)
        try:
            return self.function(*arguments, **keywords)
        finally:
            request_of_unit.reset(before)


def of_threads(module):
    """A thread that is started in a request works for it."""

    def make_start(original):
        def start(self):
            request = request_of_unit.get()
            if request is not None:
                self.__dict__["_runner_request"] = request
            return original(self)

        return start

    def make_bootstrap(original):
        def _bootstrap_inner(self):
            request = self.__dict__.pop("_runner_request", None)
            if request is not None:
                request_of_unit.set(request)
            return original(self)

        return _bootstrap_inner

    around(module.Thread, "start", make_start)
    around(module.Thread, "_bootstrap_inner", make_bootstrap)


PATCHES = {
    "gunicorn.workers.base": of_gunicorn,
    "gunicorn.workers.gasgi": of_gunicorn_asgi,
    "uvicorn.config": of_uvicorn,
    "hypercorn.app_wrappers": of_hypercorn,
    "daphne.server": of_daphne,
    "granian.asgi": of_granian(asgi),
    "granian.wsgi": of_granian(wsgi),
    "waitress.server": of_waitress,
    "werkzeug.serving": of_werkzeug,
    "wsgiref.simple_server": of_wsgiref,
    "gevent.pywsgi": of_gevent,
    "cheroot.wsgi": of_cheroot,
    "http.server": of_http_server,
    "aiohttp.web_app": of_aiohttp,
    "tornado.web": of_tornado,
    "sanic.app": of_sanic,
    "sanic.http.http1": of_sanic_stream,
    "sanic.response.types": of_sanic_response,
    "concurrent.futures.thread": of_executors,
    "threading": of_threads,
}


# The import of those modules ----------------------------------------------------------------------------------------------


class Patching:
    """The loader of a module that is patched once it has been executed."""

    def __init__(self, loader, patch):
        self._runner_loader, self._runner_patch = loader, patch

    def __getattr__(self, name):
        if name.startswith("_runner_"):
            raise AttributeError(name)
        return getattr(self._runner_loader, name)

    def create_module(self, spec):
        return self._runner_loader.create_module(spec)

    def exec_module(self, module):
        # What the module sees of its loader is the loader that it would have had.
        try:
            module.__spec__.loader = module.__loader__ = self._runner_loader
        except Exception:
            pass
        self._runner_loader.exec_module(module)
        quiet(self._runner_patch, module)


class Finder:
    """Finds the modules that are to be patched, by asking the others on `sys.meta_path`."""

    looking = set()

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        patch = PATCHES.get(name)
        if patch is None:
            return None
        mark = (name, probe._thread.get_ident())
        if mark in cls.looking:
            return None
        cls.looking.add(mark)
        try:
            for finder in list(sys.meta_path):
                if finder is not cls and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                            spec.loader = Patching(spec.loader, patch)
                        return spec
        finally:
            cls.looking.discard(mark)
        return None


def install():
    sys.meta_path.insert(0, Finder)
    for name, patch in PATCHES.items():
        if name in sys.modules:
            quiet(patch, sys.modules[name])
