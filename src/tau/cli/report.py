"""The report of a run on a terminal: the lines of `results`, with scores drawn to scale."""

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.text import Text

from tau.cli import figures, results
from tau.domain.run import StopReason
from tau.trainer.progress import SplitScore
from tau.trainer.report import RunReport

_SCALE = 32


def print_report(report: RunReport, stream: TextIO, *, resume: str) -> None:
    """Write the report to a terminal."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    for text in _lines(report, resume):
        console.print(text, soft_wrap=True)


def scale(split: SplitScore, width: int = _SCALE) -> str:
    """The mean and its interval between 0 and 1: `····├──●──┤·····`."""
    cells = ["·"] * width
    if split.mean is None:
        return "".join(cells)
    low, mean, high = (
        _cell(value if value is not None else split.mean, width)
        for value in (split.low, split.mean, split.high)
    )
    for cell in range(low, high + 1):
        cells[cell] = "─"
    cells[low], cells[high] = "├", "┤"
    cells[mean] = "●"
    return "".join(cells)


def _cell(value: float, width: int) -> int:
    return round(min(1.0, max(0.0, value)) * (width - 1))


def _lines(report: RunReport, resume: str) -> Iterator[Text]:
    finished = report.stop_reason is StopReason.FINISHED
    yield Text("")
    yield Text(results.essence(report), style="bold green" if finished else "bold yellow")
    yield from (Text(f"  {detail}", style="yellow") for detail in results.details(report))
    yield Text("")
    names = max((len(split.split) for split in report.splits), default=0)
    for split in report.splits:
        yield Text.assemble(
            f"{split.split:{names}}  0 ",
            (scale(split), "cyan"),
            " 1   ",
            (figures.interval(split), "bold"),
            (f"   {figures.evidence(split)}", "dim"),
        )
    yield Text("")
    yield from map(Text, results.facts(report))
    yield Text("")
    yield Text("next:", style="dim")
    yield from (Text(f"  {command}") for command in results.next_commands(report, resume=resume))
