"""Rewrites files of the standard library and of installed packages, as a fuzz of the probe's rewriting.

    python3 tests/python/rewrite_stdlib.py              compiles every file; imports many, and compares their public names
    python3 tests/python/rewrite_stdlib.py FOLDER ...   compiles every file below these folders
    python3 tests/python/rewrite_stdlib.py --packages 2000      imports so many modules of the packages that this Python has installed
    python3 tests/python/rewrite_stdlib.py --tests      runs tests of the standard library with everything rewritten

With `--tests` each test module runs twice, as it is and rewritten, the modules that it tests included. Both must have the same
result, but for what `DIFFERENT` names with its reason.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBE = HERE.parents[1] / "probes/python"
LIBRARY = Path(os.__file__).resolve().parent

TESTS = """test_dataclasses test_contextlib test_contextlib_async test_generators test_asyncgen test_coroutines test_scope test_named_expressions
test_descr test_grammar test_augassign test_listcomps test_genexps test_setcomps test_dictcomps test_super test_property test_decorators test_class
test_functools test_collections test_enum test_fstring test_unpack test_unpack_ex test_extcall test_patma test_slice test_with test_raise
test_exceptions test_traceback test_keywordonlyarg test_positional_only_arg test_typing test_string test_textwrap test_json test_copy test_weakref
test_heapq test_itertools test_deque test_userdict test_global test_syntax test_compare test_abc test_contextvars test_context test_queue
test_threading_local test_asyncio.test_tasks test_asyncio.test_queues test_http_cookies test_httpservers test_wsgiref test_urlparse test_html
test_configparser test_argparse test_csv test_statistics test_fractions test_decimal test_datetime test_uuid test_shelve test_pprint test_logging""".split()

# What may differ, and why.
DIFFERENT = {
    r"test_generators test_(send|throw)_with_yield_from": "counts the frames of a traceback: that of a hook stands between",
    r"test_coroutines test_stack_in_coroutine_throw": "the same",
    r"test_descr test_slots ": "counts the objects of the garbage collector: what the probe knows of a class is one",
    r"test_traceback test_.*(caret|byte_offset).*": "the marks under a line show what the hook's call spans",
}

# Reading a module by itself has effects, or it is not for this machine.
NOT_IMPORTED = re.compile(
    r"(^|\.)(test|tests|idlelib|turtledemo|lib2to3|tkinter|turtle|antigravity|this|__main__|__phello__|msilib|_pyrepl|ensurepip|pip|setuptools"
    r"|winreg|nt|_osx_support|distutils|conftest|sitecustomize|asyncio\.windows.*|multiprocessing\.popen_spawn_win32|encodings\.(mbcs|oem|cp65001))(\.|$)"
)

RUN = """
import sys
sys.path.insert(0, {probe!r})
import os
os.environ["RUNNER_PROBE_DIR"], os.environ["RUNNER_PROBE_CANARY"] = {folder!r}, "zq[0-9a-z]{{19,195}}"
import runner_probe as probe
import runner_probe.start, runner_probe.loader as loader
probe.APP = {library!r}
loader.APP_FOLDER = {library!r} + os.sep
loader.standard_library = "/nowhere"
loader.is_application = lambda path: path.endswith(".py") and path.startswith({library!r}) and "runner_probe" not in path
if {rewritten}:
    start = runner_probe.start
    start.start()
    loader.rewriter()
    # What has been imported before is imported again, rewritten.
    for name in {again!r}:
        sys.modules.pop(name, None)
"""


def prelude(rewritten, folder, again=(), library=None):
    return RUN.format(probe=str(PROBE), folder=folder, library=str(library or LIBRARY), rewritten=rewritten, again=tuple(again))


def compile_all(roots):
    """Rewrites and compiles every file that compiles as it is."""
    os.environ.setdefault("RUNNER_PROBE_DIR", "/nonexistent")
    sys.path.insert(0, str(PROBE))
    from runner_probe.rewrite import rewrite

    done, wrong = 0, []
    for root in roots:
        for file in sorted(Path(root).rglob("*.py")):
            source = file.read_bytes()
            try:
                compile(source, str(file), "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                continue
            try:
                rewrite(source, str(file), file.name)
                done += 1
            except Exception as error:
                wrong.append((file, f"{type(error).__name__}: {error}"))
    return done, wrong


SHOW = """
import importlib
for name in sys.stdin.read().split():
    try:
        module = importlib.import_module(name)
        public = sorted(key for key in vars(module) if not key.startswith("__"))
        kinds = [type(vars(module)[key]).__name__ for key in public]
        print(name, hash_of(list(zip(public, kinds))))
    except BaseException as error:
        print(name, type(error).__name__, str(error)[:80].replace("\\n", " "))
"""
HASH = "import hashlib\nhash_of = lambda value: hashlib.md5(repr(value).encode()).hexdigest()\n"


def public_names(names, rewritten, library):
    """For each module what its public names come to, or the error of its import."""
    with tempfile.TemporaryDirectory() as folder:
        code = prelude(rewritten, folder, library=library) + HASH + SHOW
        environment = {**os.environ, "RUNNER_PROBE_DIR": "", "DISPLAY": ""}
        try:
            run = subprocess.run([sys.executable, "-c", code], input="\n".join(names), capture_output=True, text=True, timeout=280, cwd=folder, env=environment)
        except subprocess.TimeoutExpired:
            return {name: "too slow" for name in names}
    return dict(line.split(" ", 1) for line in run.stdout.splitlines() if " " in line)


def compare_packages(most):
    """Imports modules of the installed packages, those of one package in one process, as they are and rewritten."""
    folder = Path(sysconfig.get_path("purelib"))
    packages = {}
    for file in sorted(folder.rglob("*.py")):
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        if not NOT_IMPORTED.search(name) and all(part.isidentifier() for part in name.split(".")):
            packages.setdefault(name.split(".")[0], []).append(name)
    # Every package gets its turn.
    share = most / sum(map(len, packages.values()))
    count, failed, different = 0, 0, []
    for names in packages.values():
        names = names[:: max(1, round(1 / share))]
        plain, new = (public_names(names, rewritten, folder) for rewritten in (False, True))
        count += len(names)
        failed += sum(" " in plain.get(name, "not reached ") for name in names)
        different += [(name, plain.get(name), new.get(name)) for name in names if plain.get(name) != new.get(name)]
    print(f"{count} modules of {len(packages)} packages imported, {failed} of them cannot be; {len(different)} with other public names")
    for name, plain, new in different:
        print(f"  {name}: {plain} | {new}")
    return not different


def compare_imports():
    names = []
    for file in sorted(LIBRARY.rglob("*.py")):
        relative = file.relative_to(LIBRARY)
        if relative.parts[0] in ("site-packages", "test") or relative.parts[0].startswith("config-"):
            continue
        name = ".".join(relative.with_suffix("").parts)
        name = name[: -len(".__init__")] if name.endswith(".__init__") else name
        if not NOT_IMPORTED.search(name):
            names.append(name)
    plain, new = (public_names(names, rewritten, LIBRARY) for rewritten in (False, True))
    return len(names), [(name, plain.get(name), new.get(name)) for name in names if plain.get(name) != new.get(name)]


RESULT = """
import unittest, importlib, warnings
warnings.simplefilter("ignore")
from test import support
module = importlib.import_module("test." + {name!r})
suite = unittest.defaultTestLoader.loadTestsFromModule(module)
result = unittest.TextTestRunner(verbosity=0, stream=open(os.devnull, "w")).run(suite)
bad = sorted({{str(test) for test, _ in result.failures + result.errors}})
print("RESULT", result.testsRun, len(result.skipped))
for line in bad:
    print("BAD", line)
if {show}:
    for test, text in result.failures + result.errors:
        print(test, text)
"""

AGAIN = """dataclasses contextlib functools collections enum typing string textwrap json json.decoder json.encoder json.scanner copy weakref heapq abc
queue http.cookies urllib.parse html html.parser configparser argparse csv statistics fractions decimal _pydecimal datetime _pydatetime uuid shelve
pprint logging traceback linecache""".split()
# Replacing these in a running interpreter breaks it, rewritten or not: the first import stays.
AGAIN = [name for name in AGAIN if name not in ("abc", "weakref", "enum", "functools", "collections", "contextlib", "typing", "traceback", "linecache", "string", "copy", "json", "json.decoder", "json.encoder", "json.scanner")]


def run_test(name, show=False):
    results = []
    for rewritten in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            code = prelude(rewritten, folder, AGAIN) + RESULT.format(name=name, show=show and rewritten)
            try:
                run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=folder, env={**os.environ, "RUNNER_PROBE_DIR": ""})
                lines = run.stdout.splitlines()
                if show and rewritten:
                    print(run.stdout[-6000:], run.stderr[-3000:])
                results.append(([line for line in lines if line.startswith("RESULT")], {line[4:] for line in lines if line.startswith("BAD")}, run.stderr[-300:]))
            except subprocess.TimeoutExpired:
                results.append((["timeout"], set(), ""))
    return results


def run_tests(names):
    same, wrong = 0, []
    for name in names:
        if not (LIBRARY / "test" / (name.replace(".", "/") + ".py")).exists() and not (LIBRARY / "test" / name).is_dir():
            continue
        plain, new = run_test(name)
        expected = {test for test in new[1] - plain[1] if any(re.search(pattern, f"{name} {test}") for pattern in DIFFERENT)}
        if plain[0] == new[0] and not new[1] - plain[1] - expected:
            same += 1
            print(f"same       {name}: {plain[0]}, {len(plain[1])} bad{f', {len(expected)} differ as listed' if expected else ''}")
        else:
            wrong.append(name)
            print(f"DIFFERENT  {name}: {plain[0]} {new[0]} {new[2] if not new[0] else ''}")
            for test in sorted(new[1] - plain[1] - expected):
                print(f"             {test}")
        sys.stdout.flush()
    print(f"{same} of {same + len(wrong)} test modules have the same result")
    return not wrong


def main():
    if sys.argv[1:2] == ["--show"]:
        return run_test(sys.argv[2], show=True)
    if sys.argv[1:2] == ["--packages"]:
        return compare_packages(int(sys.argv[2]))
    if sys.argv[1:2] == ["--tests"]:
        return run_tests(sys.argv[2:] or TESTS)
    done, wrong = compile_all(sys.argv[1:] or [LIBRARY])
    print(f"{done} files rewritten and compiled, {len(wrong)} not")
    for file, error in wrong:
        print(f"  {file}: {error}")
    count, different = compare_imports() if not sys.argv[1:] else (0, [])
    print(f"{count} modules imported, {len(different)} with other public names")
    for name, plain, new in different:
        print(f"  {name}: {plain} | {new}")
    return not wrong and not different


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
