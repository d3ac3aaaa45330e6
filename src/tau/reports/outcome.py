"""What a run came to, in plain words: no term of statistics is needed to read them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tau.domain.condition import because
from tau.domain.dataset import Split
from tau.domain.json import Json
from tau.domain.run import RunStatus, StopReason
from tau.reports.account import Account
from tau.reports.claimed import claim_words
from tau.reports.gain import Gain, PartialClaim
from tau.reports.wording import counted, points, scored
from tau.scoring.power import detectable_gain, fewest_rows, rows_to_settle
from tau.scoring.wording import groups_wanted, settling_text

_WORTHWHILE = 30
"""Fewer fresh rows show only what is plain to see anyway."""
_BROKEN = 0.03
_SMALL = 0.05


class Ending(StrEnum):
    """How it ended, in the words that a reader sees first."""

    PROMOTE = "PROMOTE"
    KEEP_BASELINE = "KEEP BASELINE"
    NOT_DECIDED = "NOT DECIDED"
    NOTHING_SCORED = "NOTHING SCORED"
    NOT_SEARCHED = "NOT SEARCHED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    RUNNING = "RUNNING"
    MEASURED = "MEASURED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """`head` says it in one line, `under` what belongs to it, `why` and `helps` what else to know.

    `before` and `after` are the mean scores on the fresh examples; None where nothing was compared.
    `changes` counts those that got better, worse, and stayed. `binary`: all scores are 0 or 1, only
    then percents are said. `doubtful`: it rests on part of the rows, and has to be looked into.
    """

    ending: Ending
    head: str
    under: tuple[str, ...] = ()
    why: str = ""
    helps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    before: float | None = None
    after: float | None = None
    changes: tuple[int, int, int] | None = None
    binary: bool = False
    doubtful: bool = False

    def headline(self, part: str = "") -> str:
        """The first line of pages and reports; `part` says on which part of the rows it rests."""
        return f"{self.ending.capitalize()}{part}: {self.head}"


def ended(status: RunStatus, stop_reason: StopReason | None) -> Ending:
    """How a run ended that decided nothing."""
    if stop_reason is StopReason.NOTHING_SCORED:
        return Ending.NOTHING_SCORED
    if stop_reason is StopReason.NOT_SEARCHED:
        return Ending.NOT_SEARCHED
    if stop_reason in (StopReason.ERROR, StopReason.CRASH, StopReason.NO_PROGRESS):
        return Ending.FAILED
    if stop_reason in (None, StopReason.FINISHED):
        return Ending.RUNNING if status is RunStatus.RUNNING else Ending.MEASURED
    return Ending.STOPPED


def expectation(rows: int, detectable: float | None) -> str:
    """What so many fresh rows will show, before anything is run; a point is 0.01 of a score."""
    if not rows:
        return "Without fresh rows nothing can be proved: every run will end not decided."
    fresh = counted(rows, "test row")
    if detectable is None:
        return f"With {fresh} no improvement can be proved: every run will end not decided."
    least = counted(math.ceil(100 * detectable - 1e-9), "point")
    return (
        f"With {fresh} you will notice an improvement of {least} or more four times out of five; "
        "smaller ones will mostly end not decided."
    )


def outcome(account: Account) -> RunOutcome:
    """What a search came to."""
    run, gain = account.run, account.gain
    ending = ended(run.status, run.stop_reason)
    if ending is Ending.NOTHING_SCORED:
        return RunOutcome(
            ending=ending,
            head="no answer could be graded, so nothing is decided",
            why=run.stop_detail or "",
        )
    if ending is Ending.NOT_SEARCHED:
        return RunOutcome(
            ending=ending,
            head="no new prompt was tried, so nothing is decided",
            why=run.stop_detail or "",
        )
    if gain is None:
        return _without_comparison(account, ending)
    binary = account.binary
    before, after = _means(account, gain)
    better, worse = len(gain.fixed), len(gain.broken)
    made = {
        "promote": _promoted,
        "keep_baseline": _kept,
        "inconclusive": _open,
    }.get(account.decision or "", _open)(account, gain, binary)
    told = claim_words(account, gain, _step(account, gain, binary), _fresh(gain))
    if told is not None:
        more = _unused_rows(account) if made.ending is Ending.NOT_DECIDED else ()
        made = replace(
            made, head=told.head, under=told.under, why=told.why, helps=(*more, *told.helps)
        )
    return RunOutcome(
        ending=made.ending,
        head=made.head,
        under=made.under,
        why=made.why,
        helps=made.helps,
        notes=tuple(_notes(account, gain)),
        before=before,
        after=after,
        changes=(better, worse, gain.n - better - worse),
        binary=binary,
        doubtful=account.partial is not None,
    )


def _without_comparison(account: Account, ending: Ending) -> RunOutcome:
    """Nothing was compared: it was stopped before, or nothing was worth comparing."""
    run = account.run
    if ending in (Ending.STOPPED, Ending.FAILED):
        why = run.stop_detail or because(run.stop_reason)
        return RunOutcome(ending=ending, head="nothing is decided yet", why=why)
    if ending is Ending.RUNNING:
        return RunOutcome(ending=ending, head="nothing is decided yet")
    why = account.reason or ""
    if account.decision == "keep_baseline":
        return RunOutcome(ending=Ending.KEEP_BASELINE, head="nothing better was found", why=why)
    if account.decision is None:
        return RunOutcome(ending=Ending.NOT_DECIDED, head="no decision was asked for", why=why)
    return RunOutcome(
        ending=Ending.NOT_DECIDED,
        head="the new prompt was not compared with the old one",
        why=why,
        helps=tuple(_more_rows(account)) if not _rows_planned(account) else (),
    )


def _promoted(account: Account, gain: Gain, binary: bool) -> RunOutcome:
    return RunOutcome(
        ending=Ending.PROMOTE,
        head=f"the new prompt is better: {_step(account, gain, binary)}",
        under=(f"surely at least {points(gain.low, binary, whole=math.floor)} ({_fresh(gain)})",),
    )


def _kept(account: Account, gain: Gain, binary: bool) -> RunOutcome:
    step = _step(account, gain, binary)
    effect = _effect(account)
    if gain.high < effect:
        most = points(gain.high, binary, whole=math.ceil)
        why = f"the gain is at most {most}: less than the {points(effect, binary)} that matter"
        return RunOutcome(
            ending=Ending.KEEP_BASELINE,
            head=f"nothing better was found: {step}",
            under=(f"surely at most {most} ({_fresh(gain)})",),
            why=why if gain.high > 0 else "the new prompt is no better than the old one",
        )
    return RunOutcome(
        ending=Ending.KEEP_BASELINE,
        head=f"the new prompt is not to be used: {step}",
        under=(f"({_fresh(gain)})",),
        why=account.reason or "",
    )


def _open(account: Account, gain: Gain, binary: bool) -> RunOutcome:
    low = points(gain.low, binary, unit=False, whole=math.floor)
    high = points(gain.high, binary, whole=math.ceil)
    under = (f"the gain could be anything from {low} to {high}",)
    fewest = fewest_rows(gain.alpha / 2)
    few = gain.n < fewest
    if few:
        head = f"{counted(gain.n, 'test example')} {'is' if gain.n == 1 else 'are'} too few"
        return RunOutcome(
            ending=Ending.NOT_DECIDED,
            head=f"{head} to tell anything",
            under=under,
            why=f"fewer than {fewest} fresh examples can never prove a gain",
            helps=tuple(_more_rows(account)),
        )
    why = "no gain is proved, and gains that matter are not ruled out"
    if gain.low > 0 and account.reason:
        why = account.reason  # missing rows could undo it
    return RunOutcome(
        ending=Ending.NOT_DECIDED,
        head=f"{_fresh(gain, used=False)} cannot tell: {_step(account, gain, binary)}",
        under=under,
        why=why,
        helps=tuple(_more_rows(account)),
    )


def _more_rows(account: Account) -> Iterator[str]:
    """What would settle it."""
    gain = account.gain
    n, alpha = (gain.n, gain.alpha / 2) if gain else (0, 0.05)
    binary, unused = account.binary, _unused(account)
    yield from _unused_rows(account)
    if n < _WORTHWHILE and n + unused < _WORTHWHILE:
        shows = detectable_gain(_WORTHWHILE, _BROKEN, alpha=alpha)
        more = f" (shows {points(shows, binary, whole=math.ceil)} or more)" if shows else ""
        yield f'set aside at least {_WORTHWHILE} fresh rows under "test"{more}'
    if binary and n < _WORTHWHILE:
        effect = _effect(account)
        rows = rows_to_settle(effect, _spread(effect), effect, alpha=alpha)
        if gain is not None and gain.groups and gain.design_effect:
            rows = math.ceil(rows * max(1.0, gain.design_effect))
        groups = groups_wanted(rows, n, gain.groups if gain else None)
        what = points(effect, binary).lstrip("+")
        yield f"{settling_text(rows, groups)} would settle differences of {what}"
    elif gain is not None and gain.rows_to_settle and gain.rows_to_settle > n:
        yield f"{settling_text(gain.rows_to_settle, gain.groups_to_settle)} would settle it"


def _unused_rows(account: Account) -> Iterator[str]:
    """Rows that are there and that a budget kept from being used."""
    unused = _unused(account)
    if unused and _limited_by_budget(account):
        yield f"a larger budget: {counted(unused, 'fresh row')} were not used"


def _spread(effect: float) -> float:
    """The standard deviation of differences where so much is gained and as usual is broken."""
    return math.sqrt(effect + 2 * _BROKEN - effect**2)


def _notes(account: Account, gain: Gain) -> Iterator[str]:
    unused, missing = _unused(account), account.partial
    if unused:
        used = gain.n + gain.missing
        why = ": the budget allowed no more" if _limited_by_budget(account) else ""
        yield f"{used:,} of {used + unused:,} test rows were used{why}"
    if missing is not None:
        yield f"{missing.missing:,} of {missing.compared + missing.missing:,} rows could not be " \
            f"compared; {_had_they(missing)}"  # fmt: skip
    elif gain.missing:
        verb = "has" if gain.missing == 1 else "have"
        yield f"{counted(gain.missing, 'row')} {verb} no score of both prompts and " \
            f"{'is' if gain.missing == 1 else 'are'} left out"  # fmt: skip


_DECISIONS = {
    "promote": "promote",
    "keep_baseline": "keep the baseline",
    "inconclusive": "not decided",
}


def _had_they(missing: PartialClaim) -> str:
    """What the missing rows could make of the decision."""
    against, favour = (_case(missing.bounds.get(name)) for name in ("against", "in_favour"))
    if against == favour:
        return f"however they had gone, it would be: {against}"
    return f"had all gone against the new prompt, it would be: {against}; for it: {favour}"


def _case(found: Json) -> str:
    decision = found.get("decision") if isinstance(found, dict) else None
    return _DECISIONS.get(str(decision), "unknown")


def _step(account: Account, gain: Gain, binary: bool) -> str:
    before, after = _means(account, gain)
    known = before is not None and after is not None
    right = " right" if binary else ""
    step = f"{scored(before, binary)} -> {scored(after, binary)}{right}, " if known else ""
    return f"{step}{points(gain.difference, binary)}"


def _fresh(gain: Gain, *, used: bool = True) -> str:
    rows = counted(gain.n, "fresh example")
    return f"{rows}, unused in the search" if used else rows


def _effect(account: Account) -> float:
    found = account.evidence.get("effect_that_matters")
    return float(found) if isinstance(found, int | float) else _SMALL


def _means(account: Account, gain: Gain) -> tuple[float | None, float | None]:
    """Both prompts on the examples that were compared."""
    table = account.table(Split.TEST)
    old = table[account.baseline.hash].by_example
    new = table[account.leader.hash].by_example
    shared = [name for name in old if name in new]
    if shared and len(shared) == gain.n:
        return tuple(sum(each[name] for name in shared) / len(shared) for each in (old, new))  # type: ignore[return-value]
    found = [account.evidence.get(name) for name in ("baseline_mean", "leader_mean")]
    before, after = (float(one) if isinstance(one, int | float) else None for one in found)
    return before, after


def _rows_planned(account: Account) -> int:
    found = account.evidence.get("certification_rows")
    return found if isinstance(found, int) else 0


def _unused(account: Account) -> int:
    """Fresh rows that the run had and did not plan to use, or did not come to."""
    gain, rows = account.gain, account.fresh_rows
    return max(0, rows - gain.n - gain.missing) if gain and rows else 0


def _limited_by_budget(account: Account) -> bool:
    """Whether nothing but the budget kept rows from being used."""
    algorithm = account.run.config.get("algorithm")
    settings = algorithm.get("settings") if isinstance(algorithm, Mapping) else None
    chosen = settings.get("certification") if isinstance(settings, Mapping) else None
    caveats = account.verdict.caveats if account.verdict else ()
    return chosen is None and not any("certifying" in caveat for caveat in caveats)
