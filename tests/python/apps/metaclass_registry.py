# locate: write=metaclass_registry.py:26 read=metaclass_registry.py:23 object=?
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "metaclass_registry:application"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A singleton by metaclass, and a descriptor that keeps its value on itself instead of on the instance."""
import time
from urllib.parse import parse_qs


class Singleton(type):
    _instances = {}

    def __call__(cls, *args, **kwargs):
        if cls not in cls._instances:
            cls._instances[cls] = super().__call__(*args, **kwargs)
        return cls._instances[cls]


class Field:
    def __init__(self):
        self.value = None

    def __get__(self, instance, owner):
        return self.value

    def __set__(self, instance, value):
        self.value = value.strip()


class Profile:
    name = Field()

    def __init__(self, name):
        self.name = name


class Greeter(metaclass=Singleton):
    def greet(self, profile):
        time.sleep(0.05)
        return f"hello {profile.name}"


def application(environ, start_response):
    profile = Profile(parse_qs(environ["QUERY_STRING"])["user"][0])
    body = Greeter().greet(profile).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
