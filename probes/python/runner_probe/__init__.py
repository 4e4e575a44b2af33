"""What the rewritten code of an application calls: it looks for canaries in values and writes down where they go.

Nothing here may raise into the application, run code of the application (no `isinstance`, no getter, no `__eq__`), or import
a module that gevent would have to patch (`threading`, `socket`, `queue`). `rewrite.py` puts the calls into the code,
`loader.py` gives the rewritten code to the interpreter, `boundary.py` tells where a request begins and ends. The events are
described in docs/probe.md.
"""

import _thread
import os
import re
import sys
import time
import types
# Tests replace built-ins at times.
from builtins import any, bytes, dict, enumerate, getattr, id, int, issubclass, len, list, min, next, object, setattr, str, tuple, type  # noqa: A004
from _contextvars import ContextVar
from _weakref import ref as weak_reference
from itertools import count, islice

try:
    from _json import encode_basestring_ascii as quoted
except ImportError:  # an interpreter without that part in C
    from json.encoder import encode_basestring_ascii as quoted

STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
PROTOCOL = 1
BASE = "base"  # the kind of a site whose value is only the base of what is read from it


def built_in(hook):
    """The built-in name of a hook; of a form that those who go through such names leave alone."""
    return f"__runner{hook}__"


MOST_EVENTS = 200_000
MOST_BYTES = 64 << 20
LONG_TEXT, LONG_TEXT_PART = 1 << 20, 64 << 10
MOST_ITEMS, MOST_NODES, MOST_CANARIES = 32, 256, 8

DIRECTORY = os.environ.get("RUNNER_PROBE_DIR", "")
CACHE = os.environ.get("RUNNER_PROBE_CACHE") or f"{DIRECTORY}/cache"  # where rewritten code is kept
APP = os.path.realpath(os.environ.get("RUNNER_PROBE_APP") or os.getcwd())
CANARY = os.environ.get("RUNNER_PROBE_CANARY", "")
MARKS = os.environ.get("RUNNER_PROBE_MARKS", "")

# As they are before gevent replaces them.
now_ns, sleep, write, start_thread, allocate_lock = time.monotonic_ns, time.sleep, os.write, _thread.start_new_thread, _thread.allocate_lock
native_id = _thread.get_native_id


def to_json(value):
    """JSON, without the package `json`, which an application may not need."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is dict:
        return "{" + ",".join([f"{quoted(key)}:{to_json(inner)}" for key, inner in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([to_json(inner) for inner in value]) + "]"
    return "null" if value is None else "true" if value is True else "false" if value is False else repr(value)


own_modules = {}


def hide():
    """Takes the modules of the probe out of `sys.modules`: the interpreter empties the modules that it finds there when it
    ends, and hooks are still called then, by `__del__`."""
    for name in list(sys.modules):
        if name == "runner_probe" or name.startswith("runner_probe."):
            own_modules[name] = sys.modules.pop(name)


# What a canary looks like -------------------------------------------------------------------------------------------------


def shortest(pattern):
    """The length of the shortest text that a regular expression matches."""
    try:
        parser = re._parser if hasattr(re, "_parser") else re.sre_parse
        return max(1, parser.parse(pattern).getwidth()[0])
    except Exception:
        return 1


all_texts = all_bytes = None
last_text = None, ()  # the long text that was searched last, and its canaries: many values are looked at several times in turn
# Text, and bytes, with their canaries: many come again and again. Apart, as comparing the two is a warning at times.
texts_seen, bytes_seen = {}, {}
MOST_SEEN, LONGEST_SEEN = 2048, 512
SHORTEST = 1
SHORT_MARK = 2  # up to so many characters a mark counts only where it is a text as a whole
whole_texts = frozenset()
marks_seen = None
marks_looked_at = 0
on_marks = []  # what is called when something else is looked for
FIRST_REQUESTS, LOOKED_AT_FOR_NS = 100, 5_000_000


def look_for(canary, marks=()):
    """Makes the searches for a regular expression, and for literal texts that count like canaries."""
    global all_texts, all_bytes, SHORTEST, last_text, whole_texts
    whole_texts = frozenset([mark for mark in marks if len(mark) <= SHORT_MARK])
    marks = [mark for mark in marks if len(mark) > SHORT_MARK]
    # Without a group around it: an expression whose alternatives all begin with a letter is searched for by these letters.
    parts = [canary] if canary else []
    parts += [re.escape(mark) for mark in sorted(marks, key=len, reverse=True)]
    pattern = "|".join(parts) or r"(?!)"
    text, data = re.compile(pattern), re.compile(pattern.encode("utf-8", "surrogateescape"))
    SHORTEST = min([shortest(canary)] * bool(canary) + [len(mark) for mark in marks] or [1])
    # `findall` gives whole matches only if the expression has no groups.
    all_texts, all_bytes = [
        one.findall if one.groups == 0 else lambda value, one=one: [match.group() for match in one.finditer(value)] for one in (text, data)
    ]
    last_text = None, ()
    texts_seen.clear()
    bytes_seen.clear()
    for forget_more in on_marks:
        forget_more()


def read_marks():
    """Reads the file of marks again if it has changed. It is looked at with each of the first requests, for it is written just
    before what they are to show, and later not more often than every 5 ms."""
    global marks_seen, marks_looked_at
    if not MARKS:
        return
    try:
        now = now_ns()
        if now - marks_looked_at < LOOKED_AT_FOR_NS and requests_opened > FIRST_REQUESTS:
            return
        marks_looked_at = now
        state = os.stat(MARKS)
        if marks_seen != (state.st_mtime_ns, state.st_size):
            marks_seen = (state.st_mtime_ns, state.st_size)
            with open(MARKS, encoding="utf-8", errors="surrogateescape") as file:
                look_for(CANARY, {line for line in file.read().split("\n") if line})
    except Exception:
        pass


def canaries_in_text(text, found):
    """Adds the canaries of a text or of bytes to the list `found`."""
    for name in in_text(text) if type(text) is str else in_bytes(text):
        if name not in found:
            found.append(name)


def in_text(text):
    """All canaries of a text, in order."""
    global last_text
    found = texts_seen.get(text)
    if found is not None:
        return found
    size = len(text)
    if size <= LONGEST_SEEN:
        if len(texts_seen) >= MOST_SEEN:
            texts_seen.clear()
        if size >= SHORTEST:
            found = tuple(all_texts(text))
        else:
            found = (text,) if text in whole_texts else ()
        texts_seen[text] = found
        return found
    last = last_text
    if last[0] is text:
        return last[1]
    found = tuple(all_texts(text if size < LONG_TEXT else text[:LONG_TEXT_PART]))
    last_text = text, found
    return found


def in_bytes(data):
    """All canaries of bytes, in order."""
    is_bytes = type(data) is bytes
    if is_bytes:
        found = bytes_seen.get(data)
        if found is not None:
            return found
    size = len(data)
    if size < SHORTEST:
        return in_text(bytes(data).decode("utf-8", "surrogateescape")) if whole_texts and size else ()
    if size >= LONG_TEXT:
        data = data[:LONG_TEXT_PART]
    found = tuple([bytes(found).decode("utf-8", "surrogateescape") for found in all_bytes(data)])
    if is_bytes and size <= LONGEST_SEEN:
        if len(bytes_seen) >= MOST_SEEN:
            bytes_seen.clear()
        bytes_seen[data] = found
    return found


# The search of a value ----------------------------------------------------------------------------------------------------

# Types whose values hold no text. Kept as identity numbers: hashing a class may run code of its metaclass.
PLAIN_TYPES = (
    int, float, bool, complex, type(None), type(NotImplemented), type(...), type, range, slice, property, staticmethod, classmethod,
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, types.CodeType, types.FrameType,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.MethodWrapperType, types.WrapperDescriptorType,
    types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType,
    type(allocate_lock()), _thread.RLock, weak_reference, re.Pattern, re.Match, types.TracebackType, object,
)
ALWAYS_PLAIN = frozenset(map(id, PLAIN_TYPES))
PLAIN = set(ALWAYS_PLAIN)  # and those of which it turned out that their values have nothing in them
FUTURES = set()  # those of futures and tasks: what they hold comes later
LATER = ("",)  # what a future holds that has no result yet, or one that nobody has looked at
TEXT, BYTES, BYTEARRAY, DICT, LIST, TUPLE, SET, FROZENSET = map(id, (str, bytes, bytearray, dict, list, tuple, set, frozenset))
SEQUENCES = {LIST, TUPLE, SET, FROZENSET}

mro_of = type.__dict__["__mro__"].__get__
dict_of_class = type.__dict__["__dict__"].__get__
name_of_class = type.__dict__["__name__"].__get__
qualified_name_of_class = type.__dict__["__qualname__"].__get__



def is_class(value):
    """Whether a value is a class, without asking the value: a class may say anything of itself, and its metaclass too."""
    return issubclass(type(value), type)


FUTURE_MODULES = ("_asyncio", "asyncio.futures", "concurrent.futures._base")
# For each class: how to iterate an instance as a built-in container, whether it has a plain `__dict__`, its slots.
plans = {}


def plan_of(kind):
    plan = plans.get(id(kind))
    if plan is None:
        mapping = sequence = has_names = None
        slots, met = [], set()
        for base in mro_of(kind) or ():
            if base is dict:
                mapping = dict.items
            elif id(base) in SEQUENCES or base is deque_type():
                sequence = base.__iter__
            names = dict_of_class(base)
            found = names.get("__dict__")
            if has_names is None and found is not None:
                # A class may have any object under this name, as werkzeug's LocalProxy does; that one is not called.
                has_names = type(found) in (types.GetSetDescriptorType, types.MemberDescriptorType)
            slots += [name for name, value in list(names.items()) if type(value) is types.MemberDescriptorType and name not in met and name != "__dict__"]
            met.update(names)
        text = str if issubclass(kind, str) else bytes if issubclass(kind, bytes) else None
        is_future = any([base is future for future in future_types() for base in mro_of(kind) or ()])
        if is_future:
            mapping = sequence = None
            has_names, slots = False, []
        if name_of_class(kind) in ("_UnixSelectorEventLoop", "Loop", "Thread", "_MainThread"):
            has_names, slots = False, []  # they refer to all there is
        elif name_of_class(kind) == "partial":
            has_names = False  # asking for it makes one, and functools looks whether there is one
        # Neither the class nor anything that belongs to it is kept alive.
        identity = id(kind)

        def forget_it(reference):
            if plans.pop(identity, None) is not None and identity not in ALWAYS_PLAIN:
                PLAIN.discard(identity)
                FUTURES.discard(identity)

        plan = plans[identity] = (weak_reference(kind, forget_it), mapping, sequence, bool(has_names), tuple(slots[:40]), text)
        if is_future:
            FUTURES.add(identity)
        elif not any(plan[1:]) and identity != BYTEARRAY:
            PLAIN.add(identity)
    return plan


attribute_of = object.__getattribute__


def names_of(value):
    """The `__dict__` of an instance; None if it has none, or one that only code of the application could tell."""
    if not plan_of(type(value))[3]:
        return None
    names = attribute_of(value, "__dict__")
    return names if type(names) is dict else None


def future_types():
    modules_of = [sys.modules.get(name) for name in FUTURE_MODULES]
    return [module.__dict__.get("Future") for module in modules_of if type(module) is types.ModuleType]


def deque_type():
    return sys.modules["_collections"].deque if "_collections" in sys.modules else None


def children(value, most=MOST_ITEMS):
    """What is directly inside a value: a list of (key, child). Built-in containers, `__dict__`, slots."""
    kind = id(type(value))
    if kind == DICT:
        return list(islice(dict.items(value), most))
    if kind in SEQUENCES:
        return list(enumerate(islice(value, most)))
    _, mapping, sequence, has_names, slots, _ = plan_of(type(value))
    found = []
    if mapping:
        found += islice(mapping(value), most)
    elif sequence:
        found += enumerate(islice(sequence(value), most))
    if has_names:
        names = attribute_of(value, "__dict__")
        if type(names) is dict:
            found += islice(names.items(), most)
    for name in slots:
        try:
            found.append((name, attribute_of(value, name)))
        except AttributeError:
            pass
    return found


def holds(value):
    """The canaries in a value, to depth 2; empty if there is none."""
    kind = type(value)
    if kind is str:
        return in_text(value)
    try:
        if id(kind) in PLAIN:
            return ()
        if kind is bytes or kind is bytearray:
            return in_bytes(value)
        below = []
        found = directly_in(value, below)
        if below:
            left, counted = MOST_NODES, len(below) > MOST_NODES // MOST_ITEMS
            for container in below:
                more = directly_in(container, None)
                if more:
                    found += more
                if not counted:
                    continue
                left -= len(container) if id(type(container)) in BUILT_IN and len(container) < MOST_ITEMS else MOST_ITEMS
                if left <= 0:
                    break
        if id(kind) not in BUILT_IN:
            if id(kind) in FUTURES:
                return LATER
            text = plan_of(kind)[5]
            if text:
                found += in_text(str.__str__(value)) if text is str else in_bytes(bytes(memoryview(value)))
        return found
    except Exception:
        return ()


def directly_in(container, below):
    """The canaries in the texts that a container has itself; the containers in it are added to `below`."""
    found, seen = (), texts_seen
    try:
        kind = type(container)
        if kind is dict:
            inside = container.items() if len(container) <= MOST_ITEMS else islice(container.items(), MOST_ITEMS)
        elif kind is list or kind is tuple or kind is set or kind is frozenset:
            for child in container if len(container) <= MOST_ITEMS else islice(container, MOST_ITEMS):
                kind = type(child)
                if kind is str:
                    more = seen.get(child)
                    if more is None:
                        more = in_text(child)
                    if more:
                        found += more
                elif kind is tuple and below is not None and len(child) == 2:
                    # A pair of texts, as in lists of headers and of fields.
                    for part in child:
                        kind = type(part)
                        if kind is str:
                            more = seen.get(part)
                            if more is None:
                                more = in_text(part)
                            if more:
                                found += more
                        elif id(kind) not in PLAIN:
                            below.append(child)
                            break
                elif id(kind) in PLAIN:
                    pass
                elif kind is bytes or kind is bytearray:
                    found += in_bytes(child)
                elif below is not None:
                    below.append(child)
            return found
        else:
            plan = plan_of(kind)
            if plan[3] and not (plan[1] or plan[2] or plan[4]):
                inside = attribute_of(container, "__dict__")
                if type(inside) is not dict:
                    return found
                inside = inside.items() if len(inside) <= MOST_ITEMS else islice(inside.items(), MOST_ITEMS)
            else:
                inside = children(container)
        for key, child in inside:
            kind = type(key)
            if kind is str:
                more = seen.get(key)
                if more is None:
                    more = in_text(key)
                if more:
                    found += more
            elif kind is tuple:
                for part in key:
                    if type(part) is str:
                        found += in_text(part)
            kind = type(child)
            if kind is str:
                more = seen.get(child)
                if more is None:
                    more = in_text(child)
                if more:
                    found += more
            elif id(kind) in PLAIN:
                pass
            elif kind is bytes or kind is bytearray:
                found += in_bytes(child)
            elif below is not None:
                below.append(child)
    except Exception:
        pass  # a class that is not complete, or is being taken apart; a container that another thread changes
    return found


BUILT_IN = {DICT, LIST, TUPLE, SET, FROZENSET}


def only_own(canaries):
    """Whether canaries are the request's own. Reading these tells nothing: only what is stored is written down."""
    request = request_of_unit.get()
    return request is not None and request.has(canaries)


def canaries_of(value, chain=None):
    """The canaries in a value, and in `chain` the way to the first of them: (container, key) from the outside to the inside."""
    found = []
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        found = in_text(value) if kind is str else in_bytes(value)
        return list(dict.fromkeys(found))[:MOST_CANARIES] if len(found) > 1 else found
    level, left = [(value, ())], MOST_NODES
    for depth in range(2):
        below = []
        for container, way in level:
            try:
                for key, child in children(container):
                    left -= 1
                    before = len(found)
                    for text in (key, child):
                        kind = id(type(text))
                        if kind in (TEXT, BYTES, BYTEARRAY):
                            canaries_in_text(text, found)
                        elif kind == TUPLE:
                            for part in text:
                                if type(part) is str or type(part) is bytes:
                                    canaries_in_text(part, found)
                    if len(found) > before and not before and chain is not None:
                        chain += [*way, (container, key)]
                    if id(type(child)) not in PLAIN:
                        below.append((child, (*way, (container, key))))
                    if left <= 0 or len(found) >= MOST_CANARIES:
                        return found[:MOST_CANARIES]
            except Exception:
                pass
        level = below
    text = plan_of(type(value))[5]
    if text is str:
        canaries_in_text(str.__str__(value), found)
    elif text is bytes:
        canaries_in_text(bytes(memoryview(value)), found)
    return found[:MOST_CANARIES]


# Numbers of objects -------------------------------------------------------------------------------------------------------

# Each object gets a number that no other object ever has. An object that allows it is referred to weakly. The others, such
# as lists, are kept until the request that met them has ended and nobody else holds them.
next_number = count(1).__next__
numbers = {}  # identity number -> [our number, weak reference or the object, number of the request that met it first, path]
kept = {}  # the identity numbers of objects that are kept, oldest first
MOST_KEPT, MOST_OTHERS = 2048, 8


class Known:
    """What is known of an object."""

    __slots__ = ("number", "reference", "kept", "first_request", "path", "told")

    def __init__(self, number, first_request):
        self.number, self.first_request, self.path, self.told = number, first_request, None, None


def forget(identity):
    def forget_it(reference):
        known = numbers.get(identity)
        if known is not None and known.reference is reference:
            del numbers[identity]

    return forget_it


def known(value, request=None):
    """What is known of an object; a new number if it is met for the first time."""
    identity = id(value)
    found = numbers.get(identity)
    if found is not None:
        if found.kept:
            kept[identity] = kept.pop(identity, None)  # to the end: it was used last
        return found
    found = Known(next_number(), request.number if request else None)
    try:
        found.reference, found.kept = weak_reference(value, forget(identity)), False
    except TypeError:
        found.reference, found.kept = value, True
        kept[identity] = None
        if request is not None:
            if request.met is None:
                request.met = []
            request.met.append(identity)
        while len(kept) > MOST_KEPT:
            del numbers[next(iter(kept))]
            del kept[next(iter(kept))]
    numbers[identity] = found
    return found


def release(request):
    """Lets go of objects that only the probe still holds, at the end of a request: of those that it met, and of the few that
    were used least lately. So a request does not pay for all that are kept."""
    try:
        for identity in [*(request.met or ()), *islice(kept, MOST_OTHERS)]:
            found = numbers.get(identity)
            # Referred to by `found.reference` and by the argument of getrefcount.
            if found is None or found.kept and sys.getrefcount(found.reference) <= 2:
                numbers.pop(identity, None)
                kept.pop(identity, None)
            elif found.kept:
                kept[identity] = kept.pop(identity, None)
    except Exception:
        pass


# Writing ------------------------------------------------------------------------------------------------------------------


class Writer:
    """Collects events and writes them from a native thread, which begins with the first request of a process: a process that
    will fork should have no thread before, as CPython from 3.12 on warns of it."""

    def __init__(self):
        self.lock = allocate_lock()
        self.begin()

    def begin(self):
        self.pid, self.file, self.pending, self.threaded, self.stops = os.getpid(), None, [], False, False
        self.bytes = self.dropped = 0
        self.wake, self.writing = allocate_lock(), allocate_lock()
        self.wake.acquire()
        self.sleeping = False
        self.next = count(1).__next__

    def open(self):
        path = f"{DIRECTORY}/events-{self.pid}.jsonl"
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)

    def add(self, kind, request, rest, at_once=True, when=None, place=None, runs=None):
        """Adds an event. `rest` is the text of further keys, beginning with a comma; `when` is in nanoseconds. One that happened
        earlier brings its place in the order, and what ran then."""
        if place is None:
            place = self.next()
        if place > MOST_EVENTS or self.bytes > MOST_BYTES:
            self.dropped += 1
            if self.dropped & (self.dropped - 1):  # it is said at 1, 2, 4, 8 and so on, and at the end
                return
            kind, rest = "dropped", f',"count":{self.dropped}'
        number = "null" if request is None else request.number
        if runs is None:
            runs = unit() if kind != "request" else request.unit
        self.pending.append(f'{{"e":"{kind}","t":{(when or now_ns()) // 1000},"r":{number},"u":{quoted(runs)},"n":{place}{rest}}}\n')
        if self.sleeping:
            self.sleeping = False
            try:
                self.wake.release()
            except RuntimeError:
                pass
        elif not self.threaded and (at_once or len(self.pending) > 100):
            self.flush()

    def end(self):
        """Writes what is left, at the end of the process."""
        if self.dropped & (self.dropped - 1):
            event = {"e": "dropped", "t": now_ns() // 1000, "r": None, "u": unit(), "n": self.next(), "count": self.dropped}
            self.pending.append(to_json(event) + "\n")
        self.flush(2)  # the thread may be writing: it would end with the process

    def flush(self, patience=0):
        if not self.writing.acquire(patience > 0, patience or -1):
            return
        try:
            events, self.pending = self.pending, []
            if events:
                lines = "".join(events).encode("utf-8", "replace")
                self.bytes += len(lines)
                if self.file is None:
                    self.open()
                while lines:
                    lines = lines[write(self.file, lines):]
        except Exception:
            pass
        finally:
            self.writing.release()

    def start(self):
        """Begins the thread, if it does not run."""
        if self.threaded:
            return
        with self.lock:
            if not self.threaded:
                try:
                    self.threaded, self.stops = True, False
                    self.ended = allocate_lock()
                    self.ended.acquire()
                    start_thread(self.work, (self.wake, self.ended))
                except Exception:
                    self.threaded = False

    def work(self, wake, ended):
        try:
            while not self.stops:
                self.sleeping = True
                if self.pending:
                    self.sleeping = False
                elif not wake.acquire():
                    break
                sleep(0.02)
                self.flush()
        except BaseException:
            pass
        finally:
            ended.release()

    def stop(self):
        """Ends the thread before a fork, which shall not copy a lock that somebody holds."""
        if self.threaded:
            self.stops = True
            try:
                self.wake.release()
            except RuntimeError:
                pass
            self.ended.acquire(True, 0.2)
            self.threaded = self.sleeping = False
        self.flush()


writer = Writer()


def keys(of):
    """The text of keys of an event."""
    return "," + to_json(of)[1:-1]


def array(texts):
    """The JSON of a list of texts."""
    return f"[{quoted(texts[0])}]" if len(texts) == 1 else f"[{','.join([quoted(text) for text in texts])}]"


def number_of(value, request):
    """The JSON of an object's number."""
    return known(value, request).number if value is not None else "null"


def say_hello():
    argv = list(getattr(sys, "orig_argv", None) or getattr(sys, "argv", []))[:5]
    version = sys.version.split()[0]
    writer.add("hello", None, keys({"pid": os.getpid(), "language": "python", "version": version, "probe": PROTOCOL, "app": APP, "argv": argv}))


def before_fork():
    try:
        writer.stop()
    except Exception:
        pass


def after_fork():
    try:
        if writer.file is not None:
            os.close(writer.file)
        writer.lock = allocate_lock()
        writer.begin()
        say_hello()
    except Exception:
        pass


def in_parent_after_fork():
    try:
        if request_of_unit.get() is not None:
            writer.start()
    except Exception:
        pass


# Units of execution -------------------------------------------------------------------------------------------------------


def current_task():
    """The asyncio task that runs, if asyncio is loaded at all."""
    global running_loop, tasks_of_loops
    if running_loop is None:
        asyncio = sys.modules.get("asyncio")
        if asyncio is None or not hasattr(asyncio, "current_task"):
            return None
        # From 3.12 on, or under uvloop, the tasks are known to C alone.
        found = getattr(asyncio.tasks, "_current_tasks", None)
        tasks_of_loops = found.get if type(found) is dict and sys.version_info < (3, 12) else asyncio.current_task
        running_loop = asyncio._get_running_loop
    loop = running_loop()
    return None if loop is None else tasks_of_loops(loop)


running_loop = tasks_of_loops = None


def unit():
    """The name of what runs: an asyncio task, a greenlet or a thread."""
    try:
        task = current_task()
        if task is not None:
            name = task.get_name()
            return name if name[:5] == "Task-" else f"Task {name} {known(task).number}"
        if "greenlet" in sys.modules:
            current = sys.modules["greenlet"].getcurrent()
            if current.parent is not None:
                return f"greenlet {known(current).number}"
    except Exception:
        pass
    return f"thread {native_id()}"


# Requests -----------------------------------------------------------------------------------------------------------------

request_of_unit = ContextVar("runner_probe_request", default=None)
next_request = count(1).__next__
requests_opened = 0
owners = {}  # canary -> the request that brought it, where no boundary is known: what has been brought is not new
boundary_known = False  # whether a server whose boundary is known has handed out a request


class Request:
    __slots__ = ("number", "own", "server", "method", "target", "shown", "status", "ended", "seen", "unit", "left", "met", "names", "has", "__weakref__")

    def __init__(self, server, method, target, own):
        self.number, self.server, self.method, self.target = next_request(), server, method, target
        self.own, self.shown, self.status, self.ended, self.seen, self.unit, self.left, self.met = list(own), [], None, False, None, None, None, None
        self.names = names = set(own)
        self.has = names.issuperset  # whether canaries are all the request's own

    def sees(self, *mark):
        """Whether this was marked before; marks it."""
        if self.seen is None:
            self.seen = set()
        elif mark in self.seen:
            return True
        self.seen.add(mark)
        return False


def open_request(server, method, target, own):
    """A request begins. The caller puts it into `request_of_unit`."""
    global boundary_known, requests_opened
    if writer.pid != os.getpid():
        after_fork()
    if MARKS:
        read_marks()
    if not writer.threaded:
        writer.start()
    request = Request(server, method, target, own)
    requests_opened = request.number
    if server != "implicit":
        boundary_known = True
    if not boundary_known:
        remember_owner(request, request.own)
    request.unit = unit()
    brought = f',"method":{quoted(method or "")},"target":{quoted(target[:500])},"own":{array(request.own[:MOST_CANARIES])},"server":"{server}"'
    writer.add("request", request, brought)
    return request


def remember_owner(request, canaries):
    if len(owners) > 20_000:
        owners.clear()
    owners.update(dict.fromkeys(canaries, request))


def add_own(request, canaries):
    """Canaries that came with the body of a request."""
    new = [canary for canary in canaries if canary not in request.names]
    if new:
        request.own += new
        request.names.update(new)
        if not boundary_known:
            remember_owner(request, new)
        writer.add("own", request, f',"own":{array(new[:MOST_CANARIES])}')


def add_shown(request, data):
    """A part of the response to a request."""
    if type(data) is str:
        found = in_text(data)
    else:
        found = bytes_seen.get(data) if type(data) is bytes else None
        if found is None:
            found = in_bytes(data)
    shown = request.shown
    for canary in found:
        if canary not in shown and len(shown) < 64:
            shown.append(canary)


def end_request(request):
    """The response to a request has been sent."""
    if request.ended:
        return
    request.ended = True
    try:
        status = "null" if request.status is None else request.status
        shown = request.shown
        writer.add("response", request, f',"c":{array(shown[:MOST_CANARIES])},"status":{status}')
        if not request.has(shown):
            for canary in [canary for canary in shown if canary not in request.names][:2]:
                writer.add("holders", request, keys({"c": [canary], "paths": holders_of(canary)}))
        if request.met or kept:
            release(request)
    except Exception:
        pass


def request_for(canaries):
    """The request in which this code runs. Where no boundary is known, a canary that nobody brought yet begins one."""
    request = request_of_unit.get()
    if boundary_known or request is not None and request.server not in ("implicit", "http.server"):
        return request
    if len(canaries) != 1:
        return request
    owner = owners.get(canaries[0])
    if owner is None:
        if request is not None and not request.own and not request.ended:
            add_own(request, canaries)
            return request
        request = open_request("implicit", "", "", canaries)
        request_of_unit.set(request)
    elif owner is not request and not owner.ended and (request is None or request.ended):
        # A worker that got the request from the unit which had received it.
        if owner.unit != unit() or request is not None:
            request_of_unit.set(owner)
            return owner
    return request


REQUEST_LINE = re.compile(rb"([A-Z]{3,10}) (\S{1,8000}) HTTP/1\.[01]\r\n")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def received(data, connection=None):
    """Bytes that the application's own server received. A request line begins a request."""
    try:
        if boundary_known or type(data) is not bytes and type(data) is not bytearray or len(data) < 3:
            return
        first = REQUEST_LINE.match(data)
        request = request_of_unit.get()
        found = []
        canaries_in_text(data, found)
        if "%" in (text := bytes(data[:LONG_TEXT_PART]).decode("latin-1")):
            canaries_in_text(unquoted(text), found)
        new = [canary for canary in found if canary not in owners]
        if first is None:
            # The rest of a request whose head came before.
            if request is not None and request.server == "implicit" and not request.ended and new:
                add_own(request, new)
            return
        if REQUEST_LINE.search(data, first.end()):
            # Several requests in one packet: each begins where its canary is met alone.
            if request is not None and request.ended:
                request_of_unit.set(None)
            return
        request = open_request("implicit", first[1].decode(), first[2].decode("latin-1"), found)
        request_of_unit.set(request)
        if connection is not None:
            if len(connections) > 10_000:
                connections.clear()
            connections[id(connection)] = (weak_reference(connection), request)
    except Exception:
        pass


connections = {}  # identity number of a protocol object -> the request that it received last


def take_over(connection):
    """A worker that handles what a protocol object has received works for the request that was received last."""
    try:
        reference, request = connections.get(id(connection), (None, None))
        if reference is not None and reference() is connection and not request.ended:
            current = request_of_unit.get()
            if current is None or current.ended:
                request_of_unit.set(request)
    except Exception:
        pass


def sent(request, data):
    """Bytes that the application's own server sends: a response that is complete ends its request."""
    if request.server not in ("implicit", "http.server") or request.ended:
        return
    add_shown(request, data)
    if request.server != "implicit" or type(data) is str:
        return
    first = STATUS_LINE.match(data)
    if first:
        request.status = int(first[1])
        head, end, body = bytes(data).partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        request.left = int(length[1]) - len(body) if length and end else None
    elif request.left is not None:
        request.left -= len(data)
    if request.left is not None and request.left <= 0:
        end_request(request)


def unquoted(text):
    """Percent-encoded text, decoded; without `urllib`, which an application may not need."""
    parts = text.split("%")
    decoded = [parts[0]]
    for part in parts[1:]:
        try:
            decoded += [chr(int(part[:2], 16)), part[2:]]
        except ValueError:
            decoded += ["%", part]
    return "".join(decoded)


# Places and paths ---------------------------------------------------------------------------------------------------------

modules = {}  # file relative to the application -> (full name of its module, absolute file, names that it imported)
sources = {}


def line_of(file, line):
    lines = sources.get(file)
    if lines is None:
        try:
            with open(modules[file][1], "rb") as source:
                lines = source.read().decode("utf-8", "replace").splitlines()
        except Exception:
            lines = []
        sources[file] = lines
    return lines[line - 1].strip()[:200] if 0 < line <= len(lines) else ""


def shown_name(file):
    """The name of a module in paths; that of a program is its file's."""
    name = modules[file][0] if file in modules else file
    return os.path.basename(file).rpartition(".")[0] if name == "__main__" else name


def name_of(value):
    return name_of_class(type(value))


def module_of(file):
    return sys.modules.get(modules[file][0]) if file in modules else None


class Index:
    """The paths by which objects are reached from the roots of the application: module variables, class attributes, closures,
    default arguments. Made again when an object is missing from it, for 50 ms and a twentieth of the time at most."""

    paths = {}
    begun = now_ns()
    spent = 0

    def look(self, value, found):
        path = self.paths.get(id(value))
        if path is not None and path[0] is value:
            return path[1]
        if self.spent < 50_000_000 + (now_ns() - self.begun) // 20:
            self.make()
            path = self.paths.get(id(value))
            return path[1] if path is not None and path[0] is value else None
        return None

    def make(self):
        begun = now_ns()
        paths = {}
        try:
            for value, path, _ in reachable(4000):
                if id(value) not in paths:
                    paths[id(value)] = (value, path)
        except Exception:
            pass
        # Only weak use: the objects are reached from roots anyway, and the index is dropped with the next one.
        self.paths = paths
        self.spent += now_ns() - begun


def reachable(most, deepest=4):
    """Objects that are reached from roots, nearest first: (object, path, depth)."""
    level, seen = [], set()
    # Modules that import all names of another come last: what they have is the other's.
    for file in sorted(modules, key=lambda file: "*" in modules[file][2]):
        module = module_of(file)
        if module is None:
            continue
        name, imported = shown_name(file), modules[file][2]
        for key, value in list(module.__dict__.items()):
            if type(key) is str and key not in imported and not (key.startswith("__") and key.endswith("__")):
                level.append((value, f"{name}.{key}", name))
    for depth in range(deepest):
        below = []
        for value, path, owner in level:
            kind = type(value)
            if id(value) in seen or kind is types.ModuleType:
                continue
            if kind is types.FunctionType:
                seen.add(id(value))
                below += in_function(value, path)
                continue
            if is_class(value):
                seen.add(id(value))
                name = path_of_class(value)
                yield value, name, depth
                # Classes of other people's modules are not walked.
                if depth == 0 or dict_of_class(value).get("__module__") in application_modules():
                    for key, inner in list(dict_of_class(value).items()):
                        if type(inner) is types.FunctionType or key[:2] != "__" and id(type(inner)) not in PLAIN:
                            below.append((inner, f"{name}.{key}", owner))
                        elif type(inner) is staticmethod or type(inner) is classmethod:
                            below.append((inner.__func__, f"{name}.{key}", owner))
                        elif type(inner) is property and type(inner.fget) is types.FunctionType:
                            below.append((inner.fget, f"{name}.{key}", owner))
                continue
            if kind is types.MethodType:
                below.append((value.__self__, f"{path}.__self__", owner))
                continue
            if id(kind) in PLAIN or id(kind) in (TEXT, BYTES):
                continue
            seen.add(id(value))
            name = name_of_class(kind)
            yield value, f"thread-local {path}" if name in ("_local", "local") else f"contextvar {path}" if kind is ContextVar else path, depth
            most -= 1
            if most < 0:
                return
            wrapped = None
            try:
                inside = children(value, 200)
            except Exception:
                continue
            if name in ("_local", "local"):
                inside = local_names(value)
            if id(kind) == DICT or plan_of(kind)[1]:
                below += [(inner, f"{path}[{key!r}]" if id(type(key)) in (TEXT, BYTES, id(int)) else f"{path}[…]", owner) for key, inner in inside]
            elif id(kind) in SEQUENCES or plan_of(kind)[2]:
                below += [(inner, f"{path}[{key}]" if type(key) is int else f"{path}.{key}", owner) for key, inner in inside]
            else:
                below += [(inner, f"{path}.{key}", owner) for key, inner in inside if type(key) is str]
        level = below
        if len(level) > 4 * 4000:
            level = level[: 4 * 4000]


def local_names(local):
    """The names that the current thread has in a thread-local; `__dict__` of the built-in type is computed for the thread."""
    try:
        names = object.__getattribute__(local, "__dict__") if "_thread" in type(local).__module__ else {}
        return list(islice(names.items(), MOST_ITEMS))
    except Exception:
        return []


def application_modules():
    return {entry[0] for entry in list(modules.values())}


def path_of_class(value):
    module = dict_of_class(value).get("__module__")
    for file, entry in list(modules.items()):
        if entry[0] == module:
            module = shown_name(file)
            break
    return f"{module}:{qualified_name_of_class(value)}"


def in_function(function, path):
    """The default arguments and closures of a function, and of what it wraps."""
    code, found = function.__code__, []
    defaults = function.__defaults__
    if type(defaults) is tuple:
        names = code.co_varnames[: code.co_argcount][-len(defaults) :] if defaults else ()
        found += [(value, f"{path}.<default {name}>", path) for name, value in zip(names, defaults)]
    if type(function.__kwdefaults__) is dict:
        found += [(value, f"{path}.<default {name}>", path) for name, value in function.__kwdefaults__.items()]
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            found.append((cell.cell_contents, f"{outer_of(function, path)}.<closure> {name}", path))
        except ValueError:
            pass
    names = function.__dict__
    found += [(value, f"{path}.{name}", path) for name, value in list(names.items()) if type(name) is str]
    return found


def outer_of(function, path):
    """`app.make` for a function `make.<locals>.inner`."""
    outer, local, _ = function.__qualname__.rpartition(".<locals>.")
    module = function.__module__
    for file, entry in list(modules.items()):
        if entry[0] == module:
            module = shown_name(file)
    return f"{module}.{outer}" if local else path


index = Index()


def path_of(value, found, site):
    """The path from a root to an object, or None. `site` may know it from the expression."""
    if found.path is not None:
        return found.path
    path, kind = None, type(value)
    if kind is types.ModuleType:
        path = next((shown_name(file) for file, entry in list(modules.items()) if entry[0] == value.__dict__.get("__name__")), None)
        path = path or value.__dict__.get("__name__")
    elif is_class(value):
        path = path_of_class(value)
    else:
        path = index.look(value, found)
        if path is None and site[5]:
            path = f"{shown_name(site[0])}.{site[5]}"
            if name_of(value) in ("_local", "local"):
                path = f"thread-local {path}"
            elif kind is ContextVar:
                path = f"contextvar {path}"
    found.path = path
    return path


def holders_of(canary):
    """Up to five paths at which an object that holds a canary is reachable now."""
    found, seen = [], set()
    try:
        for value, path, _ in reachable(4000, 5):
            for key, child in local_names(value) if name_of(value) in ("_local", "local") else children(value, 200):
                texts = []
                if id(type(child)) in (TEXT, BYTES, BYTEARRAY):
                    canaries_in_text(child, texts)
                if type(key) is str:
                    canaries_in_text(key, texts)
                if canary in texts and (path, key) not in seen:
                    seen.add((path, key))
                    found.append({"path": f"{path}.{key}" if type(key) is str else path, "type": name_of(value), "obj": known(value).number})
                    break
            if len(found) >= 5:
                break
        for file in list(modules):
            module = module_of(file)
            for key, value in list(module.__dict__.items()) if module is not None else ():
                if len(found) < 5 and id(type(value)) in (TEXT, BYTES, BYTEARRAY):
                    texts = []
                    canaries_in_text(value, texts)
                    if canary in texts:
                        found.append({"path": f"{shown_name(file)}.{key}", "type": "module", "obj": known(module).number})
    except Exception:
        pass
    return found


# Events of the code -------------------------------------------------------------------------------------------------------

# A site is a text that the rewriter has put into the code as a constant, as one text is loaded quicker than a tuple. It stands for
# (file, line, column, function, key, path of the container within the module or None, kind, callee or None, attributes to the receiver)
# The hooks hand it on; only where an event is written it is taken apart.
BETWEEN = "\x1f"
THERE = object()  # a key that the site tells


def site_text(site):
    file, line, column, function, key, path, kind, callee, chain = site
    attributes = "" if chain is None else "." + ".".join(chain)
    # The file comes last: its name may hold anything.
    return BETWEEN.join([str(line), str(column), function, key or "", path or "", kind or "", (callee or "").replace("…", "*"), attributes, file])


def site_of(text):
    line, column, function, key, path, kind, callee, attributes, file = text.split(BETWEEN, 8)
    chain = None if not attributes else tuple(attributes[1:].split(".")) if attributes != "." else ()
    return file, int(line), int(column), function, key or None, path or None, kind or None, callee.replace("*", "…") or None, chain


class Sites(dict):
    """The text of a site -> the site."""

    def __missing__(self, text):
        site = self[text] = site_of(text)
        return site


sites = Sites()
places = {}  # the text of a site -> the keys that tell of it in an event


def place_of(text):
    """The keys of an event that tell where in the code it happened."""
    place = places.get(text)
    if place is None:
        file, line, column, function = sites[text][:4]
        place = places[text] = f',"file":{quoted(file)},"line":{line},"column":{column},"function":{quoted(function)},"text":{quoted(line_of(file, line))}'
    return place


def within(chain, request):
    """The key of an event that tells the way within a value to its canary."""
    if not chain:
        return ""
    return ',"inner":' + to_json([[known(inner, request).number, text_of_key(at)] for inner, at in chain])


def text_or_null(text):
    return "null" if text is None else quoted(text)


def text_of_key(key):
    kind = type(key)
    if kind is str:
        return key[:80]
    if id(kind) in (id(int), id(bool), id(float), id(type(None))):
        return str(key)
    if kind is bytes:
        return key.decode("utf-8", "replace")[:80]
    if kind is tuple:
        return "(" + ", ".join([str(text_of_key(part)) for part in key[:8]])[:76] + ")"
    if kind is slice:
        return None
    return f"<{name_of_class(kind)} {known(key).number}>"


def is_local(value):
    """Whether a value is a thread-local."""
    return name_of(value) in ("_local", "local")


def container_number(container, found):
    """A thread-local holds other things in each thread, so it is another container in each."""
    if is_local(container):
        per_thread = found.number, native_id()
        greenlet = sys.modules.get("greenlet")
        if greenlet is not None and "gevent" in sys.modules:
            per_thread = found.number, known(greenlet.getcurrent()).number, 0
        number = locals_of_threads.get(per_thread)
        if number is None:
            number = locals_of_threads[per_thread] = next_number()
        return number
    return found.number


locals_of_threads = {}


def tell(event, kind, container, key, value, text, callee=None):
    """Writes a load or a store of a value that holds canaries; `text` is that of the site."""
    try:
        chain, site = [], sites[text]
        if key is THERE:
            key = site[4]
        if kind == "global":
            container = module_of(site[0])
        canaries = canaries_of(value, chain)
        if not canaries:
            if id(type(value)) in FUTURES:
                notice_future(event, kind, container, key, value, text, callee)
            return
        request = request_for(canaries)
        if futures and event == "load" and request is not None and not request.has(canaries):
            tell_futures(canaries, request)
        if event == "load" and request is not None and request.has(canaries):
            # The same again tells nothing new.
            if request.sees(text, id(value)):
                return
        if event == "load" and kind == "attribute":
            container = holder_of(container, key, value)
        tell_access(event, kind, container, key, value, text, site, callee, canaries, chain, request)
    except Exception:
        pass


def tell_access(event, kind, container, key, value, text, site, callee, canaries, chain, request, moment=None):
    """Writes the event of a load or a store, which happened at another `moment` if there is one."""
    try:
        found = known(container, request)
        container_told = found.told if kind != "closure" else None
        own_obj = "false"
        if container_told is None:
            path = path_of(container, found, site) if kind != "closure" else f"{shown_name(site[0])}.{outer_function(site[3], key)}.<closure> {key}"
            container_told = f',"obj":{container_number(container, found)},"type":{quoted(name_of(container))},"path":{text_or_null(path)}'
            if path is None:
                own_obj = "true" if request is not None and found.first_request == request.number else "false"
            elif kind != "closure" and not is_local(container):
                found.told = container_told  # it stays so: the path is that by which it was reached first
        of_key = "null" if key is None else quoted(key[:80]) if type(key) is str else text_or_null(text_of_key(key))
        told = f',"c":{array(canaries)}{container_told},"key":{of_key},"kind":"{kind}","own_obj":{own_obj}{places.get(text) or place_of(text)}'
        if chain:
            told += within(chain, request)
        if chain or id(type(value)) not in (TEXT, BYTES) or kind == "call" or kind == "contextvar":
            told += f',"value":{known(value, request).number}'
        if callee is THERE:
            callee = site[7]
        if callee is not None:
            told += f',"callee":{quoted(callee)}'
        if moment is None:
            writer.add(event, request, told)
        else:
            writer.add(event, request, told, when=moment[0], place=moment[1], runs=moment[2])
    except Exception:
        pass


# Futures and tasks that were stored or loaded before their results were known: told once somebody has got another's canary, which
# may have come out of one. Kept for some seconds.
futures = []
MOST_FUTURES, FUTURES_KEPT_NS = 128, 10_000_000_000


def notice_future(event, kind, container, key, future, text, callee):
    request = request_of_unit.get()
    if request is None:
        return
    now = now_ns()
    while futures and (len(futures) >= MOST_FUTURES or now - futures[0][0][0] > FUTURES_KEPT_NS):
        del futures[0]
    futures.append(((now, writer.next(), unit()), event, kind, container, key, future, text, callee, request))


def tell_futures(canaries, request):
    """Tells of those futures out of which came what is another's than the request's."""
    foreign = [canary for canary in canaries if canary not in request.names]
    for note in list(futures):
        moment, event, kind, container, key, future, text, callee, noticed_in = note
        try:
            if attribute_of(future, "_state") != "FINISHED":
                continue
            found = canaries_of(attribute_of(future, "_result"))
            if any([canary in foreign for canary in found]):
                futures.remove(note)
                site = sites[text]
                tell_access(event, kind, container, key, future, text, site, site[7] if callee is THERE else callee, found, None, noticed_in, moment)
        except Exception:
            pass




def holder_of(container, name, value):
    """The object that has an attribute: the instance, or the class that it was found in."""
    kind = type(container)
    if kind is types.ModuleType:
        return container
    classes = mro_of(container) if is_class(container) else mro_of(kind)
    if is_class(container):
        return next((base for base in classes if name in dict_of_class(base)), container)
    if name in (names_of(container) or ()):
        return container
    return next((base for base in classes if dict_of_class(base).get(name) is value), container)


def outer_function(function, name):
    return function.rpartition(".<locals>")[0] or function


# The hooks that are called most look at texts themselves. What a load gives that is the request's own tells nothing.


def attribute_load(value, container, site):
    """`container.key` was read."""
    kind = type(value)
    if kind is str:
        found = texts_seen.get(value)
        if found is None:
            found = in_text(value)
    elif id(kind) in PLAIN:
        return value
    else:
        found = holds(value)
    if found and ((request := request_of_unit.get()) is None or not request.has(found)):
        tell("load", "attribute", container, THERE, value, site)
    return value


def attribute_get(container, name, site, /):
    """`<expression>.key` is read."""
    value = getattr(container, name)
    if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
        tell("load", "attribute", container, name, value, site)
    return value


def item_load(value, container, key, site):
    """`container[key]` was read."""
    kind = type(value)
    if kind is str:
        found = texts_seen.get(value)
        if found is None:
            found = in_text(value)
    elif id(kind) in PLAIN:
        return value
    else:
        found = holds(value)
    if found and ((request := request_of_unit.get()) is None or not request.has(found)):
        tell("load", "item", container, key, value, site)
    return value


def item_get(container, key, site, /):
    """`<expression>[key]` is read."""
    value = container[key]
    if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
        tell("load", "item", container, key, value, site)
    return value


def global_load(value, site):
    kind = type(value)
    if kind is str:
        found = texts_seen.get(value)
        if found is None:
            found = in_text(value)
    elif id(kind) in PLAIN:
        return value
    else:
        found = holds(value)
    if found and ((request := request_of_unit.get()) is None or not request.has(found)):
        tell("load", "global", None, THERE, value, site)
    return value


def closure_load(value, cell, site):
    """A captured variable was read; `cell` is a function that captures the same variable."""
    if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
        try:
            tell("load", "closure", cell.__closure__[0], THERE, value, site)
        except Exception:
            pass
    return value


def default_load(value, site):
    """A parameter whose default is an object that all calls share."""
    if id(type(value)) not in PLAIN and id(type(value)) != TEXT and (found := holds(value)) and not only_own(found):
        tell("load", "default", value, None, value, site)
    return value


def local_load(value, site):
    """A local variable whose value is used as a whole."""
    kind = type(value)
    if kind is not str and id(kind) not in PLAIN and (found := holds(value)) and not only_own(found):
        tell("load", "local", value, None, value, site)
    return value


def attribute_store(value, container, site):
    """`container.key = value` comes next."""
    if id(type(value)) not in PLAIN and holds(value):
        tell("store", "attribute", container, THERE, value, site)
    return value


def item_store(value, container, key, site):
    kind = id(type(value))
    if kind in PLAIN and id(type(key)) in PLAIN:
        return value
    if holds(value):
        tell("store", "item", container, key, value, site)
    elif id(type(key)) not in PLAIN and holds(key):
        tell("store", "item", container, key, key, site)
    return value


def global_store(value, site):
    if id(type(value)) not in PLAIN and holds(value):
        tell("store", "global", None, THERE, value, site)
    return value


def closure_store(value, cell, site):
    if id(type(value)) not in PLAIN and holds(value):
        try:
            tell("store", "closure", cell.__closure__[0], THERE, value, site)
        except Exception:
            pass
    return value


class AttributeTarget:
    """Stands for `<expression>.key` as the target of an assignment; its `v` is that attribute."""

    __slots__ = ("to",)

    def __init__(self, container, name, site, kind="attribute"):
        set_slot(self, (container, name, site, kind))

    @property
    def v(self):
        container, name, site, kind = get_slot(self)
        value = getattr(container, name)
        if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
            tell("load", kind, container, name, value, site)
        return value

    @v.setter
    def v(self, value):
        container, name, site, kind = get_slot(self)
        setattr(container, name, value)
        if id(type(value)) not in PLAIN and holds(value):
            tell("store", kind, container, name, value, site)


set_slot, get_slot = AttributeTarget.to.__set__, AttributeTarget.to.__get__


class ItemTarget:
    """Stands for `<expression>[key]` as the target of an assignment."""

    __slots__ = ("to",)

    def __init__(self, container, key, site, kind="item"):
        set_item_slot(self, (container, key, site, kind))

    @property
    def v(self):
        container, key, site, kind = get_item_slot(self)
        value = container[key]
        if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
            tell("load", kind, container, key, value, site)
        return value

    @v.setter
    def v(self, value):
        container, key, site, kind = get_item_slot(self)
        container[key] = value
        item_store(value, container, key, site)


set_item_slot, get_item_slot = ItemTarget.to.__set__, ItemTarget.to.__get__

AUGMENTED = "augmented"


def augmented_attribute(container, name, site, /):
    return AttributeTarget(container, name, site, AUGMENTED)


def augmented_item(container, key, site, /):
    return ItemTarget(container, key, site, AUGMENTED)


# Methods by which containers are written and read. A call of one goes through `method_call`, which knows the receiver.
WRITERS = frozenset(
    "append appendleft extend extendleft insert add update setdefault put put_nowait set write writelines push send sendall asend"
    " setex hset rpush lpush publish enqueue save store register remember activate bind set_result send_nowait set_many __setitem__"
    " sendto add_header set_cookie execute executemany".split()
)
READERS = frozenset(
    "get pop popleft popitem get_nowait getvalue read readline readlines readuntil readexactly recv peek items values copy result fetch fetchone fetchall"
    " fetchmany lookup hget lpop rpop consume take dequeue __getitem__ receive get_many getlist most_common mget".split()
)
# Methods that call another function later, with arguments.
SCHEDULERS = frozenset("call_soon call_soon_threadsafe call_later call_at submit run_in_executor add_done_callback apply_async spawn".split())
SENDERS = frozenset("write writelines send sendall sendto".split())
CURSORS = frozenset("execute executemany fetchone fetchall fetchmany".split())
RECEIVERS = frozenset("read readline readuntil readexactly recv readlines".split())


PLAIN_READERS = READERS - WRITERS - RECEIVERS - CURSORS
VIEWS = {id(type({}.items())), id(type({}.values())), id(type({}.keys()))}


def has_own_events(receiver, name):
    """Whether a method is code of the application, so that what it does is told from inside."""
    for base in mro_of(type(receiver)):
        method = dict_of_class(base).get(name)
        if method is not None:
            if type(method) is not types.FunctionType:
                return False
            file = method.__code__.co_filename
            return file.startswith(APP + os.sep) and "site-packages" not in file
    return False


def connection_of(cursor):
    """The connection of a database cursor: what one writes, the other reads."""
    for base in mro_of(type(cursor)):
        found = dict_of_class(base).get("connection")
        if found is not None:
            if type(found) is types.MemberDescriptorType or type(found) is types.GetSetDescriptorType:
                return attribute_of(cursor, "connection") or cursor
            return cursor
    return cursor


def method_call(site, receiver, name, /, *args, **kwargs):
    """`receiver.name(...)`, where the name is one by which containers are written or read."""
    result = getattr(receiver, name)(*args, **kwargs)
    if name in PLAIN_READERS:
        return method_read(result, receiver, name, args, site)
    try:
        if name in RECEIVERS:
            received(result)
        if name in SENDERS:
            request = request_of_unit.get()
            if request is not None and args and id(type(args[0])) in (BYTES, BYTEARRAY):
                sent(request, args[0])
        if name in SCHEDULERS:
            tell_scheduled(site, args)
            return result
        kind = id(type(result))
        holding = () if kind in PLAIN and kind not in VIEWS else holds(receiver if kind in VIEWS else result)
        written = None
        if name in WRITERS:
            written = next((value for value in args[:4] if id(type(value)) not in PLAIN and holds(value)), None)
            if written is None and kwargs and holds(kwargs):
                written = kwargs
        if not holding and written is None or has_own_events(receiver, name):
            return result
        if name in CURSORS:
            receiver = connection_of(receiver)
        if written is not None:
            tell_write(site, receiver, name, args, written)
        if holding:
            tell_read(site, receiver, name, args, result, holding)
    except Exception:
        pass
    return result


def method_read(result, receiver, name, args, site):
    """The result of `receiver.name(*args)`, where the name is one by which containers are read, and nothing else."""
    try:
        kind = type(result)
        if kind is str:
            found = texts_seen.get(result)
            if found is None:
                found = in_text(result)
        elif id(kind) not in PLAIN:
            found = holds(result)
        elif id(kind) in VIEWS:
            found = holds(receiver)
        else:
            return result
        if found and not has_own_events(receiver, name):
            tell_read(site, receiver, name, args, result, found)
    except Exception:
        pass
    return result


def get_call(result, receiver, key, site):
    """The result of `receiver.get(key)`, or of another method by which containers are read, nothing else; `key` is the first
    argument, or None."""
    kind = type(result)
    if kind is str:
        found = texts_seen.get(result)
        if found is None:
            found = in_text(result)
        if not found:
            return result
    elif id(kind) in PLAIN and id(kind) not in VIEWS:
        return result
    try:
        if kind is str and type(receiver) is dict and only_own(found):
            return result
        return method_read(result, receiver, sites[site][4], (key,), site)
    except Exception:
        return result


def method_call_of_one(site, receiver, name, argument, /):
    """`receiver.name(argument)`, where the name is one by which containers are read, and nothing else."""
    result = getattr(receiver, name)(argument)
    kind = type(result)
    if id(kind) in PLAIN and id(kind) not in VIEWS:
        return result
    return method_read(result, receiver, name, (argument,), site)


def tell_scheduled(site, args):
    """`loop.call_later(1, queue.put_nowait, value)` is a store into the queue."""
    for place, function in enumerate(args):
        if (type(function) is types.MethodType or type(function) is types.BuiltinFunctionType) and type(function.__self__) is not types.ModuleType:
            if function.__name__ in WRITERS and holds(args[place + 1 :]):
                tell("store", "call", function.__self__, None, args[place + 1 :], site, THERE)


def tell_write(site, receiver, name, args, value):
    kind, key = "call", None
    if type(receiver) is ContextVar:
        kind = "contextvar"
    elif len(args) > 1 and name != "insert" and name not in CURSORS and id(type(args[0])) in (TEXT, id(int), BYTES, TUPLE):
        key = args[0]
    if type(receiver) is types.ModuleType:
        return tell_call(site, receiver, value if name in READERS else None, value)
    tell("store", kind, receiver, key, value, site, THERE)


def tell_read(site, receiver, name, args, result, holding):
    if id(type(receiver)) in BUILT_IN and only_own(holding) or id(type(result)) not in (TEXT, BYTES) and sites[site][6] == BASE:
        return
    if type(receiver) is types.ModuleType:
        return tell_call(site, receiver, result, None)
    kind = "contextvar" if type(receiver) is ContextVar else "call"
    key = args[0] if args and kind == "call" and id(type(args[0])) in (TEXT, id(int), BYTES, TUPLE) and name not in ("read", "recv") else None
    tell("load", kind, receiver, key, receiver if id(type(result)) in VIEWS else result, site, THERE)


def receiver_of(root, site):
    """The object that a method was called on (or the function), found again without running code of the application."""
    for name in site[8] or ():
        if type(root) is types.ModuleType:
            root = root.__dict__.get(name)
        elif name in (names_of(root) or ()):
            root = names_of(root)[name]
        elif name in plan_of(type(root))[4]:
            root = attribute_of(root, name)
        else:
            return None
    return root


def stateless(callee, site):
    """Whether what a callee gives tells nothing, if it holds only what is the request's own. Functions of the application have
    events of their own; those of C, of the standard library and classes keep nothing. Objects may."""
    kind = type(callee)
    if kind is not types.FunctionType and kind is not types.ModuleType and "." in site[7]:
        # A method of an object: what it is called on is at hand, not itself.
        name = site[7].rpartition(".")[2]
        callee = next((dict_of_class(base)[name] for base in mro_of(kind) if name in dict_of_class(base)), None)
        return type(callee) is types.FunctionType and callee.__code__.co_filename.startswith(APP) and "site-packages" not in callee.__code__.co_filename
    if kind is types.FunctionType:
        file = callee.__code__.co_filename
        if "site-packages" in file or callee.__closure__ is not None and not file.startswith(APP):
            return False
        return file.startswith(APP) or file.startswith(STANDARD_LIBRARY) and site[6] != "await"
    if kind is types.ModuleType:
        return "site-packages" not in (callee.__dict__.get("__file__") or "") and site[6] != "await"
    return kind is types.BuiltinFunctionType or is_class(callee)


def tell_call(text, callee, result, argument):
    try:
        chain, site = [], sites[text]
        canaries = canaries_of(result, chain) if result is not None else []
        of_arguments = canaries_of(argument) if argument is not None else []
        if not canaries and not of_arguments:
            return
        request = request_for(canaries or of_arguments)
        if futures and canaries and request is not None and not request.has(canaries):
            tell_futures(canaries, request)
        if canaries and request is not None and request.has(canaries):
            if request.sees(text, id(result)):
                return
        called = f',"callee":{quoted(site[7])},"callee_obj":{number_of(callee, request)},"obj":{number_of(result, request)},"type":{quoted(name_of(result))}'
        writer.add("call", request, f',"c":{array(canaries)},"args_c":{array(of_arguments)}{called}{place_of(text)}{within(chain, request)}')
    except Exception:
        pass


quiet_callees = {}  # the text of a site -> a function that it called and that keeps nothing


def call_result(result, root, site):
    """The result of a call, or of `await`."""
    kind = type(result)
    if kind is str:
        found = texts_seen.get(result)
        if found is None:
            found = in_text(result)
    elif id(kind) in PLAIN:
        return result
    else:
        if kind is bytes and not boundary_known:
            received(result)
        found = holds(result)
    if found:
        request = request_of_unit.get()
        own = request is not None and request.has(found)
        if not own or root is None or quiet_callees.get(site) is not root:
            tell_result(result, kind, root, site, own)
    return result


def tell_result(result, kind, root, text, own):
    try:
        site = sites[text]
        if site[6] == BASE and kind is not str and kind is not bytes:
            return
        callee = receiver_of(root, site) if root is not None else None
        if not (own and stateless(callee, site)):
            tell_call(text, callee, result, None)
        elif callee is root and (type(callee) is types.FunctionType and callee.__closure__ is None or type(callee) is types.ModuleType):
            quiet_callees[text] = callee
    except Exception:
        pass


def awaited_method(result, root, site):
    """The result of awaiting `receiver.name(...)`, where the name is one by which containers are read."""
    kind = id(type(result))
    if kind in PLAIN:
        return result
    if connections:
        take_over(root)
    try:
        if kind == BYTES and sites[site][4] in RECEIVERS:
            received(result)
        if holds(result):
            receiver = receiver_of(root, sites[site]) if root is not None else None
            if receiver is None or type(receiver) is types.ModuleType:
                tell_call(site, receiver, result, None)
            else:
                tell("load", "call", receiver, None, result, site, THERE)
    except Exception:
        pass
    return result


def get_attribute(site, container, name, /, *default):
    """`getattr(...)`"""
    value = getattr(container, name, *default)
    if id(type(value)) not in PLAIN and (found := holds(value)) and not only_own(found):
        tell("load", "attribute", container, name, value, site)
    return value


def set_attribute(site, container, name, value, /):
    """`setattr(...)`"""
    setattr(container, name, value)
    if id(type(value)) not in PLAIN and holds(value):
        tell("store", "attribute", container, name, value, site)


def next_of(site, iterator, /, *default):
    """`next(...)`"""
    value = next(iterator, *default)
    if id(type(value)) not in PLAIN and holds(value):
        tell("load", "call", iterator, None, value, site, "next")
    return value


HOOKS = {
    "_rp_la": attribute_load, "_rp_ga": attribute_get, "_rp_li": item_load, "_rp_gi": item_get, "_rp_lg": global_load,
    "_rp_lc": closure_load, "_rp_ld": default_load, "_rp_ll": local_load, "_rp_sa": attribute_store, "_rp_si": item_store, "_rp_sg": global_store,
    "_rp_sc": closure_store, "_rp_ta": AttributeTarget, "_rp_ti": ItemTarget, "_rp_aa": augmented_attribute, "_rp_ai": augmented_item,
    "_rp_m": method_call, "_rp_mr": get_call, "_rp_m1": method_call_of_one, "_rp_r": call_result, "_rp_w": awaited_method, "_rp_get": get_attribute, "_rp_set": set_attribute,
    "_rp_next": next_of, "_rp_in": received, "_rp_slice": slice,
}
