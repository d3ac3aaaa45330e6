"""Resources: the named texts being used or optimized; immutable and known by their content."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.ids import ResourcesHash, RunId, version_id
from tau.domain.json import Json, canonical, content_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Named values, usually texts or lists of chat messages.

    `values` must not be changed after construction. `parent` is the candidate this one was made
    from; it is not part of the identity.
    """

    values: Mapping[str, Json]
    parent: ResourcesHash | None = None
    hash: ResourcesHash = field(init=False)

    def __post_init__(self) -> None:
        """Compute the identity once."""
        object.__setattr__(self, "hash", ResourcesHash(content_hash(dict(self.values))))

    @property
    def characters(self) -> int:
        """Of all values together, as they are written."""
        return sum(
            len(value) if isinstance(value, str) else len(canonical(value).decode())
            for value in self.values.values()
        )

    def text(self, name: str) -> str | None:
        """The resource `name` if it is a string, else None."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesVersion:
    """A publication: number (from 1), what was published, by which run, and when."""

    number: int
    resources: Resources
    run_id: RunId | None
    published_unix_ms: int
    latest: bool

    @property
    def id(self) -> str:
        """`resources-<number>`."""
        return version_id(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name that somebody pointed at a publication; `evidence` is what it was based on.

    An alias is never changed: pointing the name again makes a newer one, which counts from then on.
    """

    name: str
    version: ResourcesVersion
    principal: str
    set_unix_ms: int
    reason: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
