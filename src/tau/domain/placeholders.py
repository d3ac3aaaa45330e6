"""Placeholders in texts: what asks for a field of an example, and how braces are written as text.

Two habits are known. Where braces stand around a name, `python` takes `{name}` for a placeholder,
`mustache` takes `{{name}}`, with blanks inside or not, and `{{{name}}}`. In both, braces that are
all doubled once more are text: they lose half of them. Braces around anything but a simple name
(JSON, code, sets) are always text and stay as they are.
"""

import re
from collections.abc import Callable, Collection
from enum import StrEnum

_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
# From the start of a run of braces on, and possessive: linear on whatever a model may write.
_BRACED = re.compile(
    rf"(?<!\{{)(?P<open>\{{++)(?P<inner>(?P<blank>[ \t]*+)(?P<name>{_NAME})[ \t]*+)(?P<close>\}}++)"
)
_EXPRESSION = re.compile(r"\{\{([^{}\n]{1,200})\}\}|\{([^{}\n]{1,200})\}")
_SURELY_TEXT = 4
_WORD = re.compile(_NAME)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


class Template(StrEnum):
    """How a text asks for the fields of an example."""

    PYTHON = "python"
    MUSTACHE = "mustache"

    def written(self, name: str) -> str:
        """The placeholder for `name`."""
        return f"{{{name}}}" if self is Template.PYTHON else f"{{{{{name}}}}}"

    def literal(self, name: str) -> str:
        """How that very placeholder is written as text."""
        return escaped(self.written(name), self)


def placeholders(text: str, template: Template = Template.PYTHON) -> tuple[str, ...]:
    """The names `text` asks for, in order, each once."""
    found = (match["name"] for match in _BRACED.finditer(text) if _depth(match, template))
    return tuple(dict.fromkeys(found))


def filled(text: str, value: Callable[[str], str], template: Template = Template.PYTHON) -> str:
    """`text` with the value of each name, in one pass, and braces that are text as text."""

    def replacement(match: re.Match[str]) -> str:
        opened, closed = len(match["open"]), len(match["close"])
        if depth := _depth(match, template):
            return "{" * (opened - depth) + value(match["name"]) + "}" * (closed - depth)
        if _halved(match, template):
            return "{" * (opened // 2) + match["inner"] + "}" * (closed // 2)
        return match[0]

    return _BRACED.sub(replacement, text)


def doubled(text: str, template: Template = Template.PYTHON) -> bool:
    """Whether `text` holds doubled braces, which whoever fills it has to halve."""
    return any(_halved(match, template) for match in _BRACED.finditer(text))


def escaped(text: str, template: Template = Template.PYTHON) -> str:
    """What has to be written so that `filled` gives exactly `text`, whatever stands in it."""

    def replacement(match: re.Match[str]) -> str:
        if not _depth(match, template) and not _halved(match, template):
            return match[0]
        return f"{match['open'] * 2}{match['inner']}{match['close'] * 2}"

    return _BRACED.sub(replacement, text)


def literally(text: str, names: Collection[str], template: Template = Template.PYTHON) -> str:
    """`text` with the placeholders of `names` written as text, and all else as it stands."""

    def replacement(match: re.Match[str]) -> str:
        if match["name"] not in names or not _depth(match, template):
            return match[0]
        return escaped(match[0], template)

    return _BRACED.sub(replacement, text)


def foreign(text: str, names: Collection[str], template: Template) -> dict[str, str]:
    """What in `text` asks for one of `names` by another habit, by name: it would be sent as text.

    Such are `{{ name }}`, `{{ vars.name | upper }}` and `{name!r}` for `python`, `{name}` and
    `{{ name | upper }}` for `mustache`.
    """
    own = {
        match.span()
        for match in _BRACED.finditer(text)
        if _depth(match, template)
        or (_halved(match, template) and len(match["open"]) >= _SURELY_TEXT)
    }
    found: dict[str, str] = {}
    for match in _EXPRESSION.finditer(text):
        start, end = match.span()
        if any(first <= start and end <= last for first, last in own):
            continue
        doubled = match[1] is not None
        for name in _asked(match[1] if doubled else match[2], names, doubled=doubled):
            found.setdefault(name, match[0])
    return found


def _asked(expression: str, names: Collection[str], *, doubled: bool) -> list[str]:
    """The names an expression of a template language seems to ask for; JSON asks for none."""
    bare = _QUOTED.sub("", expression)
    if doubled:
        usual = re.fullmatch(r"\s*[&#^/>]?\s*[\w.\[\]\s|()+-]*", bare) is not None
        return [name for name in _WORD.findall(bare) if name in names] if usual else []
    named = re.fullmatch(rf"({_NAME})(![rsa])?(:[\w.<>^+,%-]*)?", bare)
    return [named[1]] if named and named[1] in names else []


def _depth(match: re.Match[str], template: Template) -> int:
    """How many braces on each side belong to the placeholder; 0 where it is text."""
    opened, closed = len(match["open"]), len(match["close"])
    if _halved(match, template):
        return 0
    if template is Template.PYTHON:
        return 1 if match["inner"] == match["name"] else 0
    if min(opened, closed) < 2:
        return 0
    return 3 if opened == closed == 3 else 2


def _halved(match: re.Match[str], template: Template) -> bool:
    """Whether all braces are doubled: they are text, half as many of them."""
    opened, closed = len(match["open"]), len(match["close"])
    if template is Template.PYTHON and match["inner"] != match["name"]:
        return False
    least = 2 if template is Template.PYTHON else 4
    return min(opened, closed) >= least and opened % 2 == closed % 2 == 0
