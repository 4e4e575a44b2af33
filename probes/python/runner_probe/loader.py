"""Gives rewritten code to the interpreter: for the application's own modules, and for a program started as `python app.py`.

All loaders of source files ask `SourceLoader.get_code`; that is where the code is exchanged, so specifications, loaders and
`python -m app` stay what they are. A script that is started by its path never reaches the import system, unless the path has
an importer, as a folder or an archive with a `__main__.py` has: so the script gets one, for as long as it takes to start it.
"""

import _imp
import builtins
import marshal
import os
import sys
from importlib import _bootstrap_external as external
from importlib.machinery import ModuleSpec, SourceFileLoader

import runner_probe as probe

# Anything below a folder of this name, and below a virtual environment, is not the application's own.
FOREIGN = {"site-packages", "dist-packages", "node_modules", ".venv", "venv", ".tox", ".nox", "__pypackages__"}
foreign_folders = {}
own_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
standard_library = os.path.dirname(os.path.realpath(os.__file__))


real_folders = {}


def real_path(path):
    """The path without symbolic links; each folder is looked at once."""
    folder, _, name = path.rpartition(os.sep)
    real = real_folders.get(folder)
    if real is None:
        real = real_folders[folder] = os.path.realpath(folder or ".")
    return f"{real}{os.sep}{name}"


def is_application(path):
    """Whether a file is the application's own."""
    if not path.endswith(".py") or not path.startswith(APP_FOLDER):
        return False
    return not is_foreign(path.rpartition(os.sep)[0])


APP_FOLDER = probe.APP if probe.APP.endswith(os.sep) else probe.APP + os.sep


def is_foreign(folder):
    found = foreign_folders.get(folder)
    if found is None:
        if len(folder) <= len(probe.APP):
            found = False
        elif os.path.basename(folder) in FOREIGN or folder in (standard_library, own_folder) or os.path.exists(folder + "/pyvenv.cfg"):
            found = True
        else:
            found = is_foreign(os.path.dirname(folder))
        foreign_folders[folder] = found
    return found


HOOKS = {probe.built_in(name): hook for name, hook in probe.HOOKS.items()}


class Keeper:
    """Puts the hooks among the built-in names when it is let go. At the end of a process the interpreter puts the built-in names
    back as they were when it began, and takes modules apart only then, which calls functions by `__del__`. As nothing but the
    built-in names refers to this object, it is let go just in between."""

    __slots__ = ()

    def __del__(self, names=vars(builtins), hooks=HOOKS):
        names.update(hooks)


def version():
    """What a cached code depends on beside its source: the interpreter, and how the probe rewrites."""
    with open(os.path.dirname(os.path.abspath(__file__)) + "/rewrite.py", "rb") as file:
        return sys.version.encode() + file.read() + repr((sorted(probe.WRITERS), sorted(probe.READERS), sorted(probe.SCHEDULERS))).encode()


VERSION = _imp.source_hash(0, version())


def cached(key):
    return f"{probe.CACHE}/{key}.code"


def rewritten(loader, path, file, script):
    """The rewritten code of a module and the names that it imports, from the cache if they are there. A file is known by its
    size and when it was changed, as for the interpreter's own cache; what a loader makes up, by its content."""
    source = None
    if type(loader).get_data is external.FileLoader.get_data:
        state = os.stat(path)
        version = b"%d %d" % (state.st_mtime_ns, state.st_size)
    else:
        version = source = bytes(loader.get_data(path))
    content = b"\0".join([VERSION, path.encode(), file.encode(), b"%d" % script, version])
    key = (_imp.source_hash(1, content) + _imp.source_hash(2, content)).hex()
    try:
        with open(cached(key), "rb", 0) as stored:
            return marshal.loads(stored.read())
    except (OSError, ValueError, EOFError, TypeError):
        pass
    code, imported = rewriter()(loader.get_data(path) if source is None else source, path, file, script)
    try:
        os.makedirs(probe.CACHE, 0o700, exist_ok=True)
        part = f"{cached(key)}.{os.getpid()}"
        with open(part, "wb") as stored:
            stored.write(marshal.dumps((code, imported)))
        os.replace(part, cached(key))
    except OSError:
        pass
    return code, imported


rewrite = None
loading = probe._thread.RLock()


def rewriter():
    """The function that rewrites; loaded when it is needed, as `ast` is large. The modules of the probe are not in `sys.modules`:
    see `start`."""
    global rewrite
    with loading:
        if rewrite is None:
            if probe.own_modules.keys() <= sys.modules.keys():
                raise ImportError("the rewriter itself is being loaded")
            import ast, warnings  # noqa: E401, F401

            sys.modules.update(probe.own_modules)
            # As for the rest of the probe: see `sitecustomize`.
            before = sys.dont_write_bytecode, sys.pycache_prefix
            sys.dont_write_bytecode, sys.pycache_prefix = False, None
            try:
                from runner_probe.rewrite import rewrite as found

                rewrite = found
            finally:
                sys.dont_write_bytecode, sys.pycache_prefix = before
                probe.hide()
    return rewrite


def code_of(name, path, loader, script=False):
    """The rewritten code of a module of the application; None if it has to run as it is."""
    try:
        real = real_path(path)
        if not is_application(real):
            return None
        begun = probe.now_ns()
        file = real[len(APP_FOLDER) :]
    except Exception:
        return None
    error = None
    probe.modules.setdefault(file, (name, real, frozenset()))
    try:
        code, imported = rewritten(loader, path, file, script)
        probe.modules[file] = (name, real, frozenset(imported))
    except (SyntaxError, OSError):
        return None  # the interpreter says so itself
    except Exception as failure:  # also RecursionError: an expression too deep to be rewritten
        code, error = None, f"{type(failure).__name__}: {failure}"[:200]
    told = f',"file":{probe.quoted(file)},"ms":{(probe.now_ns() - begun) // 10_000 / 100}'
    probe.writer.add("module", None, f'{told},"error":{probe.quoted(error)}' if error else told, at_once=False, when=begun)
    return code


original_get_code = external.SourceLoader.get_code


def get_code(self, fullname):
    try:
        path = self.get_filename(fullname)
        if type(path) is str and path.endswith(".py") and not path.startswith(standard_library + os.sep):
            code = code_of(fullname, path, self)
            if code is not None:
                return code
    except Exception:
        pass
    return original_get_code(self, fullname)


class ScriptLoader(SourceFileLoader):
    """Loads the program as `__main__`."""

    def get_code(self, fullname):
        script = self.path
        # The interpreter has put the path of the script first; a script finds its neighbours by its folder.
        try:
            if sys.path and sys.path[0] == self.entry:
                sys.path[0] = os.path.dirname(os.path.realpath(script))
                if getattr(sys.flags, "safe_path", False):
                    del sys.path[0]
            sys.path_importer_cache.pop(self.entry, None)
            if script_hook in sys.path_hooks:
                sys.path_hooks.remove(script_hook)
        except Exception:
            pass
        code = code_of("__main__", script, self, script=True)
        return code if code is not None else original_get_code(self, fullname)


class ScriptFinder:
    """Finds the program, and nothing else."""

    def __init__(self, entry):
        self.entry = entry

    def find_spec(self, name, target=None):
        if name != "__main__":
            return None
        loader = ScriptLoader("__main__", self.entry)
        loader.entry = self.entry
        spec = ModuleSpec("__main__", loader, origin=self.entry)
        spec.has_location = True
        return spec

    def invalidate_caches(self):
        pass


def script_hook(path):
    """An importer for the path of the script, and for no other."""
    try:
        if path == script_path or os.path.abspath(path) == script_path:
            return ScriptFinder(path)
    except Exception:
        pass
    raise ImportError


script_path = None


def install():
    global script_path
    vars(builtins).update(HOOKS)
    vars(builtins)[probe.built_in("_keeper")] = Keeper()
    external.SourceLoader.get_code = get_code
    argv = getattr(sys, "argv", None) or [""]
    if argv[0] not in ("", "-c", "-m", "-") and not getattr(sys.flags, "interactive", 0) and os.path.isfile(argv[0]):
        if is_application(os.path.realpath(argv[0])):
            script_path = os.path.abspath(argv[0])
            sys.path_hooks.insert(0, script_hook)
            sys.path_importer_cache.pop(argv[0], None)
            sys.path_importer_cache.pop(script_path, None)
