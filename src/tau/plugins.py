"""Names that stand for code: entry points, and functions a configuration names.

A module is imported only when its name is used, which also isolates optional dependencies.
"""

import hashlib
import importlib
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache, reduce
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from tau.errors import AttemptError, ExecutorFailed, PluginError, boundary

ALGORITHMS = "tau.algorithms"
EXECUTORS = "tau.executors"
GRADERS = "tau.graders"
MODELS = "tau.models"
STORES = "tau.stores"


@cache
def _table(group: str) -> dict[str, EntryPoint]:
    table: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        known = table.get(entry.name)
        built_in = entry.value.startswith("tau.")
        if known is None or built_in:  # a third party cannot replace a built-in by its name
            table[entry.name] = entry
    return table


def names(group: str) -> tuple[str, ...]:
    """Every name known in `group`, sorted; imports nothing."""
    return tuple(sorted(_table(group)))


def load(group: str, name: str) -> Any:  # noqa: ANN401  (the ports' plug-in protocols are its types)
    """The class that `name` stands for.

    Raises:
        PluginError: no such name (close ones are suggested), or its module cannot be imported.
    """
    what = "model provider" if group == MODELS else group.removeprefix("tau.").removesuffix("s")
    entry = _table(group).get(name)
    if entry is None:
        close = get_close_matches(name, names(group), n=3, cutoff=0.6)
        known = ", ".join(close or names(group)) or "none are installed"
        fix = f"did you mean {known}?" if close else f"known: {known}"
        raise PluginError(f"unknown {what} '{name}'", fix=fix)
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        raise PluginError(
            f"{what} '{name}' cannot be loaded",
            where=entry.value,
            why=str(error),
            fix=missing_fix(missing.partition(".")[0]),
        ) from error


EXTRAS = {
    "asyncpg": "postgres",
    "fastapi": "gateway",
    "genai_prices": "prices",
    "httptools": "gateway",
    "jinja2": "gateway",
    "jsonschema_rs": "schema",
    "uvicorn": "gateway",
    "ray": "ray",
}
"""What is imported only where it is used, and the extra that installs it."""


def is_installed(module: str) -> bool:
    """Whether `module` can be imported, as far as that shows without importing it."""
    return find_spec(module) is not None


def extra_module(module: str, *, user: str) -> ModuleType:
    """Import a module that is installed with an extra; `user` is what it is needed for.

    Raises:
        PluginError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise PluginError(
            f"{user} needs the package '{module}', which is not installed",
            fix=missing_fix(module),
        ) from error


def missing_fix(module: str) -> str:
    """How to install what provides `module`: an extra of Tau, or some other package."""
    extra = EXTRAS.get(module)
    if extra is None:
        return "install the package or extra that provides it"
    return f"install the extra '{extra}': pip install 'tau[{extra}]', or from a checkout: " + (
        f"pip install '.[{extra}]'"
    )


_OFFERED: dict[str, Callable[..., Any]] = {}
_OFFER = "object:"


def offer(function: Callable[..., Any], name: str) -> str:
    """Let `function` be found in this process alone; returns the target that names it.

    The same name again replaces what it stood for.
    """
    _OFFERED[_OFFER + name] = function
    return _OFFER + name


def spoken(target: str) -> str:
    """What people call the function that `target` names: an offered one by its own name."""
    if not target.startswith(_OFFER):
        return target
    return target.removeprefix(_OFFER).rpartition("-")[0] or target


def load_callable(target: str, base_dir: Path) -> Callable[..., Any]:
    """The function `pkg.mod:fn` or `path/file.py:fn` names; `fn` may be dotted (`Class.method`).

    A file is relative to `base_dir` and imported once per process. For modules, `base_dir` is put
    at the end of the import path, so that it can add modules but replace none.

    Raises:
        PluginError: not of that form, not found, failing while imported, or nothing to call.
    """
    if target in _OFFERED:
        return _OFFERED[target]
    if target.startswith(_OFFER):
        raise PluginError(
            f"'{target.removeprefix(_OFFER)}' exists only in the program that started the run",
            fix="go on with it from there, or name a function as 'package.module:function'",
        )
    place, colon, attribute = target.rpartition(":")
    if not colon or not place.strip() or not attribute.strip():
        raise PluginError(
            f"'{target}' names no function",
            fix="write 'package.module:function' or 'path/file.py:function'",
        )
    module = _file(target, base_dir / place) if place.endswith(".py") else _module(target, base_dir)
    try:
        found = reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        near = get_close_matches(attribute, [n for n in vars(module) if n[0] != "_"], n=3)
        raise PluginError(
            f"'{place}' has no '{attribute}'",
            where=target,
            fix=f"did you mean {', '.join(near)}?" if near else "check the name after the colon",
        ) from error
    if not callable(found):
        raise PluginError(
            f"'{target}' cannot be called: {type(found).__name__} is no function",
            fix="name a function after the colon",
        )
    return found


def _module(target: str, base_dir: Path) -> ModuleType:
    folder = str(base_dir.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    name = target.rpartition(":")[0]
    try:
        with boundary(ExecutorFailed, name):
            return importlib.import_module(name)
    except AttemptError as error:
        raise _not_imported(target, error, f"install it, or put it into {folder}") from error


def _file(target: str, path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise PluginError(f"no file '{path}'", where=target, fix="check the path before the colon")
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    name = f"tau_file_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:  # at the end: its neighbours can replace nothing
        sys.path.append(str(path.parent))
    spec = spec_from_file_location(name, path)
    assert spec is not None, "a .py file always has a loader"
    try:
        with boundary(ExecutorFailed, str(path)):
            return _execute(spec)
    except AttemptError as error:
        raise _not_imported(target, error, "put the file right") from error


def _execute(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)
    assert spec.loader is not None
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being executed
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]  # or the next look-up would find half a module
        raise
    return module


def _not_imported(target: str, error: AttemptError, fix: str) -> PluginError:
    return PluginError(f"'{target}' cannot be imported", why=error.why, fix=fix)
