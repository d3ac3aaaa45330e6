"""What a proposer is shown of the examples a prompt was tried on."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tau.domain.dataset import Example
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId
from tau.domain.json import Json, canonical
from tau.domain.rollout import Output, RolloutResult

PIECES = 8
SUCCESSES = 2
"""Examples that go right, shown beside the failures."""
_OUTPUT_CHARS = 1_200
_FEEDBACK_CHARS = 800
_INPUT_CHARS = 4_000
_SAME_MODE = 0.5
_EXPLAINING = 4
"""Words, from which on feedback says more than that something is wrong."""
_TOKEN = re.compile(r"[^\W\d_]+(?![\w-]*\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedExample:
    """A candidate on an example: what it said, how that scored, what is to be learnt."""

    example: ExampleId
    score: float
    output: str
    feedback: str

    def to_json(self) -> Json:
        """For a checkpoint."""
        return [self.example, self.score, self.output, self.feedback]

    @classmethod
    def from_json(cls, value: Json) -> "TriedExample":
        """What `to_json` made; ValueError for anything else."""
        match value:
            case [str(example), int() | float() as score, str(output), str(feedback)]:
                return cls(
                    example=ExampleId(example), score=score, output=output, feedback=feedback
                )
        raise ValueError("this state holds an example of another shape")


def tried_example(result: RolloutResult) -> TriedExample | None:
    """What `result` teaches, None where it has no score."""
    example = result.request.example
    if example is None or result.score is None:
        return None
    output = "" if result.output is None else _said(result.output)
    said = [
        reward.feedback or reward.reason
        for reward in result.rewards
        if reward.passed is False or (reward.score is not None and reward.score < 1)
    ]
    feedback = "\n".join(dict.fromkeys(text.strip() for text in said if text.strip()))
    return TriedExample(
        example=example.id,
        score=result.score,
        output=excerpt(output, _OUTPUT_CHARS),
        feedback=excerpt(feedback, _FEEDBACK_CHARS),
    )


def modes(failures: Sequence[TriedExample]) -> tuple[tuple[TriedExample, ...], ...]:
    """Failures that seem to have one cause together, the commonest cause first.

    Two are of one mode where the words of their feedback (of their outputs, without feedback)
    mostly agree, numbers and names with numbers left out.
    """
    groups: list[tuple[frozenset[str], list[TriedExample]]] = []
    for failure in failures:
        words = frozenset(_TOKEN.findall((failure.feedback or failure.output).lower()))
        for known, members in groups:
            if _overlap(words, known) >= _SAME_MODE:
                members.append(failure)
                break
        else:
            groups.append((words, [failure]))
    groups.sort(key=lambda group: -len(group[1]))
    return tuple(tuple(members) for _, members in groups)


def choose(
    failures: Sequence[TriedExample], seed: int, *purpose: int | str, count: int = PIECES
) -> tuple[TriedExample, ...]:
    """Up to `count` failures, from as many modes as there are.

    Within a mode the worst come first; which of equals, is drawn by `purpose`.
    """
    decks = [
        sorted(
            mode,
            key=lambda one: (round(one.score, 2), uniform(seed, "evidence", *purpose, one.example)),
        )
        for mode in modes(failures)
    ]
    chosen: list[TriedExample] = []
    while len(chosen) < count and any(decks):
        for deck in decks:
            if deck and len(chosen) < count:
                chosen.append(deck.pop(0))
    return tuple(chosen)


def deal(
    failures: Sequence[TriedExample],
    seed: int,
    *purpose: int | str,
    hands: int,
    count: int = PIECES,
) -> list[tuple[TriedExample, ...]]:
    """`hands` times up to `count` failures, each from as many modes as there are.

    A hand goes on where the one before it ended, so that together they show as much as they can;
    where there are too few, hands share them.
    """
    order = choose(failures, seed, *purpose, count=len(failures))
    size = min(count, len(order))
    return [
        tuple(order[(hand * size + step) % len(order)] for step in range(size))
        for hand in range(hands)
    ]


def explained(tried: Sequence[TriedExample]) -> bool:
    """Whether the feedback says more of any of them than that it is wrong."""
    return any(len(_TOKEN.findall(one.feedback)) >= _EXPLAINING for one in tried)


def drawn(
    successes: Sequence[TriedExample],
    seed: int,
    *purpose: int | str,
    seen: Collection[ExampleId] = (),
    count: int = SUCCESSES,
) -> tuple[TriedExample, ...]:
    """Up to `count` of them, drawn by `purpose`.

    Those already `seen` come first: every row that is shown is lost for comparing candidates.
    """
    order = sorted(
        successes,
        key=lambda one: (
            one.example not in seen,
            uniform(seed, "success", *purpose, one.example),
        ),
    )
    return tuple(order[:count])


def described(
    tried: Sequence[TriedExample],
    examples: Mapping[ExampleId, Example],
    columns: frozenset[str] = frozenset(),
    *,
    first: int = 1,
) -> str:
    """The pieces one after the other, numbered from `first`: input and output.

    Where it was not right: its score, the expected answer and the feedback besides. `columns` are
    those that prompts ask for, or that are to be shown besides.
    """
    return "\n\n".join(
        _described(number, one, examples[one.example], columns)
        for number, one in enumerate(tried, start=first)
        if one.example in examples
    )


def standing(scores: Sequence[float]) -> str:
    """How a prompt does on the examples it was tried on, in a sentence."""
    right, seen = sum(score >= 1 for score in scores), len(scores)
    if all(score in (0, 1) for score in scores):
        return f"It does well on {right} of the {seen} examples it was tried on lately."
    perfect = f", and it is perfect on {right} of them" if right else ""
    return (
        f"On the {seen} examples it was tried on lately its mean score is "
        f"{fmean(scores):.2f} of 1{perfect}."
    )


def excerpt(text: str, most: int) -> str:
    """`text`, its middle left out where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    half = (most - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def input_text(example: Example, columns: Collection[str]) -> str:
    """What an example asks: its prompt, and each of `columns` by its name."""
    hidden = {"expected", "prompt"}
    others = {key: value for key, value in example.fields.items() if key not in hidden}
    wanted = {key: value for key, value in others.items() if key in columns}
    if not wanted:
        return example.prompt if example.prompt is not None else canonical(others).decode()
    if example.prompt is not None:
        wanted["prompt"] = example.prompt
    elif "messages" in others:
        wanted["messages"] = others["messages"]
    return "\n".join(f"{key}: {_written(value)}" for key, value in wanted.items())


def _described(number: int, tried: TriedExample, example: Example, columns: frozenset[str]) -> str:
    shown = excerpt(input_text(example, columns), _INPUT_CHARS)
    parts = [f"### Example {number}", f"Input:\n{shown}", f"Output:\n{tried.output}"]
    if tried.score >= 1:
        return "\n\n".join(parts)
    parts.append(f"Score: {tried.score:.3g} of 1" if tried.score > 0 else "Wrong.")
    expected = None if example.expected is None else _written(example.expected)
    if expected is not None and expected not in tried.feedback:
        parts.append(f"Expected:\n{excerpt(expected, _FEEDBACK_CHARS)}")
    if tried.feedback:
        parts.append(f"Feedback:\n{tried.feedback}")
    return "\n\n".join(parts)


def _said(output: Output) -> str:
    """The text of an output and, where there is one, its value."""
    if output.value is None:
        return output.text
    value = _written(output.value)
    if value in output.text:
        return output.text
    return f"{output.text}\n{value}".strip()


def _written(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    union = len(first | second)
    return len(first & second) / union if union else 1.0
