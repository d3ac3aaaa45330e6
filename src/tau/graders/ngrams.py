"""Likeness of texts by the character n-grams they share; no model is asked."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.graders.comparable import comparable
from tau.graders.deterministic import Deterministic
from tau.graders.excerpt import excerpt
from tau.graders.reference import reference_texts

_MOST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramSimilaritySettings:
    """How texts are compared."""

    longest: Annotated[int, Ge(1), Le(10)] = 6
    """N-grams of 1 up to so many characters count, each length alike."""
    recall_weight: Annotated[float, Ge(0.1), Le(10)] = 2.0
    """How much more it matters that the reference is there than that nothing else is."""
    casefold: bool = False
    """Ignore case, in every script."""
    pass_at: Annotated[float, Ge(0), Le(1)] | None = None
    """The least score that passes; without it, passing does not apply."""


class NgramSimilarity(Deterministic[NgramSimilaritySettings]):
    """chrF against the best fitting reference: 1 for the same text, blanks aside.

    The F score of precision and recall, each the mean over n-grams of 1 to 6 characters (Popovic,
    WMT 2015). Of longer texts the first 100,000 characters count.
    """

    Settings: ClassVar[type[Any]] = NgramSimilaritySettings

    def judge(self, example: Example, output: Output) -> Reward:
        references = reference_texts(example)
        said = self._grams(output.text)
        found = [self._alike(said, self._grams(each)) for each in references]
        best = max(range(len(found)), key=lambda i: found[i][0])
        score, precision, recall = found[best]
        pass_at = self.settings.pass_at
        closest = excerpt(references[best])
        return self.reward(
            score,
            passed=None if pass_at is None else score >= pass_at,
            reason=f"similarity {score:.2f} to {closest}",
            feedback=f"expected something like {closest}, got {excerpt(output.text)}",
            metrics={"precision": precision, "recall": recall},
        )

    def check_reference(self, example: Example) -> None:
        reference_texts(example)

    def _grams(self, text: str) -> list[Counter[str]]:
        text = comparable(text[:_MOST_CHARACTERS], form="NFC", casefold=self.settings.casefold)
        text = "".join(text.split())
        return [
            Counter(text[at : at + size] for at in range(len(text) - size + 1))
            for size in range(1, self.settings.longest + 1)
        ]

    def _alike(
        self, said: list[Counter[str]], expected: list[Counter[str]]
    ) -> tuple[float, float, float]:
        """F, precision and recall; lengths for which neither text is long enough do not count."""
        precisions, recalls = [], []
        for ours, theirs in zip(said, expected, strict=True):
            if not ours and not theirs:
                continue
            common = (ours & theirs).total()
            precisions.append(common / ours.total() if ours else 0.0)
            recalls.append(common / theirs.total() if theirs else 0.0)
        if not precisions:
            return 1.0, 1.0, 1.0
        precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
        weight = self.settings.recall_weight**2
        below = weight * precision + recall
        f = (1 + weight) * precision * recall / below if below else 0.0
        return min(1.0, f), precision, recall
