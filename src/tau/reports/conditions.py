"""Under which conditions a run measured: scores under the same ones may be put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.ids import RunId
from tau.domain.json import Json, content_hash
from tau.ports.insights import Measurement
from tau.ports.store import Store

_CONDITIONS = ("executor", "graders", "safety_reward", "keep_reasoning", "template")
_MODEL = ("model", "params")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a run measured: its model with parameters, and everything else that makes a score."""

    model: str
    model_hash: str
    rest: str

    @classmethod
    def of(cls, model: str | None, config: Mapping[str, Json]) -> "Conditions":
        """The conditions of a model's name and the meaning of a configuration."""
        return cls(
            model=model or "-",
            model_hash=content_hash({name: config.get(name) for name in _MODEL}),
            rest=content_hash({name: config.get(name) for name in _CONDITIONS}),
        )


async def conditions_of(
    store: Store, measured: Sequence[Measurement]
) -> Mapping[RunId, Conditions]:
    """The conditions of each run that measured."""
    found = {}
    for run_id in dict.fromkeys(one.run_id for one in measured):
        run = await store.runs.get(run_id)
        found[run_id] = Conditions.of(run.model_ref, run.config)
    return found


def each_once(measured: Sequence[Measurement]) -> list[Measurement]:
    """Without evaluations that one run took over from another, where that one's are there."""
    made = {_key(one) for one in measured if not one.reused}
    return [one for one in measured if not one.reused or _key(one) not in made]


def _key(one: Measurement) -> tuple[str, str, int]:
    return one.resources, one.example, one.replicate
