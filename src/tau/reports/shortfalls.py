"""What a run's evaluations lack, in words: why there is no score, or hardly an answer."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tau.domain.answers import CUT, EMPTY, FILTERED, REFUSED
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.rollout import RolloutKind, RolloutResult, RolloutStatus
from tau.domain.visible import clipped
from tau.ports.insights import Shortfalls
from tau.ports.store import Store

_UNGRADED = "nothing graded it: no grader is configured, and 'expected' is no text"
_SHOWN = 3
_LISTED = 10
_REASON_CHARS = 300
_ANSWERS: Mapping[str, str] = {
    EMPTY: "empty",
    CUT: "cut at the token limit",
    FILTERED: "filtered by the provider",
    REFUSED: "refused by the model",
}

_ADVICE: Mapping[str, str] = {
    EMPTY: "graded as an empty text",
    CUT: "graded as far as it went: raise max_tokens",
    FILTERED: "without an answer",
    REFUSED: "graded as it stands",
}


def why_missing(result: RolloutResult | None) -> str | None:
    """Why a settled evaluation has no score; None where it has one, or is not settled."""
    if result is None or result.score is not None:
        return None
    if result.failure is not None:
        return result.failure.message
    if result.status is not RolloutStatus.SUCCEEDED:
        return str(result.status)
    first = result.rewards[0] if result.rewards else None
    return (first.error or first.reason if first else "") or _UNGRADED


async def nothing_scored(store: Store, run_id: RunId) -> str | None:
    """Why a run that evaluated something has no score at all; None where it has one."""
    found = await store.insights.scores(run_id)
    lost = sum(one.unscored + one.failed for one in found)
    if not lost or any(one.scores for one in found):
        return None
    return f"nothing could be scored: {commonest(await store.insights.shortfalls(run_id))}"


def commonest(found: Shortfalls) -> str:
    """The commonest reason of rows without a score, with how many."""
    reasons = [*_ranked(_failed(found), "failed"), *_ranked(found.unscored, "unscored")]
    if not reasons:
        return "no reason is known"
    return max(reasons, key=lambda reason: reason[0])[1]


def lines(found: Shortfalls) -> Iterator[str]:
    """What is to be said of a run, a line each; nothing where nothing is lacking."""
    for reasons, name in ((found.unscored, "unscored"), (_failed(found), "failed")):
        yield from (text for _, text in _ranked(reasons, name)[:_SHOWN])
    if answers := answers_text(found.answers):
        yield answers


def unscored_text(found: Shortfalls) -> str | None:
    """How many rows have no score though they were answered, with the commonest reason."""
    reasons = _ranked(found.unscored, "unscored")
    if not reasons:
        return None
    total = sum(found.unscored.values())
    if len(reasons) == 1:
        return reasons[0][1]
    return f"{total:,} unscored for {len(reasons):,} reasons, most of them: {reasons[0][1]}"


def table(found: Shortfalls) -> Iterator[tuple[str, str, int]]:
    """What is missing, why, and how many: the commonest reasons of each kind."""
    for reasons, name in ((found.unscored, "unscored"), (_failed(found), "failed")):
        ranked = sorted(reasons.items(), key=lambda reason: -reason[1])
        for why, number in ranked[:_LISTED]:
            yield name, clipped(why or _UNGRADED, _REASON_CHARS), number
    for code, words in _ANSWERS.items():
        if number := found.answers.get(code, 0):
            yield words, _ADVICE.get(code, ""), number


def answers_text(codes: Mapping[str, int]) -> str | None:
    """`30 answers were empty, 30 were cut at the token limit: raise max_tokens`, or None."""
    said: list[str] = []
    for code, words in _ANSWERS.items():
        if number := codes.get(code, 0):
            noun = "" if said else (" answer" if number == 1 else " answers")
            said.append(f"{number:,}{noun} {'was' if number == 1 else 'were'} {words}")
    if not said:
        return None
    return ", ".join(said) + (": raise max_tokens" if codes.get(CUT) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """One error message and how many rollouts it befell.

    `failure` is the failure's class, or `grader` where a row was left unscored.
    """

    failure: str
    message: str
    count: int

    def to_json(self) -> dict[str, Json]:
        """As one object."""
        return {"failure": self.failure, "message": self.message, "count": self.count}


def errors(found: Shortfalls) -> tuple[ErrorCount, ...]:
    """What went wrong in rollouts of every kind, the commonest first."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in found.failed:
        counts[one.failure, one.message] += one.number
    for why, number in found.unscored.items():
        counts["grader", why or _UNGRADED] += number
    return tuple(
        ErrorCount(failure=failure, message=message, count=count)
        for (failure, message), count in counts.most_common()
    )


def to_json(found: Shortfalls) -> dict[str, dict[str, int]]:
    """For JSON results: reasons and codes with their numbers."""
    return {
        "unscored_reasons": {why or _UNGRADED: n for why, n in found.unscored.items()},
        "failed_reasons": _failed(found),
        "answers": {code: found.answers.get(code, 0) for code in _ANSWERS},
    }


def _failed(found: Shortfalls) -> dict[str, int]:
    """Messages of failed evaluations; what proposals failed of lacks in no row."""
    counts: dict[str, int] = {}
    for one in found.failed:
        if one.kind is RolloutKind.EVALUATE:
            counts[one.message] = counts.get(one.message, 0) + one.number
    return counts


def _ranked(reasons: Mapping[str, int], name: str) -> list[tuple[int, str]]:
    ranked = sorted(reasons.items(), key=lambda reason: -reason[1])
    return [(n, f"{n:,} {name}: {clipped(why or _UNGRADED, _REASON_CHARS)}") for why, n in ranked]
