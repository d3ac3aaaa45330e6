"""The report of a run for people: the decision first, figures of statistics only when asked for."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TextIO

from tau.cli import decision, figures, optimization
from tau.cli.decision import Row, commands, plain, said
from tau.cli.text import cells, columns, line, shown, wrapped
from tau.config.paths import DEFAULT_STORE
from tau.domain.condition import because
from tau.domain.ids import short_hash
from tau.domain.rollout import RolloutStatus
from tau.domain.run import StopReason
from tau.domain.spend import Budget, Spend
from tau.domain.visible import clipped
from tau.readings.scores import SplitScore
from tau.reports import shortfalls
from tau.reports.account import Account
from tau.reports.outcome import Ending, RunOutcome, ended, outcome
from tau.reports.wording import scored
from tau.reports.words import Change, Piece
from tau.trainer.report import RunReport

_SHOWN_CHARS = 300
_EMPTY: Row = ()
_TOLD = re.compile(
    r"rows were compared: had|no score of both prompts|examples were planned|can be proved better"
)
"""What certificates say of missing rows in figures; the outcome says it in words."""


def report_lines(report: RunReport, *, resume: str, verbose: bool = False) -> list[str]:
    """The report for logs and pipes."""
    return [plain(row) for row in report_rows(report, resume=resume, verbose=verbose)]


def print_report(report: RunReport, stream: TextIO, *, resume: str, verbose: bool = False) -> None:
    """Write the report to a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.print()
    for row in report_rows(report, resume=resume, verbose=verbose):
        console.print(Text.assemble(*row), soft_wrap=True)


def report_rows(report: RunReport, *, resume: str, verbose: bool = False) -> Iterator[Row]:
    """Every line of it."""
    where = store_option(report.store_path)
    found = outcome(report.account) if report.account else None
    if report.account is not None and found is not None:
        yield from _decided(report.account, found, where)
    else:
        yield from _measured(report)
    yield from said("cost", _cost(report))
    lacking = list(shortfalls.lines(report.shortfalls))
    last = report.last_failure or ""
    yield from _troubles(report.failures, "" if any(last in one for one in lacking) else last)
    for text in lacking:
        yield from said("missing", text)
    notes, doubtful = (found.notes, found.doubtful) if found else ((), False)
    notes = (*notes, *report.judges)
    yield from _notes(notes, _untold(report.caveats, found), doubtful=doubtful)
    if verbose:
        yield _EMPTY
        yield from details(report)
    yield from commands(list(_next(report, resume, where)))


def account_rows(account: Account, where: str, judges: Sequence[str] = ()) -> Iterator[Row]:
    """The same of a stored run, with all its figures and what is known of its `judges`."""
    found = outcome(account)
    yield from _decided(account, found, where)
    yield from said("cost", cost(account.run.spent, account.run.budget, account.run.active_s,
                                 again=(account.retries, account.reused)))  # fmt: skip
    yield from _troubles(account.failures, None)
    for text in shortfalls.lines(account.shortfalls):
        yield from said("missing", text)
    caveats = account.verdict.caveats if account.verdict else ()
    notes = (*found.notes, *judges)
    yield from _notes(notes, _untold(caveats, found), doubtful=found.doubtful)
    yield _EMPTY
    yield from _account_details(account)


def store_option(store: str) -> str:
    """` --store PATH` for a command, empty where it would find the store by itself."""
    return "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"


def _decided(account: Account, found: RunOutcome, where: str) -> Iterator[Row]:
    yield from decision.headline(found)
    if found.why or found.helps:
        if found.ending is not Ending.PROMOTE:
            yield from said("why", found.why)
        for n, text in enumerate(found.helps):
            yield from said("what helps" if n == 0 else "", text)
    bars = list(decision.bars(found))
    if bars:
        yield _EMPTY
        yield from bars
    yield _EMPTY
    gain = account.gain
    if gain is not None:
        yield from decision.worse(account.worsened, len(gain.broken), where)
    change = decision.changed(account)
    if change:
        command = decision.difference_command(account, where)
        yield from _beside("changed", change, command)


def _notes(notes: Sequence[str], caveats: Sequence[str], *, doubtful: bool) -> Iterator[Row]:
    """What has to be known beside it; a label stands at the first only."""
    for n, text in enumerate((*notes, *caveats)):
        yield from said(
            "note" if n == 0 else "", text, "yellow" if doubtful or text in caveats else ""
        )


def _untold(caveats: Sequence[str], found: RunOutcome | None) -> tuple[str, ...]:
    """The caveats that the outcome has not told in plainer words."""
    if found is None or found.changes is None:
        return tuple(caveats)
    return tuple(one for one in caveats if not _TOLD.search(one))


def _beside(label: str, text: str, command: str) -> Iterator[Row]:
    """A fact and the command that shows more of it."""
    first, *rest = said(label, f"{text:<28}")
    label_part, (fact, style) = first
    if cells(fact) + 2 + cells(command) <= decision.room():
        yield (label_part, (f"{fact:<28}", style), ("  ", ""), (command, "cyan"))
    else:
        yield first
        yield decision.command(command)
    yield from rest


def _measured(report: RunReport) -> Iterator[Row]:
    """A run that only measured: every split to scale."""
    ending = ended(report.status, report.stop_reason)
    counts = report.counts
    done = (
        f"{counts[RolloutStatus.SUCCEEDED]:,} of {figures.count(counts.total, 'rollout')} succeeded"
    )
    whole = ending in (Ending.MEASURED, Ending.RUNNING)
    head = done if whole else report.stop_detail or because(report.stop_reason)
    if ending is Ending.NOTHING_SCORED:
        head = "no answer could be graded"
    yield from decision.headline(
        RunOutcome(ending=ending, head=head, under=() if whole else (done,), why="")
    )
    if ending is Ending.NOTHING_SCORED and report.stop_detail:
        yield from said("why", report.stop_detail)
    yield _EMPTY
    names = max((len(split.split) for split in report.splits), default=0)
    for split in report.splits:
        yield from _split(split, names, binary=report.binary)
    if report.splits:
        yield _EMPTY
    if report.decision:
        yield from said("decision", report.decision)


def _split(split: SplitScore, names: int, *, binary: bool) -> Iterator[Row]:
    name = f"   {split.split:{names}}  "
    rest = f"  {split.scored:,} of {figures.count(split.rows, 'row')} scored"
    missing = ", ".join(figures.missing(split))
    if not split.rows:
        yield ((name, ""), ("not reached", "dim"))
        return
    if split.mean is None:
        yield ((name, ""), ("no score", "yellow"), (f"  {missing}" if missing else rest, "dim"))
        return
    known = split.low is not None and split.high is not None
    span = f" ({scored(split.low, binary)} to {scored(split.high, binary)})" if known else ""
    drawn = decision.bar(split.mean, "cyan")
    score = f"  {scored(split.mean, binary)}"
    yield ((name, ""), *drawn, (score, "bold"), (span, ""), ("" if missing else rest, "dim"))
    if missing:
        yield ((" " * len(name), ""), (f"{rest.strip()}, {missing}", "dim"))


def _cost(report: RunReport) -> str:
    account = report.account
    budget = account.run.budget if account else Budget()
    unknown = bool(report.spent.calls) and report.cost_usd is None
    return cost(
        report.spent, budget, report.duration_s, again=(report.retries, report.reused),
        unknown=unknown,
    )  # fmt: skip


def cost(
    spent: Spend,
    budget: Budget,
    seconds: float,
    *,
    again: tuple[int, int] = (0, 0),
    unknown: bool = False,
) -> str:
    """`499 of 500 rollouts, $0.00, 6.8 s`.

    `again`: attempts made again, and evaluations that were not, as a probe had paid for them.
    """
    retries, reused = again
    done = figures.of(f"{spent.rollouts:,}", budget.rollouts)
    noun = "rollout" if (budget.rollouts or spent.rollouts) == 1 else "rollouts"
    parts = [f"{done} {noun}"]
    if retries:
        parts.append(f"{figures.count(spent.calls, 'call')} with {_again(retries)}")
    elif spent.calls > spent.rollouts:
        parts.append(figures.count(spent.calls, "call"))
    if unknown:
        parts += [figures.count(spent.tokens, "token"), "price unknown"]
    else:
        parts.append(figures.money(spent.cost_usd))
    parts.append(figures.duration(seconds))
    if reused:
        parts.append(f"{figures.count(reused, 'more evaluation')} reused from `tau probe`")
    if assumed := figures.assumed(spent):
        parts.append(assumed)
    return ", ".join(parts)


def _again(retries: int) -> str:
    return figures.count(retries, "retry").replace("retrys", "retries")


def _troubles(failures: object, last: str | None) -> Iterator[Row]:
    if isinstance(failures, dict) and failures:
        yield from said("failures", figures.failures(failures), "red")
    if last:
        yield from said("the last", clipped(line(last), _SHOWN_CHARS))


def details(report: RunReport) -> Iterator[Row]:
    """What stands behind it: intervals, p-values, plans, whole ids, the changed texts."""
    if report.account is not None:
        for label, text in optimization.claim(report):
            yield from said(label, text)
    best = f"{report.best_version or 'not published'} ({short_hash(report.best_hash)})"
    yield from said("best", best)
    used = figures.spending(report.spent)
    yield from said("used", ", ".join(used) or "nothing")
    yield from said("run", f"{report.run_id} in {report.store_path}")
    if report.account is not None:
        yield from _tables(report.account)
    yield _EMPTY


def _account_details(account: Account) -> Iterator[Row]:
    gain = account.gain
    if gain is not None:
        yield from said("gain", optimization.gain_text(gain))
        yield from said("evidence", optimization.gain_evidence(gain))
    if account.reason:
        yield from said("why", account.reason)
    yield from said("used", ", ".join(figures.spending(account.run.spent)) or "nothing")
    yield from _tables(account)


def _tables(account: Account) -> Iterator[Row]:
    yield _EMPTY
    yield from (
        ((f" {text}", ""),) for text in optimization.split_table(account, width=columns() - 1)
    )
    for name, pieces in account.diffs().items():
        yield _EMPTY
        title = wrapped(optimization.diff_title(account, name), columns() - 1)
        yield from (((f" {text}", "bold"),) for text in title)
        yield from diff(pieces)


def diff(pieces: Sequence[Piece]) -> Iterator[Row]:
    """A word diff in colours and with marks, so that neither is needed to read the other."""
    row: list[tuple[str, str]] = [("  | ", "dim")]
    for piece in pieces:
        mark, style = _MARKS[piece.change]
        text = optimization.shortened(shown(piece.text)) if not style else shown(piece.text)
        first, *rest = mark.format(text).split("\n")
        row.append((first, style))
        for each in rest:
            yield tuple(row)
            row = [("  | ", "dim"), (each, style)]
    yield tuple(row)


_MARKS = {
    Change.SAME: ("{}", ""),
    Change.REMOVED: ("[-{}-]", "red strike"),
    Change.ADDED: ("{{+{}+}}", "green"),
}


def _next(report: RunReport, resume: str, where: str) -> Iterator[tuple[str, str]]:
    """The commands that most likely come next, ready to be copied."""
    run = decision.quoted_run(report.run_id)
    if report.resumable:
        budget = report.stop_reason is StopReason.BUDGET
        yield "go on with it" + (" once its budget is raised" if budget else ""), resume
    if report.failures:
        yield "see what failed", f"tau rollouts ls --run {run} --status failed{where}"
    if report.account is None:
        yield "look at answers", f"tau rollouts ls --run {run}{where}"
        yield (
            "see the prompt",
            f"tau resources show {short_hash(report.best_hash)} --content{where}",
        )
    elif report.decision == "promote":
        yield "put it into use", f"tau promote {run} --alias prod{where}"
    else:
        yield "see what was tried", f"tau candidates ls {run}{where}"
    if report.account is not None:
        html = f"tau export {run} --to html --output report.html{where}"
        yield "show a colleague", html
    yield "look around", f"tau serve{where}"
