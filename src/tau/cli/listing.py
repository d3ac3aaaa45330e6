"""The names a configuration may use, as the installed plug-ins declare them."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tau import plugins
from tau.cli.records.reading import print_json, print_table
from tau.cli.surface import Exit
from tau.cli.text import Column
from tau.config.environment import snapshot
from tau.errors import PluginError
from tau.models.providers import PROVIDERS


def list_graders(*, as_json: bool) -> int:
    """Print every grader with its settings."""
    return _print(plugins.GRADERS, "grader", _settings, as_json=as_json)


def list_models(*, as_json: bool) -> int:
    """Print every provider; of keys only whether their variable is set."""
    environ = snapshot()
    return _print(
        plugins.MODELS, "provider", lambda name: _provider(name, environ), as_json=as_json
    )


_COLUMNS = {
    "settings": Column(name="settings", least=24, wrap=True),
    "about": Column(name="about", least=30, wrap=True),
    "address": Column(name="address", least=24, wrap=True),
    "key": Column(name="key", least=20, wrap=True),
    "key_set": Column(name="key set"),
}


def _print(
    group: str, noun: str, describe: Callable[[str], Mapping[str, Any]], *, as_json: bool
) -> int:
    """One row for each name in `group`."""
    described = {name: describe(name) for name in plugins.names(group)}
    if as_json:
        print_json([{"name": name, **fields} for name, fields in described.items()])
        return Exit.OK
    names = list(dict.fromkeys(key for fields in described.values() for key in fields))
    rows = [
        (name, *(_cell(fields.get(column)) for column in names))
        for name, fields in described.items()
    ]
    header = [Column(name=noun), *(_COLUMNS[name] for name in names)]
    print_table(header, rows, f"{noun}s")
    return Exit.OK


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)


def _settings(name: str) -> dict[str, Any]:
    try:
        grader = plugins.load(plugins.GRADERS, name)
    except PluginError as error:
        return {"settings": [], "about": str(error)}
    settings = [field.name for field in dataclasses.fields(grader.Settings)]
    about = (inspect.getdoc(grader) or "").partition("\n")[0]
    return {"settings": settings, "about": about}


def _provider(name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    provider = PROVIDERS.get(name)
    if provider is None:
        return {"address": None, "key": [], "key_set": None}
    found = any(environ.get(variable) for variable in provider.key_variables)
    known = "yes" if found else "no" if provider.key_needed else "not needed"
    return {"address": provider.base_url, "key": list(provider.key_variables), "key_set": known}
