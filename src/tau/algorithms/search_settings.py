"""What every search can be told, and what makes a state belong to it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from tau.domain.json import Json, content_hash
from tau.domain.placeholders import Template
from tau.ports.algorithm import Problem

TemplateName = Literal["reflect", "critique", "edit", "paraphrase", "crossover", "repair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """What every search can be told.

    `targets` are the names of the prompts to optimize, by default all that are texts or lists of
    chat messages; `max_chars` bounds each of them. `evaluations` and `proposals` are the most that
    are made, within the budget. `certification` is the number of rows that certify. `effect` is
    the smallest gain that matters. `templates` replace what a reflection model is told. `columns`
    are columns that it is shown of a row beside the prompt and those that the prompts ask for.
    """

    targets: tuple[str, ...] | None = None
    max_chars: Annotated[int, Ge(100)] = 12_000
    evaluations: Annotated[int, Ge(1)] | None = None
    proposals: Annotated[int, Ge(0)] | None = None
    certification: Annotated[int, Ge(0)] | None = None
    alpha: Annotated[float, Gt(0), Lt(0.5)] = 0.05
    effect: Annotated[float, Gt(0), Lt(1)] = 0.05
    templates: Mapping[TemplateName, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


def fingerprint(settings: SearchSettings, problem: Problem) -> str:
    """A hash of all that a state depends on: everything but the budget, which may be raised."""
    told = asdict(settings)
    del told["evaluations"], told["proposals"]
    if not told["columns"]:
        del told["columns"]  # states from before it was a setting still belong to it
    if problem.template is not Template.PYTHON:
        told["template"] = problem.template.value
    return content_hash(
        [
            problem.seed_resources.hash,
            {str(split): [one.id for one in rows] for split, rows in problem.examples.items()},
            problem.seed,
            problem.graders,
            problem.model,
            _plain(told),
            *_claimed(problem),
        ]
    )


def _claimed(problem: Problem) -> Iterator[Json]:
    """What rows belong to and what is claimed, where anything is said."""
    if not problem.claim.usual:
        yield problem.claim.to_json()
    rows = [one for split in problem.examples.values() for one in split]
    if any(one.group is not None for one in rows):
        yield [one.unit for one in rows]


def _plain(value: Any) -> Json:  # noqa: ANN401  (a settings object as a dict)
    """Tuples as lists: what canonical JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    plain: Json = value
    return plain
