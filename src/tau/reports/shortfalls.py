"""What a run's evaluations lack, in words: why there is no score, or hardly an answer."""

from collections.abc import Iterator, Mapping

from tau.domain.answers import CUT, EMPTY, FILTERED, REFUSED
from tau.domain.ids import RunId
from tau.domain.rollout import RolloutResult, RolloutStatus
from tau.domain.visible import clipped
from tau.ports.insights import Shortfalls
from tau.ports.store import Store

_UNGRADED = "nothing graded it: no grader is configured, and 'expected' is no text"
_SHOWN = 3
_REASON_CHARS = 300
_ANSWERS: Mapping[str, str] = {
    EMPTY: "empty",
    CUT: "cut at the token limit",
    FILTERED: "filtered by the provider",
    REFUSED: "refused by the model",
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
    reasons = [*_ranked(found.failed, "failed"), *_ranked(found.unscored, "unscored")]
    if not reasons:
        return "no reason is known"
    return max(reasons, key=lambda reason: reason[0])[1]


def lines(found: Shortfalls) -> Iterator[str]:
    """What is to be said of a run, a line each; nothing where nothing is lacking."""
    for reasons, name in ((found.unscored, "unscored"), (found.failed, "failed")):
        yield from (text for _, text in _ranked(reasons, name)[:_SHOWN])
    if answers := answers_text(found.answers):
        yield answers


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


def to_json(found: Shortfalls) -> dict[str, dict[str, int]]:
    """For JSON results: reasons and codes with their numbers."""
    return {
        "unscored_reasons": {why or _UNGRADED: n for why, n in found.unscored.items()},
        "failed_reasons": dict(found.failed),
        "answers": {code: found.answers.get(code, 0) for code in _ANSWERS},
    }


def _ranked(reasons: Mapping[str, int], name: str) -> list[tuple[int, str]]:
    ranked = sorted(reasons.items(), key=lambda reason: -reason[1])
    return [(n, f"{n:,} {name}: {clipped(why or _UNGRADED, _REASON_CHARS)}") for why, n in ranked]
