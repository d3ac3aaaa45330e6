"""The report of a run on a terminal: the lines of `results`, with scores drawn to scale."""

from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from tau.cli import figures, optimization, results
from tau.cli.text import line, shown
from tau.domain.run import StopReason
from tau.reports.account import Account
from tau.reports.words import Change, Piece
from tau.trainer.progress import SplitScore
from tau.trainer.report import RunReport

_SCALE = 32
_STYLES = {"promote": "bold green", "keep_baseline": "bold", "inconclusive": "bold yellow"}
_COLOURS = {"baseline": "blue", "best": "green", "leader": "magenta"}


def print_report(report: RunReport, stream: TextIO, *, resume: str) -> None:
    """Write the report to a terminal."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    for text in _lines(report, resume):
        console.print(text, soft_wrap=True)


def scale(split: SplitScore, width: int = _SCALE) -> str:
    """The mean and its interval between 0 and 1: `····├──●──┤·····`."""
    if split.mean is None:
        return "·" * width
    low = split.mean if split.low is None else split.low
    high = split.mean if split.high is None else split.high
    return bar(low, split.mean, high, width)


def difference_scale(low: float, middle: float, high: float, width: int = _SCALE + 1) -> str:
    """A difference and its interval between -1 and 1, with a mark at 0."""
    drawn = list(bar((low + 1) / 2, (middle + 1) / 2, (high + 1) / 2, width))
    zero = _cell(0.5, width)
    if drawn[zero] in "·─":
        drawn[zero] = "┼" if drawn[zero] == "─" else "│"
    return "".join(drawn)


def bar(low: float, middle: float, high: float, width: int = _SCALE) -> str:
    """A point and its interval between 0 and 1."""
    cells = ["·"] * width
    first, point, last = (_cell(value, width) for value in (low, middle, high))
    for cell in range(first, last + 1):
        cells[cell] = "─"
    cells[first], cells[last] = "├", "┤"
    cells[point] = "●"
    return "".join(cells)


def _cell(value: float, width: int) -> int:
    return round(min(1.0, max(0.0, value)) * (width - 1))


def _lines(report: RunReport, resume: str) -> Iterator[Text]:
    finished = report.stop_reason is StopReason.FINISHED
    yield Text("")
    yield Text(results.essence(report), style="bold green" if finished else "bold yellow")
    yield from (Text(f"  {detail}", style="yellow") for detail in results.details(report))
    yield Text("")
    if report.account is not None:
        yield from _found(report.account)
    else:
        yield from _scores(report)
    yield Text("")
    yield from map(Text, results.facts(report))
    yield Text("")
    yield Text("next:", style="dim")
    yield from (Text(f"  {command}") for command in results.next_commands(report, resume=resume))


def _found(account: Account) -> Iterator[Text]:
    """The decision, both prompts drawn to scale, and what changed."""
    yield Text(optimization.decision_text(account), style=_STYLES.get(account.decision or "", ""))
    gain = account.gain
    if gain is not None:
        yield Text("")
        yield Text.assemble(
            ("gain      -1 ", ""),
            (difference_scale(gain.low, gain.difference, gain.high), "cyan"),
            (" +1  ", ""),
            (optimization.gain_text(gain), "bold"),
        )
    yield Text("")
    best_name = "best" if account.best.hash != account.baseline.hash else "leader"
    for split in account.splits():
        for name, estimate in (("baseline", split.baseline), (best_name, split.best)):
            if estimate is not None and (name == "baseline" or _changed(account)):
                yield Text.assemble(
                    f"{split.split:9} {name:9} 0 ",
                    (bar(estimate.low, estimate.mean, estimate.high), _COLOURS[name]),
                    " 1  ",
                    (optimization.estimate_text(estimate), "bold"),
                    (f"  {estimate.n:,} examples", "dim"),
                )
    for name, pieces in account.diffs().items():
        yield Text("")
        yield Text(f"{line(name)}, from the baseline to the {best_name}", style="bold")
        yield from diff(pieces)


def _changed(account: Account) -> bool:
    return account.leader.hash != account.baseline.hash


def diff(pieces: Sequence[Piece]) -> Iterator[Text]:
    """A word diff in colours and with marks, so that neither is needed to read the other."""
    whole = Text()
    for piece in pieces:
        text = shown(piece.text)
        if piece.change is Change.SAME:
            whole.append(text)
        elif piece.change is Change.REMOVED:
            whole.append(f"[-{text}-]", style="red strike")
        else:
            whole.append(f"{{+{text}+}}", style="green")
    for each in whole.split("\n", allow_blank=True):
        yield Text.assemble(("  │ ", "dim"), each)


def _scores(report: RunReport) -> Iterator[Text]:
    """Every split of a run that only measured, drawn to scale."""
    names = max((len(split.split) for split in report.splits), default=0)
    for split in report.splits:
        yield Text.assemble(
            f"{split.split:{names}}  0 ",
            (scale(split), "cyan"),
            " 1   ",
            (figures.interval(split), "bold"),
            (f"   {figures.evidence(split)}", "dim"),
        )
