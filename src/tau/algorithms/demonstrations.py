"""Rows with right answers, written below an instruction.

They come from the rows that may be shown to a model, never from those that select or certify.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tau.algorithms.evidence import TriedExample, choose, input_text
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import PromptParseError, PromptTarget, edited, shown
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId
from tau.domain.placeholders import escaped
from tau.domain.rollout import RolloutKind, RolloutResult
from tau.errors import InputError

_USUAL = "system_prompt"
HEADING = "Examples, each an input and, after =>, the right output:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A row with its right answer."""

    example: Example
    answer: str

    def suits(self, target: PromptTarget) -> bool:
        """Whether the prompt is asked with this row: it has a prompt, or a column asked for."""
        fields = self.example.fields
        return self.example.prompt is not None or not target.placeholders.isdisjoint(fields)

    def text(self, target: PromptTarget) -> str:
        """As it is written into a prompt: when that is filled, exactly the row's own text."""
        asked = input_text(self.example, target.placeholders)
        return escaped(f"{asked}\n=> {self.answer}", target.template)


def demonstrable(
    examples: Iterable[Example], answers: Mapping[ExampleId, str]
) -> list[Demonstration]:
    """Those with an input and a right answer: what the row expects, else one that was right."""
    found = []
    for example in examples:
        expected = example.expected
        answer = expected if isinstance(expected, str) else answers.get(example.id)
        if answer is not None and isinstance(example.value, str | Mapping):
            found.append(Demonstration(example=example, answer=answer))
    return found


def longest(examples: Iterable[Example], count: int, targets: Sequence[PromptTarget]) -> int:
    """Bytes of the longest `count` demonstrations that may come of `examples`."""
    if not count:
        return 0
    known = demonstrable(examples, {example.id: "" for example in examples})
    sizes = sorted(
        (max(len(one.text(target).encode()) for target in targets) for one in known), reverse=True
    )
    return sum(sizes[:count])


def instructive(
    known: Sequence[Demonstration], failures: Sequence[TriedExample], seed: int, number: int = 0
) -> list[Demonstration]:
    """`known` in another order: what failed first, from as many modes of failure as there are.

    Among those of a mode, `number` draws.
    """
    failed = choose(failures, seed, "demonstrations", number, count=len(failures))
    place = {one.example: number for number, one in enumerate(failed)}
    return sorted(known, key=lambda one: place.get(one.example.id, len(place)))


def right_answers(results: Iterable[RolloutResult]) -> dict[ExampleId, str]:
    """What was said where it was wholly right and the row does not hold the answer itself."""
    return {
        example.id: one.output.text
        for one in results
        if one.request.kind is RolloutKind.EVALUATE
        and (example := one.request.example) is not None
        and not isinstance(example.expected, str)
        and one.output is not None
        and (one.score or 0) >= 1
    }


def demonstrating(
    base: Candidate,
    target: PromptTarget,
    demonstrations: Sequence[Demonstration],
    *,
    max_chars: int,
    heading: str = HEADING,
    generation: int,
) -> Candidate | None:
    """`base` with as many of `demonstrations` below it as fit; None where none does."""
    text = f"{shown(base.resources, target)}\n\n{heading}"
    taken: list[Demonstration] = []
    for one in demonstrations:
        longer = f"{text}\n\n{one.text(target)}"
        if one.suits(target) and len(longer) <= max_chars:
            text = longer
            taken.append(one)
    if not taken:
        return None
    try:
        resources = edited(base.resources, target, text, max_chars=max_chars)
    except PromptParseError:
        return None
    seen = [one.example.id for one in taken]
    return child(
        base, resources, origin="demonstrations", seen_examples=seen, generation=generation
    )


def variants(
    leader: Candidate,
    baseline: Candidate,
    target: PromptTarget,
    demonstrations: Sequence[Demonstration],
    *,
    most: int,
    max_chars: int,
    generation: int,
) -> list[Candidate]:
    """The leader with a quarter of the `most` demonstrations and with all, the baseline with all.

    Many demonstrations may need no instruction, and are better without one that is partly wrong.
    """
    made = [
        demonstrating(
            base, target, demonstrations[:count], max_chars=max_chars, generation=generation
        )
        for base, count in ((leader, -(-most // 4)), (leader, most), (baseline, most))
    ]
    return [one for one in made if one is not None]


def text_for_demonstrations(targets: Sequence[PromptTarget], setting: str) -> PromptTarget:
    """The prompt that demonstrations are written into: `system_prompt`, else the first text.

    Raises:
        InputError: all of them are lists of chat messages.
    """
    texts = [target for target in targets if target.roles is None]
    if not texts:
        raise InputError(
            "there is no text to put demonstrations into",
            where=setting,
            fix="demonstrations need a prompt that is a text, not a list of chat messages",
        )
    return next((one for one in texts if one.name == _USUAL), texts[0])
