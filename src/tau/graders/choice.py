"""The choice grader: which of a few labels does the output settle on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.choosing import chosen as chosen_in
from tau.graders.deterministic import Deterministic
from tau.graders.excerpt import excerpt
from tau.graders.reference import no_reference, scalar_text

Label = Annotated[str, MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSettings:
    """Where the labels come from."""

    labels: Annotated[tuple[Label, ...], MinLen(2)] = ("A", "B", "C", "D")
    """What can be chosen; of a row that has a field of the name `field`, that instead."""
    field: str = "choices"
    """The row's field with its labels: a list of texts, or an object whose keys they are."""


class Choice(Deterministic[ChoiceSettings]):
    """1 if the output settles on the expected label.

    A label alone, an answer line ("Answer: B", boxed, tagged, JSON, in many languages), a choosing
    sentence ("I choose B", "B is correct"), or else the only label mentioned. What is denied,
    doubted, listed beside another label or taken back is not chosen, and a text that leaves doubt
    scores 0: nobody could act on such an answer. Of several answer lines the last one counts, if
    words stand between them. Labels of one letter are case-sensitive outside an answer line,
    because "a" is a word.
    """

    Settings: ClassVar[type[Any]] = ChoiceSettings

    def judge(self, example: Example, output: Output) -> Reward:
        labels = self._labels(example)
        expected = self._expected(example, labels)
        chosen = chosen_in(output.text, labels)
        if len(chosen) == 1:
            passed = chosen[0] == expected
            reason = f"chose {excerpt(chosen[0], 80)}"
            if not passed:
                reason = f"expected {excerpt(expected, 80)}, {reason}"
        else:
            passed = False
            found = " and ".join(excerpt(each, 40) for each in chosen[:5]) or "no choice"
            reason = (
                f"expected {excerpt(expected, 80)}, found {found}; end with one line "
                f'"Answer: <label>"; the output was {excerpt(output.text, 160)}'
            )
        return self.reward(1.0 if passed else 0.0, passed=passed, reason=reason)

    def check_reference(self, example: Example) -> None:
        self._expected(example, self._labels(example))

    def _labels(self, example: Example) -> tuple[str, ...]:
        given = example.fields.get(self.settings.field)
        if given is None:
            return self.settings.labels
        texts = [scalar_text(each) for each in given] if isinstance(given, list | tuple) else []
        if isinstance(given, dict):
            texts = list(given)
        labels = tuple(text.strip() for text in texts if text and text.strip())
        if len(labels) < 2 or len(labels) < len(texts):
            raise GraderFailed(
                f"the row's '{self.settings.field}' cannot be used",
                why="it is not a list of two or more texts",
                fix="give a list of labels, or an object with the labels as its keys",
            )
        return labels

    def _expected(self, example: Example, labels: Sequence[str]) -> str:
        expected: Json = example.expected
        text = scalar_text(expected)
        if text is None:
            raise no_reference(expected, "one of the labels")
        wanted = text.strip().casefold()
        for label in labels:
            if label.casefold() == wanted:
                return label
        raise GraderFailed(
            "the row's reference answer cannot be used",
            why=f"'expected' is {excerpt(text, 80)}, which is none of the labels",
            fix=f"use one of {', '.join(excerpt(label, 40) for label in labels[:10])}",
        )
