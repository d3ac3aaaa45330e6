"""The prompts that may be changed, as texts a model can read and write back."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tau.algorithms.front_matter import SKILL_FILE, broken_front_matter
from tau.domain.json import Json, canonical
from tau.domain.json_pointer import string_at, value_at, with_string
from tau.domain.placeholders import Template, foreign, literally, placeholders
from tau.domain.resources import Resources
from tau.domain.text_source import TextCheck, TextSource
from tau.errors import InputError

_MESSAGE = re.compile(r'<message role="(\w+)">\n(.*?)\n</message>', re.S)
_CLOSING = "</message>"


class PromptParseError(ValueError):
    """A text that cannot become the prompt; the message says why, to a model or a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTarget:
    """A named prompt. `roles` are those of its chat messages, None where it is one text.

    `placeholders` must be in every version of it, and no others may. `template` is how it asks for
    them, `columns` are those that rows have; in what is not `filled`, braces are text. It stands in
    the resource `resource`, by default of its own name, there at `pointer` in a JSON document.
    Where there is a `check`, it must find nothing wrong.
    """

    name: str
    placeholders: frozenset[str]
    roles: tuple[str, ...] | None = None
    template: Template = Template.PYTHON
    columns: frozenset[str] = frozenset()
    filled: bool = True
    resource: str = ""
    pointer: str = ""
    skill: bool = False
    check: TextCheck | None = None

    @property
    def place(self) -> str:
        """The name of the resource that holds it."""
        return self.resource or self.name

    def asked(self, text: str) -> frozenset[str]:
        """The placeholders of `text`."""
        return frozenset(placeholders(text, self.template)) if self.filled else frozenset()

    def foreign(self, text: str) -> Mapping[str, str]:
        """What asks for columns in another way, by the column."""
        return foreign(text, self.columns, self.template) if self.filled else {}

    def written(self, names: Iterable[str]) -> str:
        """Placeholders as they stand in the prompt."""
        return ", ".join(self.template.written(name) for name in sorted(names))


def targets_of(
    resources: Resources,
    wanted: Sequence[str] | None,
    template: Template = Template.PYTHON,
    columns: Collection[str] = (),
    sources: Mapping[str, TextSource] | None = None,
    check: TextCheck | None = None,
) -> tuple[PromptTarget, ...]:
    """The prompts named by `wanted`, or all that are texts or lists of chat messages.

    Of a JSON document with `sources` they are the strings that may be changed, all of them where
    the document is named.

    Raises:
        InputError: a name that stands for nothing of this kind, or nothing left.
    """
    found: list[PromptTarget] = []
    inside = _strings(resources, sources or {})
    for name in sorted(resources.values) if wanted is None else dict.fromkeys(wanted):
        strings = [one for one in inside if name in (one.name, one.resource)]
        source = (sources or {}).get(name)
        target = _target(name, resources.values.get(name), template, columns)
        if strings:
            found += strings
        elif target is not None:
            found.append(target if source is None else _sourced(target, source, check))
        elif wanted is not None:
            names = {*resources.values, *(one.name for one in inside)}
            known = ", ".join(sorted(names)) or "none"
            raise InputError(
                f"'{name}' is no prompt that can be optimized",
                where="algorithm.targets",
                why="it is missing, or neither a text nor a list of chat messages",
                fix=f"name some of the resources: {known}",
            )
    if not found:
        raise InputError(
            "there is no prompt to optimize",
            where="resources",
            fix="give 'resources' a text, as {'system_prompt': 'Answer with a number.'}",
        )
    return tuple(found)


def shown(resources: Resources, target: PromptTarget) -> str:
    """The prompt as text: itself, or its messages between markers."""
    value = resources.values[target.place]
    return string_at(value, target.pointer) if target.pointer else _text(value)


def surroundings(resources: Resources, target: PromptTarget) -> str:
    """The object that a string in a document stands in, as JSON; empty for everything else."""
    if not target.pointer:
        return ""
    above = target.pointer.rpartition("/")[0]
    return canonical(value_at(resources.values[target.place], above)).decode()


def proposed(resources: Resources, target: PromptTarget, text: str, *, max_chars: int) -> Resources:
    """As `edited`, for a text that a model has written.

    Where the prompt has no placeholders, `{label}` is text, unless rows have such a column.

    Raises:
        PromptParseError: also where it asks for columns in another way than the prompt, which would
            be sent as text.
    """
    before = target.foreign(shown(resources, target))
    for name, found in target.foreign(text).items():
        if name not in before:
            right = target.template.written(name)
            allowed = name in target.placeholders
            raise PromptParseError(
                f"'{found}' is no placeholder here and would be sent as text; "
                + (f"write '{right}'" if allowed else "leave it out")
            )
    if target.filled and not target.placeholders:
        meant = set(placeholders(text, target.template)) - target.columns
        text = literally(text, meant, target.template)
    return edited(resources, target, text, max_chars=max_chars)


def edited(resources: Resources, target: PromptTarget, text: str, *, max_chars: int) -> Resources:
    """`resources` with `text` (as `shown` would show it) in the place of the target.

    It begins and ends with the blanks of the old prompt.

    Raises:
        PromptParseError: as `replaced`.
    """
    text = text.strip()
    if target.roles is None:
        text = _with_edges_of(shown(resources, target), text)
    return replaced(resources, target, text, max_chars=max_chars)


def replaced(resources: Resources, target: PromptTarget, text: str, *, max_chars: int) -> Resources:
    """`resources` with exactly `text` in the place of the target.

    Raises:
        PromptParseError: too long, empty, other placeholders, or other messages.
    """
    if not text.strip():
        raise PromptParseError("it is empty")
    if len(text) > max_chars:
        raise PromptParseError(f"it has {len(text)} characters, and {max_chars} are allowed")
    found = target.asked(text)
    if missing := target.placeholders - found:
        raise PromptParseError(f"these placeholders are missing: {target.written(missing)}")
    if strange := found - target.placeholders:
        as_text = ", ".join(target.template.literal(name) for name in sorted(strange))
        raise PromptParseError(
            f"these placeholders were not in the prompt: {target.written(strange)}; "
            f"where the braces are meant as text, write {as_text}"
        )
    value: Json = text if target.roles is None else _messages(text, target.roles)
    before = shown(resources, target)
    if target.skill and (why := broken_front_matter(before, text)):
        raise PromptParseError(why)
    if target.pointer:
        value = with_string(resources.values[target.place], target.pointer, text)
    # Last, as it starts a program; what stood there before need not pass it again.
    if target.check is not None and text != before and (why := target.check(target.place, text)):
        raise PromptParseError(why)
    return Resources(values={**resources.values, target.place: value}, parent=resources.hash)


def _strings(resources: Resources, sources: Mapping[str, TextSource]) -> list[PromptTarget]:
    """The strings inside JSON documents that may be changed, as `name#pointer`."""
    return [
        PromptTarget(
            name=f"{name}#{pointer}",
            placeholders=frozenset(),
            filled=False,
            resource=name,
            pointer=pointer,
        )
        for name in sorted(sources)
        for pointer in sources[name].pointers
        if name in resources.values
    ]


def _sourced(target: PromptTarget, source: TextSource, check: TextCheck | None) -> PromptTarget:
    """`target` with what its source asks of it."""
    return replace(
        target,
        filled=source.filled,
        placeholders=target.placeholders if source.filled else frozenset(),
        skill=source.file_name == SKILL_FILE,
        check=check if source.check else None,
    )


def _with_edges_of(old: str, text: str) -> str:
    """`text` between the blanks that the old prompt begins and ends with."""
    if not old.strip():
        return text
    lead, trail = len(old) - len(old.lstrip()), len(old.rstrip())
    return old[:lead] + text + old[trail:]


def _target(
    name: str, value: Json, template: Template, columns: Collection[str]
) -> PromptTarget | None:
    roles = None if isinstance(value, str) else _roles(value)
    if roles is None and not isinstance(value, str):
        return None
    asked = frozenset(placeholders(_text(value), template))
    return PromptTarget(
        name=name,
        placeholders=asked,
        roles=roles,
        template=template,
        columns=asked.union(columns),
    )


def _roles(value: Json) -> tuple[str, ...] | None:
    """The roles of chat messages that can be shown and read back, None for anything else."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
        return None
    roles = []
    for message in value:
        if not isinstance(message, Mapping) or set(message) != {"role", "content"}:
            return None
        role, content = message["role"], message["content"]
        if not isinstance(role, str) or not isinstance(content, str) or _CLOSING in content:
            return None
        roles.append(role)
    return tuple(roles)


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    assert isinstance(value, Sequence)
    return "\n".join(
        f'<message role="{message["role"]}">\n{message["content"]}\n{_CLOSING}'
        for message in value
        if isinstance(message, Mapping)
    )


def _messages(text: str, roles: tuple[str, ...]) -> list[Json]:
    matches = list(_MESSAGE.finditer(text))
    if _MESSAGE.sub("", text).strip() or tuple(match[1] for match in matches) != roles:
        wanted = ", ".join(roles)
        raise PromptParseError(
            'every message must stand between <message role="..."> and </message>, '
            f"with the roles {wanted} in this order"
        )
    return [{"role": match[1], "content": match[2]} for match in matches]
