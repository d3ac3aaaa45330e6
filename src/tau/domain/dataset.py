"""Examples: the rows of a dataset, known by split, content and occurrence."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tau.domain.ids import ExampleId
from tau.domain.json import Json, content_hash
from tau.domain.quick import quickly_made

ROW_KEY_DIGITS = 12
JUDGED_OUTPUT = "output_to_judge"
"""The field of a row whose output is given, so that only the judge of it works."""
_OBJECT = (dict, Mapping)  # asking for a Mapping alone takes twenty times as long


class Split(StrEnum):
    """What a row is for: making proposals, selecting, or certifying the winner."""

    OPTIMIZE = "optimize"
    VALIDATE = "validate"
    TEST = "test"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row. `value` is what the dataset holds: a string, or an object with a string `prompt`.

    Anything else is kept as it is; executing it fails as an invalid example. `group` is what the
    row belongs to (a document, a customer), `given` a hash of what the model is given of it: both
    are the configuration's view of the row, None where it has none, and no part of its identity.
    """

    id: ExampleId
    split: Split
    value: Json
    group: str | None = field(default=None, compare=False)
    given: str | None = field(default=None, compare=False)

    @property
    def content(self) -> str:
        """The hash of the row, the same in any split."""
        return content_of(self.id)

    @property
    def same(self) -> str:
        """By what rows are known that ask the same, in any split."""
        return self.given or self.content

    @property
    def row_keys(self) -> tuple[str, ...]:
        """By any of which a later run knows a row again that carried a claim."""
        found = (self.content, self.same)
        return tuple(dict.fromkeys(one[:ROW_KEY_DIGITS] for one in found))

    @property
    def unit(self) -> str:
        """What rows that are not independent have in common: their group, else that they are equal.

        The unit of every division and of every test.
        """
        return self.same if self.group is None else f"group:{self.group}"

    @property
    def prompt(self) -> str | None:
        """The user's text, or None where the row has none."""
        value = self.value
        if isinstance(value, str):
            return value
        prompt = value.get("prompt") if isinstance(value, _OBJECT) else None
        return prompt if isinstance(prompt, str) else None

    @property
    def expected(self) -> Json:
        """The reference answer of any JSON type, or None."""
        value = self.value
        return value.get("expected") if isinstance(value, _OBJECT) else None

    @property
    def fields(self) -> Mapping[str, Json]:
        """Every named value of the row; a plain string is its `prompt`."""
        return self.value if isinstance(self.value, Mapping) else {"prompt": self.value}


def content_of(identity: ExampleId) -> str:
    """The hash of a row, which its id holds between split and occurrence."""
    return identity.split(":")[1]


def twins_of(identity: ExampleId) -> str:
    """What the ids of equal rows of a split have in common, and of no others."""
    return identity.rpartition(":")[0] or identity


def examples(split: Split, rows: Iterable[Json]) -> tuple[Example, ...]:
    """Give the rows of one split their identities, in order; equal rows are different examples."""
    seen: Counter[str] = Counter()
    made = []
    for value in rows:
        digest = content_hash(value)
        seen[digest] += 1
        identity = ExampleId(f"{split}:{digest[:32]}:{seen[digest]}")
        made.append(Example(id=identity, split=split, value=value))
    return tuple(made)
