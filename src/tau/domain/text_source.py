"""Where a resource came from, and what of it may be changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tau.domain.json import Json

CHECK_LIMIT_S = 10.0

TextCheck = Callable[[str, str], str | None]
"""Of the name of a resource and a text for it: why the text cannot be used, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSource:
    """The origin of one resource.

    `path` is its file, relative to the configuration; empty where the document stands in it.
    `folder` is the folder it is part of, if any. `pointers` are the JSON pointers of the strings
    that may be changed, where the resource is a JSON document. `check` is the command that a new
    text must pass within `check_limit_s`. In what is not `filled` (code, skills, lists of tools),
    braces are text.
    """

    path: str = ""
    folder: str = ""
    pointers: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    check_limit_s: float = CHECK_LIMIT_S
    filled: bool = True

    @property
    def file_name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def to_json(self) -> dict[str, Json]:
        """Without what is not given."""
        found: dict[str, Json] = {}
        for name in ("path", "folder"):
            if value := getattr(self, name):
                found[name] = value
        if self.pointers:
            found["pointers"] = list(self.pointers)
        if self.check:
            found["check"] = list(self.check)
        return found


def sources_of(value: Json) -> dict[str, TextSource]:
    """The sources that `to_json` wrote, by the name of their resource."""
    if not isinstance(value, Mapping):
        return {}
    return {name: _source(each) for name, each in value.items() if isinstance(each, Mapping)}


def _source(value: Mapping[str, Json]) -> TextSource:
    return TextSource(
        path=str(value.get("path", "")),
        folder=str(value.get("folder", "")),
        pointers=_texts(value.get("pointers")),
        check=_texts(value.get("check")),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
