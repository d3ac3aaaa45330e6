"""What `evaluate` and `optimize` return."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tau.api.driving import Driven
from tau.api.functions import PROMPT
from tau.domain.claim import BETTER
from tau.domain.decision import Decision
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json
from tau.domain.run import StopReason
from tau.errors import NothingScored, RunError
from tau.files.atomic import atomic_write
from tau.reports import shortfalls
from tau.reports.account import SplitAccount
from tau.reports.gain import Gain, certificate
from tau.reports.html import html
from tau.reports.rows import as_json
from tau.reports.shortfalls import ErrorCount
from tau.reports.words import Change, Piece
from tau.scoring.aggregate import Estimate


class _Result:
    """What both have in common."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven

    @property
    def run_id(self) -> str:
        """The run's name in its store."""
        return self._driven.report.run_id

    @property
    def stop_reason(self) -> str:
        """`finished`, or `budget` or `time_limit` where a limit ended it."""
        return str(self._driven.report.stop_reason)

    @property
    def splits(self) -> tuple[SplitAccount, ...]:
        """Means with intervals per split: of the given prompt, and of the best where there is one.

        An interval is a 95 % one.
        """
        return self._driven.account.splits()

    @property
    def cost_usd(self) -> float | None:
        """Dollars spent, None where no price is known."""
        return self._driven.report.cost_usd

    @property
    def assumed_tokens(self) -> int:
        """Tokens no provider has reported, counted as they were reserved."""
        return self._driven.report.spent.assumed_tokens

    @property
    def calls(self) -> int:
        """Model calls made, retries included."""
        return self._driven.report.spent.calls

    @property
    def reused(self) -> int:
        """Evaluations that `tau probe` had paid for, taken over at no cost."""
        return self._driven.report.reused

    @property
    def failures(self) -> Mapping[str, int]:
        """Rollouts that failed for good, by class; they enter no mean."""
        return self._driven.report.failures

    @property
    def errors(self) -> tuple[ErrorCount, ...]:
        """What went wrong in words, the commonest first: failed rollouts and unscored rows."""
        return shortfalls.errors(self._driven.report.shortfalls)

    @property
    def traceback(self) -> str | None:
        """Where the first of `errors` was raised, None where no code of yours raised one."""
        return self._driven.traceback

    def scored(self) -> Self:
        """This result.

        Raises:
            NothingScored: with this result, where rows were tried and none has a score.
            RunError: no request to the reflection model was answered.
        """
        report = self._driven.report
        if report.stop_reason is StopReason.NOTHING_SCORED:
            error = NothingScored(
                "nothing could be scored",
                where=f"run {report.run_id}",
                why=shortfalls.commonest(report.shortfalls),
                fix="mend what the message names and run it again; nothing was decided. The "
                "exception's 'result' has every error and the first traceback",
            )
            error.result = self
            raise error
        if report.stop_reason is StopReason.NOT_SEARCHED:
            raise RunError(
                "nothing was searched",
                where=f"run {report.run_id}",
                why=report.stop_detail,
                fix="see to the reflection model and run it again; no new prompt was tried",
            )
        return self

    def save_report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report and return where it is.

        Raises:
            FileError: it cannot be written.
        """
        target = Path(path)
        page = html(self._driven.account, self._driven.rows)
        atomic_write(target, page.encode())
        return target

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON."""
        report = self._driven.report
        return {
            "run_id": self.run_id,
            "model_ref": report.model_ref,
            "run_state": str(report.status),
            "stop_reason": self.stop_reason,
            "total_rollouts": report.counts.total,
            "calls": self.calls,
            "reused": self.reused,
            "tokens": report.spent.tokens,
            "cost_usd": self.cost_usd,
            "assumed_tokens": self.assumed_tokens,
            "failures": dict(self.failures),
            "errors": [one.to_json() for one in self.errors],
            **shortfalls.to_json(report.shortfalls),
            "splits": {
                str(split.split): {
                    "baseline": _estimate(split.baseline),
                    "best": _estimate(split.best),
                }
                for split in self.splits
            },
        }


class Evaluation(_Result):
    """A measured prompt."""

    @property
    def score(self) -> float | None:
        """The mean over all examples, None where nothing could be graded."""
        known = [one.baseline for one in self.splits if one.baseline is not None]
        total = sum(one.n for one in known)
        return sum(one.mean * one.n for one in known) / total if total else None

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """Every evaluation with its row, output, score and rewards, in order of submission."""
        return tuple(as_json(row, content=True) for row in self._driven.rows)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON, without the rows."""
        return {**super().to_dict(), "score": self.score}

    def __repr__(self) -> str:
        score = "none" if self.score is None else f"{self.score:.3f}"
        return f"<Evaluation {self.run_id}: score {score}>"


class Optimization(_Result):
    """What a search found, and whether it is better."""

    @property
    def decision(self) -> str | None:
        """promote, keep_baseline or inconclusive; None where a limit came before a decision."""
        return self._driven.account.decision

    @property
    def improved(self) -> bool:
        """Whether the claim was proved of the new prompt: better, unless another one was made."""
        return self.decision == Decision.PROMOTE

    @property
    def claim(self) -> str:
        """What was to be proved, in words."""
        told = self._driven.account.evidence.get("claim")
        words = told.get("words") if isinstance(told, Mapping) else None
        return words if isinstance(words, str) else BETTER.words()

    @property
    def cost(self) -> Mapping[str, Json] | None:
        """Where less of something was claimed: what both prompts took, and the share saved."""
        found = certificate(self._driven.account.evidence).get("cost")
        return dict(found) if isinstance(found, Mapping) else None

    @property
    def guards(self) -> Mapping[str, Json]:
        """By grader, what was decided of each guard."""
        found = certificate(self._driven.account.evidence).get("guards")
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def front(self) -> Sequence[Mapping[str, Json]]:
        """With an objective: the candidates that no other beats both in score and in cost."""
        found = self._driven.account.evidence.get("front")
        return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []

    @property
    def reason(self) -> str | None:
        """Why it was decided so."""
        return self._driven.account.reason

    @property
    def gain(self) -> Gain | None:
        """The paired difference on examples that chose nothing, with interval and p-value."""
        return self._driven.account.gain

    @property
    def best(self) -> Mapping[str, Json]:
        """The recommended prompts by name: the given ones unless something was proved better."""
        return dict(self._driven.account.best.values)

    @property
    def best_prompt(self) -> str | None:
        """The recommended prompt where it was given as a text."""
        value = self.best.get(PROMPT)
        return value if isinstance(value, str) else None

    @property
    def leader(self) -> Mapping[str, Json]:
        """What was ahead at the end, proved better or not."""
        return dict(self._driven.account.leader.values)

    @property
    def candidates(self) -> Mapping[ResourcesHash, Mapping[str, Json]]:
        """Everything that was tried, by hash, in order."""
        return {
            one.resources.hash: dict(one.resources.values)
            for one in self._driven.account.candidates
        }

    @property
    def diff(self) -> str:
        """What changed from the given prompt to the leader: [-removed-] and {+added+}."""
        return "\n\n".join(
            f"{name}:\n{_marked(pieces)}" for name, pieces in self._driven.account.diffs().items()
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON."""
        gain = self.gain
        return {
            **super().to_dict(),
            "decision": self.decision,
            "claim": self.claim,
            "cost": self.cost,
            "guards": dict(self.guards),
            "front": list(self.front),
            "reason": self.reason,
            "gain": gain.to_json() if gain else None,
            "best": dict(self.best),
            "leader": dict(self.leader),
            "candidates": self._driven.account.tried,
        }

    def __repr__(self) -> str:
        gain = self.gain
        found = "" if gain is None else f", gain {gain.difference:+.3f}"
        return f"<Optimization {self.run_id}: {self.decision}{found}>"


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"n": estimate.n, "mean": estimate.mean, "low": estimate.low, "high": estimate.high}


def _marked(pieces: tuple[Piece, ...]) -> str:
    marks = {Change.SAME: ("", ""), Change.REMOVED: ("[-", "-]"), Change.ADDED: ("{+", "+}")}
    return "".join(marks[one.change][0] + one.text + marks[one.change][1] for one in pieces)
