"""The probe for Python: rewritten code does what it did, and the events say where canaries went.

    python3 -m unittest discover tests/python

Each test runs an interpreter of its own, with the probe as runner starts it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import measure  # noqa: E402
import pairs  # noqa: E402

A, B = "zq" + "a1" * 12, "zq" + "b2" * 13


def run(text, probed=True, name="app.py", arguments=(), more=None, env=None, command=None):
    """(standard output, events) of a program, with the canaries in it as A and B."""
    with tempfile.TemporaryDirectory() as folder:
        app, state = Path(folder) / "app", Path(folder) / "probe"
        app.mkdir()
        state.mkdir(0o700)
        for file, content in {name: text, **(more or {})}.items():
            (app / file).parent.mkdir(parents=True, exist_ok=True)
            (app / file).write_text(textwrap.dedent(content).lstrip("\n").replace("CANARY_A", repr(A)).replace("CANARY_B", repr(B)))
        environment = {**os.environ, **(env or {}), "PYTHONDONTWRITEBYTECODE": "1"}
        if probed:
            environment |= {"RUNNER_PROBE_DIR": str(state), "RUNNER_PROBE_CANARY": measure.CANARY, "PYTHONPATH": str(measure.PROBE), "RUNNER_PROBE_DEBUG": "1"}
        done = subprocess.run([sys.executable, *(command or [name, *arguments])], cwd=app, env=environment, capture_output=True, text=True, timeout=50)
        events = [event for process in pairs.read_events(state) for event in process]
        return done.stdout + done.stderr.replace(folder, ""), events


# Semantics ----------------------------------------------------------------------------------------------------------------

# Programs that print what they see: the output must be the same without the probe.
PROGRAMS = {
    "name mangling": """
        class Base:
            def __init__(self):
                self.__secret = {"a": 1}
                self._Base__other = 2
            def look(self):
                self.__secret["b"] = self.__other
                f = lambda: self.__secret
                del self._Base__other
                return f(), hasattr(self, "_Base__other"), (lambda: self).__call__().__secret["a"], getattr(self, "_Base__secret")
        class __Private(Base):
            def put(self):
                self.__x = 1
                self.get().__y = 2
                return sorted(vars(self))
            def get(self): return self
        def f():
            print(Base().look(), globals()["__Private"]().put())
        f()
        """,
    "deletion": """
        class A: pass
        a = A()
        def f():
            a.x = [1, 2, 3]; a.y = {"k": {"v": 1}}
            del a.x[0], a.y["k"]["v"]
            del a.x[:1]
            print(a.x, a.y)
            del a.x
            global gone
            gone = 1
            del gone
            try: gone
            except NameError as error: print(error)
            print(vars(a))
        f()
        """,
    "augmented assignment": """
        log = []
        class L(list):
            def __iadd__(self, other): log.append("iadd"); return super().__iadd__(other)
        class D(dict):
            def __getitem__(self, k): log.append(("get", k)); return super().__getitem__(k)
            def __setitem__(self, k, v): log.append(("set", k)); return super().__setitem__(k, v)
        def once(x): log.append("once"); return x
        class O: pass
        count = 0
        def f():
            global count
            o = O(); o.l = L([1]); o.n = 1; d = D(a=1)
            o.l += [2]; once(o).n += 5; once(d)[once("a")] *= 10; d["a"] -= 1
            count += 1; count <<= 3
            n = 0
            def g():
                nonlocal n
                n += 1; n **= 2
            g(); g()
            m = [[1, 2], [3]]
            m[0][1:] += [9]
            print(o.l, o.n, dict(d), count, n, m, log)
        f()
        """,
    "walrus and comprehensions": """
        data = {"a": [1, 2, 3]}
        last = None
        def f(k):
            global last
            if (n := len(data[k])) > 2: print(n)
            r = [(y := x * 2, y) for x in data[k] if (z := x) > 1]
            s = {x: [last := (x, w) for w in data["a"]] for x in range(2)}
            g = (a for a in data["a"] for b in range(a) if a in data["a"])
            print(r, y, z, s, last, list(g), {i for i in data}, [data[k][i] for i in range(2)])
            return [lambda: x for x in range(3)][0]()
        print(f("a"))
        class C:
            values = [1, 2]
            doubled = [v * 2 for v in values]
            def f(self): return [self.values[i] + v for i, v in enumerate(self.doubled)]
        print(C().f())
        """,
    "closures, nonlocal, global": """
        x = "module"
        def outer():
            x = "outer"; fs = []
            def inner():
                nonlocal x
                x = x + "!"
                def deep():
                    global x
                    x = "changed"
                    return x
                return deep, x
            for i in range(3): fs.append(lambda i=i: (i, x))
            d, v = inner()
            print(v, d(), x, [f() for f in fs])
            class K:
                x = x if False else "class"
                def m(self): return x
            print(K.x, K().m())
            (p, q), *r = (x, 2), 3, 4
            def unbound():
                try: return later
                except NameError as e: return type(e).__name__, str(e)
            print(unbound(), p, q, r)
            later = 1
            print(unbound())
            del later
            print(unbound())
        outer(); print(x)
        """,
    "super and locals": """
        class A:
            def __init__(self, **k): self.k = k
            def get(self, x): return ("A", x)
            @classmethod
            def make(cls, *a): return cls(a=a)
            def update(self, **k): self.k.update(k)
        class B(A):
            def __init__(self, **k):
                super().__init__(**k); __class__.seen = True
            def get(self, x): return super().get(x) + ("B",)
            @classmethod
            def make(cls, *a): return super().make(*a)
            def update(self, **k): super().update(**k); super(B, self).update(z=1)
            def __getattr__(self, name):
                if name == "magic": return 42
                raise AttributeError(name)
        def f(a, b=[1]):
            c = B.make(a); c.update(q=b); c.other = 3
            for i in range(2): pass
            with open(__file__) as h: first = h.readline()[:0]
            return {k: v for k, v in locals().items() if k not in ("c", "h")}, eval("a + 1"), sorted(vars(c)), c.magic, dir()
        print(f(1), B().get(3), B.seen)
        try: B().nothing
        except AttributeError as e: print(e)
        """,
    "slots, properties, dataclasses": """
        from dataclasses import dataclass, field, replace
        class P:
            __slots__ = ("_v", "__hidden", "__weakref__")
            def __init__(self): self._v = 0; self.__hidden = 1
            @property
            def v(self): return self._v + self.__hidden
            @v.setter
            def v(self, value): self._v = value
            @v.deleter
            def v(self): del self._v
            @staticmethod
            def s(x): return x.v
        @dataclass(order=True)
        class D:
            a: int
            b: list = field(default_factory=list)
            def add(self, x): self.b.append(x); return self
        def f():
            p = P(); p.v = 5; print(p.v, P.s(p))
            p.v += 1; print(p.v)
            try: p.zzz = 1
            except AttributeError as e: print("no", type(e).__name__)
            del p.v
            print(hasattr(p, "v"), D(1).add(2), replace(D(1), a=3), D(1) < D(2), sorted([D(3), D(1)]))
        f()
        """,
    "generators and async": """
        import asyncio
        def gen(n):
            total = 0
            while True:
                try: got = yield total
                except ValueError as e: got = len(str(e))
                if got is None: return total
                total += got
        def outer():
            r = yield from gen(1)
            print("returned", r)
            yield r
        async def agen(n):
            try:
                for i in range(n):
                    x = yield i
                    if x: yield x
                    await asyncio.sleep(0)
            finally: print("closed")
        class Manager:
            async def __aenter__(self): self.v = [1]; return self
            async def __aexit__(self, *e): print("exit", e[0]); return True
        async def main():
            print([i async for i in agen(3)], {i: j async for i in agen(2) for j in [await asyncio.sleep(0, i)]})
            a = agen(3)
            print(await a.__anext__(), await a.asend("sent"), await a.aclose())
            async with Manager() as m, Manager() as m.other:
                print(m.v, m.other.v)
                raise KeyError("k")
            r = await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3)))
            q = asyncio.Queue(); await q.put(1); q.put_nowait(2)
            return r, await q.get(), await asyncio.wait_for(q.get(), 1), (await asyncio.sleep(0, [5]))[0]
        o = outer(); next(o); print(o.send(3), o.throw(ValueError("four")), o.send(None))
        print(asyncio.run(main()))
        """,
    "calls, unpacking, chained comparisons": """
        def f(a, /, b, *c, d=1, **e): return a, b, c, d, e
        class O:
            def get(self, *a, **k): return a, k
            def __call__(self, *a): return a
            def __getitem__(self, k): return k
            name = "n"
        o = O(); values = [1, 2]; options = {"d": 2, "z": 3}
        order = []
        def t(x): order.append(x); return x
        def main():
            print(f(*values, *[3], **options), o.get(*values, site=1, name="x", receiver=2, **options), o(1)(2) if False else o(1))
            print(o[1:2], o[1:2, ::3], o[..., 1], o[t(1):t(2):t(3)], o[()], o[(lambda: 4)()], [*o.get(1)], {**options})
            print(t(1) < t(2) < t(3) > t(0) == t(0) != t(5), values[0] < values[1] <= options["d"], order)
            a = b = o.x = values[0] = t(9)
            (a, o.y), [values[1], *o.rest] = (1, 2), (3, 4, 5)
            for o.i, values[0] in [(1, 2), (3, 4)]: pass
            print(a, b, o.x, o.y, o.rest, o.i, values, f"{o.name!r:>5}{values[0]:{options['d']}}{o.get(1)[0]}")
            print(f"{o.name=} {'nested ' + f'{o.name}'}", "%(x)s" % {"x": 1})
            setattr(o, "dyn", 1); print(getattr(o, "dyn"), getattr(o, "no", "default"), next(iter([])) if False else next(iter([]), "end"))
            try: getattr(o, "missing")
            except AttributeError as e: print(e)
            try: options["missing"]
            except KeyError as e: print(repr(e))
            assert o.name == "n", o.name
            x: int = o.x
            o.typed: str = "t"
            print(o.typed, not o.x, -o.x, o.x if o.y else o.z, o.x and o.y or o.z)
        main()
        """,
    "decorators and introspection": """
        import functools, inspect
        def deco(tag):
            def wrap(f):
                @functools.wraps(f)
                def inner(*a, **k):
                    inner.calls += 1
                    return tag, f(*a, **k)
                inner.calls = 0
                return inner
            return wrap
        def outer():
            tags = {"t": "T"}
            @deco(tags["t"])
            def f(x: tags, *, y: "str" = tags["t"]) -> None:
                "doc of f"
                return x, y
            return f
        f = outer()
        print(f(1), f(2), f.calls, f.__name__, f.__doc__, inspect.signature(f), f.__wrapped__.__qualname__, f.__wrapped__.__code__.co_varnames)
        print(inspect.getsource(deco)[:18], sorted(k for k in globals() if not k.startswith("__")))
        @functools.lru_cache
        def cached(x): return [x]
        def main():
            print(cached(1) is cached(1), cached.cache_info().hits)
            cached.cache_clear()
            print(inspect.currentframe().f_code.co_name, inspect.stack()[0].lineno, inspect.stack()[1].function)
        main()
        """,
    "exceptions": """
        import traceback, sys
        class E(Exception): kind = KeyError
        def f(x):
            try:
                return x.y[0]
            except (E.kind, AttributeError) as error:
                raise E("wrapped") from error
            finally:
                x.z = 1 if hasattr(x, "__dict__") else None
        def lines(error):
            return [(frame.name, frame.lineno) for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith("app.py")]
        def main():
            try: f(type("X", (), {"y": {}})())
            except E as e: print(lines(e), lines(e.__cause__), e)
            try:
                values = {}
                (
                    values
                    ["missing"]
                )
            except KeyError as e: print(lines(e))
            try: return 1 / len([])
            except ZeroDivisionError: print("zero")
            else: print("never")
        main()
        """,
    "names that look like hooks": """
        _rp_la = 1
        def f(): return _rp_la + len([1])
        len = lambda x: 41
        def g():
            def getattr(a, b): return "own"
            print(getattr(1, 2), f())
        g()
        """,
}
if sys.version_info >= (3, 10):
    PROGRAMS["match"] = """
        from dataclasses import dataclass
        @dataclass
        class P:
            x: int
            y: int
        class Color: RED = 1
        state = {}
        def f(v):
            match v:
                case Color.RED: return "red"
                case P(x=0, y=yy) if state.setdefault("k", yy): return ("p", yy, state["k"])
                case {"a": [first, *rest], **others}: return first, rest, others
                case [P(1, _) as p, Color.RED | 2]: return p
                case str() as s: return s.upper()
                case _: return None
        print([f(v) for v in (1, P(0, 5), {"a": [1, 2], "b": 3}, [P(1, 2), 2], "s", 2.5)])
        """
if sys.version_info >= (3, 12):
    PROGRAMS["type parameters"] = """
        type Pair[T] = tuple[T, T]
        class Box[T]:
            def __init__(self, v: T): self.v = v
            def get[U](self, other: U) -> Pair[T]: return (self.v, other, U.__name__)
        def f[T: int](x: T) -> T: return (x, T.__name__)
        print(Box(1).get(2), f(3), Pair.__name__, f"{Box(1).v!r} {f'{Box("x").v}'}")
        """


class Semantics(unittest.TestCase):
    maxDiff = None

    def test_a_rewritten_program_does_what_it_did(self):
        for name, program in PROGRAMS.items():
            with self.subTest(name):
                expected, _ = run(program, probed=False)
                self.assertNotIn("Traceback", expected)
                seen, events = run(program)
                self.assertEqual(expected, seen)
                self.assertEqual([None], [event.get("error") for event in events if event["e"] == "module"])

    def test_an_uncaught_error_names_the_line(self):
        output, _ = run("""
            def f():
                return {}["x"]

            f()
            """)
        self.assertRegex(output, r'app.py", line 2, in f')
        self.assertRegex(output, r"KeyError: 'x'\s*$")

    def test_a_syntax_error_is_the_interpreters(self):
        expected, _ = run("def f(:\n  pass", probed=False)
        seen, _ = run("def f(:\n  pass")
        self.assertEqual(expected.splitlines()[-3:], seen.splitlines()[-3:])

    def test_an_expression_that_is_too_deep_runs_as_it_is(self):
        deep = "x = 0\ndef f():\n    return " + "+".join(["x"] * 1500) + "\nprint(f())\n"
        output, events = run(deep)
        if "RecursionError" not in run(deep, probed=False)[0]:
            self.assertEqual("0\n", output)

    def test_a_program_is_what_it_is_without_the_probe(self):
        program = """
            import sys, __main__
            import neighbour
            def f(): return neighbour.name
            print(__name__, __spec__ and __spec__.name, __package__, __file__.rpartition("/")[2], sys.argv[1:], sys.path[0].rpartition("/")[2], f(), __main__.f is f, __doc__)
            if __name__ == "__main__": sys.exit(3 if len(sys.argv) > 2 else 0)
            """
        more = {"neighbour.py": "name = 'n'"}
        for command in (["app.py", "x", "y"], ["-m", "app", "x"], ["-c", "import app"]):
            with self.subTest(command):
                self.assertEqual(run(program, probed=False, more=more, command=command)[0], run(program, more=more, command=command)[0])

    def test_finalizers_run_at_the_end(self):
        program = """
            class A:
                name = "a"
                def __del__(self): print("gone", self.name.upper(), getattr(self, "name"))
            a = A()
            class B: pass
            B.cycle = B(); B.cycle.a = A()
            import builtins, sys
            sys.kept, builtins.kept = A(), A()
            class Late:
                def __del__(self, print=print): print("late", sorted([name for name in ("c", "d")], key=lambda name: name.upper())[0], self.of.get("x"), self.of["x"])
                of = {"x": "y"}
            late = Late()
            sys.late = Late()
            """
        self.assertEqual(run(program, probed=False)[0], run(program)[0])

    def test_the_next_sitecustomize_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "sitecustomize.py").write_text("print('the next')")
            text = "print('app')"
            with tempfile.TemporaryDirectory() as state:
                environment = {**os.environ, "RUNNER_PROBE_DIR": state, "RUNNER_PROBE_CANARY": "zq", "PYTHONPATH": f"{measure.PROBE}:{folder}"}
                done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
            self.assertEqual("the next\napp\n", done.stdout)

    def test_code_of_the_application_does_not_run_for_a_search(self):
        output, events = run("""
            class Proxy:
                def __getattribute__(self, name): print("getattribute", name); return object.__getattribute__(self, name)
                def __eq__(self, other): print("eq"); return True
                def __hash__(self): print("hash"); return 1
                def __repr__(self): print("repr"); return ""
                def __iter__(self): print("iter"); return iter([])
                def __len__(self): print("len"); return 1
                __class__ = property(lambda self: print("class"))
            class Odd(Proxy):
                __dict__ = property(lambda self: print("dict"))
            class Meta(type):
                def __hash__(cls): print("meta hash"); return 1
                def __eq__(cls, other): print("meta eq"); return cls is other
            class M(metaclass=Meta): pass
            box = {}
            def f(x):
                box["x"] = x
                box["canary"] = CANARY_A
                y = box["x"]
                return [y, box]
            f(Proxy()); f(Odd()); f(M()); f(M)
            print("done")
            """)
        self.assertEqual("done\n", output)

    def test_code_is_cached_and_made_again_when_the_source_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder, "probe")
            state.mkdir()
            environment = {**os.environ, "RUNNER_PROBE_DIR": str(state), "RUNNER_PROBE_CANARY": "zq", "PYTHONPATH": str(measure.PROBE)}
            seen = []
            for text in ("one", "one", "two"):
                if [text] != seen[-1:]:
                    Path(folder, "app.py").write_text(f"def f(): return {text!r}\nprint(f())")
                seen.append(subprocess.run([sys.executable, "app.py"], cwd=folder, env=environment, capture_output=True, text=True).stdout.strip())
            self.assertEqual(["one", "one", "two"], seen)
            self.assertEqual(2, len(list(Path(state, "cache").iterdir())))


# Events -------------------------------------------------------------------------------------------------------------------

# Two requests by hand: code after `first` and `second` runs as the requests of A and of B.
REQUESTS = """
    import contextvars, os, sys, time
    sys.path.insert(0, os.environ["PYTHONPATH"].split(":")[0])
    def request(function, name):
        import wsgiref.simple_server
        def application(environ, start_response):
            body = str(function(environ["HTTP_X_USER"]) or "")
            start_response("200 OK", [])
            return [body.encode()]
        class Server(wsgiref.simple_server.WSGIServer):
            def __init__(self): pass
        server = Server(); server.base_environ = {}
        server.set_app(application)
        list(server.get_app()({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_USER": name}, lambda *_: None))
"""


def located(program, first="view", second=None):
    """What `pairs` finds in an application whose view two requests call, one after the other."""
    text = textwrap.dedent(REQUESTS) + "from app import *\nimport app\n" + f"request(app.{first}, {A!r})\nrequest(app.{second or first}, {B!r})\n"
    output, events = run(program, more={"drive.py": text}, command=["drive.py"])
    assert "Traceback" not in output, output
    found = pairs.find(events)
    assert found, "\n".join(map(json.dumps, events))
    how, write, read = found
    return how, write, read, events


class Events(unittest.TestCase):
    def check(self, program, name, kind=None, **more):
        """The lines that end in `# write` and `# read` are found, and the object is called `name`."""
        how, write, read, events = located(program, **more)
        lines = textwrap.dedent(program).lstrip("\n").splitlines()
        place = lambda mark: [f"app.py:{number}" for number, line in enumerate(lines, 1) if mark in line.partition("#")[2]]
        self.assertIn(pairs.place(write), place("write"), (write, read))
        self.assertIn(pairs.place(read), place("read"), (write, read))
        if name:
            self.assertEqual(name, pairs.object_of(write))
        if kind:
            self.assertEqual(kind, write["kind"])
        self.assertEqual(1, write["r"])
        self.assertEqual(2, read["r"])
        return events

    def test_module_variable(self):
        events = self.check("""
            current = None
            def view(name):
                global current
                before = current  # read
                current = name  # write
                return before
            """, "app.current", "global")
        holders = [event for event in events if event["e"] == "holders"]
        self.assertEqual([], holders[0]["paths"])  # it has been overwritten by then

    def test_holders(self):
        _, _, _, events = located("""
            kept = {}
            def view(name):
                kept.setdefault("first", name)
                return kept["first"]
            """)
        (holders,) = [event for event in events if event["e"] == "holders"]
        self.assertEqual("app.kept.first", holders["paths"][0]["path"])

    def test_namespace(self):
        how, write, read, _ = located("""
            import types
            state = types.SimpleNamespace(current=None)
            def view(name):
                before = state.current
                state.current = name
                return before
            """)
        self.assertEqual("app.state.current", pairs.object_of(write))

    def test_class_attribute(self):
        self.check("""
            class Cache:
                current = None
                def show(self): return self.current  # read
            def view(name):
                before = Cache().show()
                Cache.current = name  # write
                return before
            """, "app:Cache.current", "attribute")

    def test_instance_singleton(self):
        self.check("""
            class Service:
                def __init__(self): self.user = None
                def enter(self, user): self.user = user  # write
                def show(self): return f"{self.user}"  # read
            service = Service()
            def view(name):
                before = service.show()
                service.enter(name)
                return before
            """, "app.service.user", "attribute")

    def test_default_argument(self):
        self.check("""
            def collect(name, buffer=[]):
                before = buffer[-1] if buffer else ""  # read
                buffer.append(name)  # write
                return before
            def view(name): return collect(name)
            """, "app.collect.<default buffer>", "call")

    def test_closure(self):
        self.check("""
            def make():
                last = None
                def view(name):
                    nonlocal last
                    before = last  # read
                    last = name  # write
                    return before
                return view
            view = make()
            """, "app.make.<closure> last", "closure")

    def test_thread_local(self):
        self.check("""
            import threading
            local = threading.local()
            def view(name):
                before = getattr(local, "user", None)  # read
                local.user = name  # write
                return before
            """, "thread-local app.local.user")

    def test_context_variable(self):
        self.check("""
            from contextvars import ContextVar
            user = ContextVar("user", default="")
            def view(name):
                before = user.get()  # read
                user.set(name)  # write
                return before
            """, "contextvar app.user", "contextvar")

    def test_list_append_and_index(self):
        self.check("""
            log = []
            def view(name):
                log.append({"who": name})  # write
                return log[0]["who"]  # read
            """, "app.log")

    def test_cache_by_key(self):
        self.check("""
            cache = {}
            def view(name):
                page = cache.get("/page")  # read
                if page is None:
                    page = cache["/page"] = f"page of {name}"  # write
                return page
            """, "app.cache['/page']", "item")

    def test_generator(self):
        self.check("""
            def remember():
                last = None
                while True:
                    name = yield
                    yield last
                    last = name
            visitors = remember(); next(visitors)
            def view(name):
                before = visitors.send(name)  # write read
                next(visitors)
                return before
            """, "app.visitors")

    def test_lru_cache(self):
        how, write, read, _ = located("""
            import functools
            who = {}
            @functools.lru_cache
            def page(): return f"page of {who['name']}"
            def view(name):
                who["name"] = name
                return page()
            """)
        self.assertEqual(("object", "call", "page"), (how, write["e"], read["callee"]))
        self.assertEqual((write["obj"], write["callee_obj"]), (read["obj"], read["callee_obj"]))

    def test_queue_of_buffers(self):
        self.check("""
            import io, queue
            pool = queue.SimpleQueue(); pool.put(io.StringIO())
            def view(name):
                buffer = pool.get()
                buffer.write(name + ".")  # write
                text = buffer.getvalue()  # read
                pool.put(buffer)
                return text
            """, None)

    def test_background_thread(self):
        self.check("""
            import threading, time
            notices = []
            def work(name): notices.append(name)  # write
            def view(name):
                before = notices[:1]  # read
                thread = threading.Thread(target=work, args=(name,)); thread.start(); thread.join()
                return before
            """, "app.notices")

    def test_executor(self):
        self.check("""
            from concurrent.futures import ThreadPoolExecutor
            pool = ThreadPoolExecutor(1)
            class Job: name = None
            job = Job()
            def work(name):
                before = job.name  # read
                job.name = name  # write
                return before
            def view(name): return pool.submit(work, name).result()
            """, "app.job.name")

    def test_slots_and_private_names(self):
        self.check("""
            class Basket:
                __slots__ = ("__owner",)
                def __init__(self): self.__owner = None
                @property
                def owner(self): return self.__owner  # read
                @owner.setter
                def owner(self, value): self.__owner = value  # write
            basket = Basket()
            def view(name):
                before = basket.owner
                basket.owner = name
                return before
            """, "app.basket._Basket__owner")

    def test_local_objects_are_the_requests_own(self):
        _, events = run(textwrap.dedent(REQUESTS) + textwrap.dedent(f"""
            def view(name):
                mine = {{}}
                mine["user"] = name
                return mine["user"]
            request(view, {A!r})
            """))
        (store,) = [event for event in events if event["e"] == "store" and event["key"] == "user"]
        self.assertTrue(store["own_obj"])
        self.assertIsNone(store["path"])

    def test_keys_of_an_event(self):
        _, write, read, events = located("""
            kept = {}
            def view(name):
                before = kept.get("x")
                kept["x"] = name
                return before
            """)
        self.assertEqual("hello", events[0]["e"])
        self.assertEqual({"e", "t", "r", "u", "n", "pid", "language", "version", "probe", "app", "argv"}, set(events[0]))
        common = {"e", "t", "r", "u", "n", "c", "obj", "type", "path", "key", "kind", "own_obj", "file", "line", "column", "function", "text"}
        for event in (write, read):
            self.assertLessEqual(common, set(event))
        self.assertEqual(("app.py", 4, 5, "view", 'kept["x"] = name'), tuple(write[key] for key in ("file", "line", "column", "function", "text")))
        numbers = [event["n"] for event in events]
        self.assertEqual(sorted(numbers), numbers)

    def test_a_mark_counts_like_a_canary(self):
        with tempfile.NamedTemporaryFile("w", suffix=".marks") as marks:
            marks.write("d41d8cd98f\n*** masked\n")
            marks.flush()
            _, events = run(textwrap.dedent(REQUESTS) + textwrap.dedent(f"""
                kept = {{}}
                def view(name):
                    kept["hash"] = "d41d8cd98f"
                    return kept["hash"]
                request(view, {A!r})
                """), env={"RUNNER_PROBE_MARKS": marks.name})
        self.assertEqual([["d41d8cd98f"]] * 2, [event["c"] for event in events if event["e"] in ("store", "load")])

    def test_a_mark_of_two_characters_is_a_text_as_a_whole(self):
        with tempfile.NamedTemporaryFile("w", suffix=".marks") as marks:
            marks.write("de\n")
            marks.flush()
            _, events = run("""
                from wsgiref.simple_server import WSGIServer
                kept = {}
                def app(environ, start_response):
                    kept["order"] = "der indexed order"
                    kept["language"] = environ.get("HTTP_ACCEPT_LANGUAGE") or "de"
                    start_response("200 OK", [])
                    return [b""]
                class Server(WSGIServer):
                    def __init__(self): pass
                server = Server()
                server.set_app(app)
                served = server.get_app()
                for given in ({"HTTP_ACCEPT_LANGUAGE": "de"}, {"QUERY_STRING": "lang=de&x=1"}, {"HTTP_COOKIE": "a=b; lang=de"}, {"QUERY_STRING": "q=order"}):
                    list(served({"REQUEST_METHOD": "GET", "PATH_INFO": "/", **given}, lambda *a: lambda b: None))
                """, env={"RUNNER_PROBE_MARKS": marks.name})
        self.assertEqual([["de"], ["de"], ["de"], []], [event["own"] for event in events if event["e"] == "request"])
        self.assertEqual([["de"]] * 4, [event["c"] for event in events if event["e"] == "store"])

    def test_a_future_is_told_once_its_result_is_known(self):
        server = "class Config:\n    def load(self):\n        self.loaded_app = self.app\n"
        output, events = run("""
            import asyncio
            from uvicorn.config import Config
            flying = {}
            async def account(name):
                await asyncio.sleep(0.02)
                return name
            async def app(scope, receive, send):
                name = dict(scope["headers"])[b"x-user"].decode()
                if "x" not in flying:
                    flying["x"] = asyncio.ensure_future(account(name))
                body = await asyncio.shield(flying["x"])
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": body.encode()})
            async def send(message): pass
            async def main():
                config = Config()
                config.app = app
                config.load()
                scopes = [{"type": "http", "method": "GET", "path": "/", "headers": [(b"x-user", name.encode())]} for name in (CANARY_A, CANARY_B)]
                await asyncio.gather(*[config.loaded_app(scope, None, send) for scope in scopes])
            asyncio.run(main())
            """, more={"uvicorn/__init__.py": "", "uvicorn/config.py": server})
        self.assertEqual("", output)
        told = [event for event in events if event["e"] in ("store", "load") and event["path"] == "app.flying"]
        self.assertEqual([("store", 1), ("load", 1), ("load", 2)], [(event["e"], event["r"]) for event in sorted(told, key=lambda event: event["n"])])
        self.assertEqual([[A]] * 3, [event["c"] for event in told])

    def test_a_fork_says_hello_and_goes_on(self):
        output, events = run("""
            import os
            kept = {}
            def f(): kept["x"] = CANARY_A
            if os.fork() == 0:
                f()
            else:
                os.wait()
                f()
            """)
        self.assertEqual("", output)
        self.assertEqual(2, sum(event["e"] == "hello" for event in events))
        self.assertEqual(2, sum(event["e"] == "store" for event in events))
        self.assertEqual(2, len({event["pid"] for event in events if event["e"] == "hello"}))

    def test_nothing_that_gevent_patches_is_imported(self):
        program = "import sys; print(sorted({'threading', 'socket', 'queue', 'ssl', 'subprocess', 'asyncio'} & set(sys.modules)))"
        expected, _ = run(program, probed=False, command=["-c", program])
        self.assertEqual(expected, run(program, command=["-c", program])[0])

    def test_the_bound_of_events(self):
        output, events = run("""
            kept = {}
            def f():
                for number in range(200_500): kept["x"] = CANARY_A
            f()
            """)
        self.assertEqual(503, max(event["count"] for event in events if event["e"] == "dropped"))


# Servers ------------------------------------------------------------------------------------------------------------------


class Servers(unittest.TestCase):
    """Real servers, of the standard library; with others if they are installed: see measure.py."""

    NAMES = ("default_argument", "contextvar_outside", "socketserver_class", "corpus shared slot.py", "corpus previous kept.py", "corpus notice/ error.py", "corpus profile pool.py")

    def test_the_lines_are_found(self):
        cases = {case["name"]: case for case in [*measure.applications(), *measure.corpus_servers()]}
        for name in self.NAMES:
            if name.startswith("corpus") and sys.version_info < (3, 10):
                continue  # these servers need a newer asyncio themselves
            with self.subTest(name):
                verdict, text = measure.measure(cases[name], sys.executable)
                self.assertEqual("right", verdict, text)


if __name__ == "__main__":
    unittest.main()
