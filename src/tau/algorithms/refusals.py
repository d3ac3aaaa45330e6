"""Answers of a reflection model that were no clean proposals, each with its reason."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tau.domain.json import Json
from tau.domain.rollout import RolloutResult

_REASON_CHARS = 300


class Refusals:
    """Answers that could not be used, and those that were taken with a note, by rollout.

    `lost` counts proposals that came to nothing: a repair that could be used saves its proposal.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.unusable: dict[str, str] = {}
        self.noted: dict[str, str] = {}

    def refuse(self, result: RolloutResult, why: str, *, lost: bool) -> None:
        """`result` could not be used; `lost`: and nothing more is asked for in its place."""
        self.unusable[_name(result)] = why[:_REASON_CHARS]
        self.lost += lost

    def note(self, result: RolloutResult, what: str) -> None:
        """`result` was used, though not as it should have been."""
        self.noted[_name(result)] = what

    @property
    def summary(self) -> str:
        """The reasons with their counts in one line, '' where there are none."""
        return "; ".join(
            f"{count} x {why}" for why, count in Counter(self.unusable.values()).items()
        )

    def report(self) -> Mapping[str, Json]:
        """As evidence: the reasons with how many answers each, the most frequent first."""
        reasons = list(self.unusable.values())
        return {
            "failed_proposals": self.lost,
            "why_unusable": reasons[-1] if reasons else "",
            "unusable_answers": dict(Counter(reasons).most_common()),
            "noted_answers": dict(Counter(self.noted.values()).most_common()),
        }

    def to_json(self) -> Mapping[str, Json]:
        """For a checkpoint; displays read `unusable` and `noted`."""
        return {"lost": self.lost, "unusable": dict(self.unusable), "noted": dict(self.noted)}

    @classmethod
    def from_json(cls, state: Any) -> "Refusals":  # noqa: ANN401  (JSON)
        """What `to_json` made; TypeError, KeyError, AttributeError or ValueError for the rest."""
        made = cls()
        made.lost = int(state["lost"])
        made.unusable = {str(name): str(why) for name, why in state["unusable"].items()}
        made.noted = {str(name): str(what) for name, what in state["noted"].items()}
        return made


def _name(result: RolloutResult) -> str:
    return result.rollout_id or f"slot-{result.request.slot}"
