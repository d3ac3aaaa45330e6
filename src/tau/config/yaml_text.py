"""YAML, read as JSON with less punctuation: no types but JSON's, no surprises.

A plain scalar is null (`null`, `~` or nothing), `true`, `false`, a number as JSON writes it, or
else text: `no`, `on`, `2024-01-01`, `12:30`, `0123` and `1_000` are the text that stands there.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tau.config.report import Issue, JsonPath, ParsedText, ParseError
from tau.config.values import MAX_DEPTH, TOO_DEEP, issues

MAX_VALUES = 5_000_000
"""Values in one document, those behind aliases counted wherever they are used."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_TAG = "tag:yaml.org,2002:"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str) -> ParsedText:
    """The document in `text`.

    Raises:
        Unusable: it is not YAML, not one document, or uses what JSON has not.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "unreadable"
        last = text.count("\n") + 1  # the parser's end may be a line further on
        line = min(mark.line + 1, last) if mark else None
        raise ParseError(f"not YAML: {why}", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ParseError(f"not YAML: {error.reason}", line=line) from None
    except yaml.YAMLError as error:
        raise ParseError(f"not YAML: {error}") from None
    if not builder.documents:
        raise ParseError("not YAML: it is empty", line=1)
    return ParsedText(
        value=builder.root, issues=(*builder.issues, *issues(builder.root)), locate=builder.locate
    )


@dataclass(slots=True)
class _Open:
    """A list or object that has not ended yet."""

    value: Any
    line: int
    steps: JsonPath
    anchor: str | None = None
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    size: int = 1


class _Builder:
    """Makes the value from events, without recursion."""

    def __init__(self) -> None:
        self.root: Any = None
        self.documents = 0
        self.issues: list[Issue] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self._lines: dict[JsonPath, int] = {}

    def locate(self, wanted: Collection[JsonPath]) -> Mapping[JsonPath, int]:
        """Lines of `wanted` values; those behind an alias are where the alias is."""
        return {steps: self._lines[steps] for steps in wanted if steps in self._lines}

    def take(self, event: yaml.Event) -> None:
        """Fold one event in."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise ParseError("holds more than one YAML document", line=line)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._key_next():
            self._key(event, line)
            return
        value = self._resolved(event, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._place(value, line, 1)

    def _key(self, event: yaml.ScalarEvent, line: int) -> None:
        """A key is the text that stands there, whatever it would be as a value."""
        parent, key = self._open[-1], event.value
        if key == "<<" and event.implicit[0]:
            raise ParseError("merge keys ('<<') are not supported", line=line, fix="write them out")
        if key in parent.keys:
            message = f"key '{key}' is given twice, on lines {parent.keys[key]} and {line}"
            steps = (*parent.steps, key)
            self.issues.append(
                Issue(steps=steps, message=message, fix="keep one of them", line=line)
            )
        parent.keys.setdefault(key, line)
        parent.key = key
        self._lines.setdefault((*parent.steps, key), line)

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        name = event.anchor
        if self._key_next():
            raise ParseError("a key must be plain text, not an alias", line=line)
        if name not in self._anchors:
            within = any(each.anchor == name for each in self._open)
            what = "refers to what contains it" if within else "refers to nothing before it"
            raise ParseError(f"alias '*{name}' {what}", line=line)
        value, size = self._anchors[name]
        self._place(value, line, size)

    def _start(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if self._key_next():
            raise ParseError("a key must be plain text, not a list or object", line=line)
        if len(self._open) >= MAX_DEPTH:
            raise ParseError(TOO_DEEP, line=line)
        mapping = isinstance(event, yaml.MappingStartEvent)
        usual = _TAG + ("map" if mapping else "seq")
        if event.tag not in (None, "!", usual):
            raise ParseError(f"tag '{event.tag}' is not JSON", line=line, fix="leave the tag out")
        steps = self._steps()
        opened = _Open(value={} if mapping else [], line=line, steps=steps, anchor=event.anchor)
        self._open.append(opened)

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.size)
        self._place(done.value, done.line, done.size, counted=True)

    def _place(self, value: Any, line: int, size: int, *, counted: bool = False) -> None:  # noqa: ANN401
        if not counted:
            self._values += size
            if self._values > MAX_VALUES:
                raise ParseError(f"holds more than {MAX_VALUES} values", line=line)
        self._lines.setdefault(self._steps(), line)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.size += size
        if parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None
        else:
            parent.value.append(value)

    def _steps(self) -> JsonPath:
        """The way to the value that comes next."""
        if not self._open:
            return ()
        parent = self._open[-1]
        step = parent.key if parent.key is not None else len(parent.value)
        return (*parent.steps, step)

    def _key_next(self) -> bool:
        return (
            bool(self._open)
            and isinstance(self._open[-1].value, dict)
            and (self._open[-1].key is None)
        )

    def _resolved(self, event: yaml.ScalarEvent, line: int) -> Any:  # noqa: ANN401
        tag, text = event.tag, event.value
        if tag in ("!", _TAG + "str") or (tag is None and not event.implicit[0]):
            return text
        if tag is not None and tag.removeprefix(_TAG) not in {"int", "float", "bool", "null"}:
            raise ParseError(f"tag '{tag}' is not JSON", line=line, fix="leave the tag out")
        if _NO_NUMBER.match(text):
            message = f"'{text}' is not a number that JSON can hold"
            fix = "write a finite number, or put it in quotes to make it text"
            self.issues.append(Issue(steps=self._steps(), message=message, fix=fix, line=line))
            return None
        return _plain(text)


def _plain(text: str) -> Any:  # noqa: ANN401
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text) if len(text) <= 21 else 2**64
    return float(text) if _FLOAT.match(text) else text
