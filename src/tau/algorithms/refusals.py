"""Answers of a reflection model that were no clean proposals, each with its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tau.domain.json import Json
from tau.domain.rollout import RolloutResult
from tau.ports.algorithm import UNANSWERED_PROPOSALS

_REASON_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Answers that could not be used, and those that were taken with a note, by rollout.

    `lost` counts proposals that came to nothing: a repair that could be used saves its proposal.
    `last` is the reason of the last one. `unanswered` of those lost got no answer at all.
    Displays read `unusable` and `noted` in a checkpoint.
    """

    lost: int = 0
    last: str = ""
    unanswered: int = 0
    unusable: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)

    def refusing(self, result: RolloutResult, why: str, *, lost: bool) -> "Refusals":
        """`result` could not be used; `lost`: and nothing more is asked for in its place."""
        why = why[:_REASON_CHARS]
        unusable = {**self.unusable, _name(result): why}
        return replace(
            self,
            unusable=unusable,
            lost=self.lost + lost,
            last=why,
            unanswered=self.unanswered + (result.failure is not None),
        )

    def noting(self, result: RolloutResult, what: str) -> "Refusals":
        """`result` was used, though not as it should have been."""
        return replace(self, noted={**self.noted, _name(result): what})

    @property
    def summary(self) -> str:
        """The reasons with their counts in one line, '' where there are none."""
        return "; ".join(f"{count} x {why}" for why, count in _counted(self.unusable).items())

    def report(self) -> Mapping[str, Json]:
        """As evidence: the reasons with how many answers each, the most frequent first."""
        return {
            "failed_proposals": self.lost,
            UNANSWERED_PROPOSALS: self.unanswered,
            "why_unusable": self.last,
            "unusable_answers": _counted(self.unusable),
            "noted_answers": _counted(self.noted),
        }


def _counted(reasons: Mapping[str, str]) -> dict[str, Json]:
    """How often each, the most frequent first; a checkpoint keeps no order among the others."""
    return dict(Counter(sorted(reasons.values())).most_common())


def _name(result: RolloutResult) -> str:
    return result.rollout_id or f"slot-{result.request.slot}"
