"""Loaded by the interpreter before anything of the application: begins the probe if runner asks for it, then runs the
`sitecustomize` that the interpreter would have found without this one."""

import os
import sys


def begin():
    if not os.environ.get("RUNNER_PROBE_DIR") or not os.environ.get("RUNNER_PROBE_CANARY"):
        return
    try:
        # What the probe needs of the standard library is loaded as the application would load it.
        import atexit, importlib.machinery, itertools, re, types  # noqa: E401, F401

        # The byte code of the probe itself is kept beside it, in a folder of the run: it is compiled once.
        before = sys.dont_write_bytecode, sys.pycache_prefix
        sys.dont_write_bytecode, sys.pycache_prefix = False, None
        try:
            import runner_probe.start

            runner_probe.start.start()
        finally:
            sys.dont_write_bytecode, sys.pycache_prefix = before
    except Exception as error:
        if os.environ.get("RUNNER_PROBE_DEBUG"):
            import traceback

            traceback.print_exc()
        else:
            sys.stderr.write(f"runner's probe could not be loaded: {type(error).__name__}: {error}\n")


def run_next():
    """Runs the next `sitecustomize` on the path, as this module."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec and spec.loader:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


begin()
run_next()
