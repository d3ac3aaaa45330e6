"""Templates: everything that comes in from outside is shown as text, never as markup."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from tau.charts.curve import dot_key
from tau.charts.lineage import edge_key
from tau.charts.svg import Svg
from tau.domain.visible import shown
from tau.gateway import figures
from tau.gateway.static_files import address
from tau.reports.gain import partial_of
from tau.reports.wording import capital


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page's own part. `section` is what is marked in the navigation.

    `live` pages follow what they show. `run` is the run they are about, where there is one.
    """

    template: str
    title: str
    section: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False
    run: str | None = None


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template's text."""
    return environment().get_template(template).render(values)


@cache
def environment() -> Environment:
    """Autoescaping, strict about names, and every text made visible on its way out."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    made.filters |= {
        "score": figures.score,
        "interval": figures.interval,
        "signed": figures.signed,
        "count": figures.count,
        "counted": figures.counted,
        "ago": figures.ago,
        "capital": capital,
        "sentence": figures.sentence,
        "dollars": figures.dollars,
        "seconds": figures.seconds,
        "moment": figures.moment,
        "stamp": figures.stamp,
        "short": figures.short,
        "percent": figures.percent,
        "place": figures.place,
        "json": _pretty,
        "partial": partial_of,
    }
    made.globals["static"] = address
    made.globals["dot_key"] = dot_key
    made.globals["edge_key"] = edge_key
    return made


def _source(name: str) -> str | None:
    file = files("tau.gateway").joinpath("templates", name)
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _finalized(value: Any) -> Any:  # noqa: ANN401  (whatever a template puts out)
    if isinstance(value, Svg):
        return Markup(value)  # made by tau.charts, which escapes every text
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return shown(value)
    return "" if value is None else value


def _pretty(value: Any) -> str:  # noqa: ANN401  (any JSON)
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        return str(value)
