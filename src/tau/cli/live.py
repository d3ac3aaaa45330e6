"""The live view of a run on a terminal: one block that is redrawn, notices above it."""

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tau.cli import figures
from tau.cli.displays import Display, expected, speed, summary
from tau.cli.text import line
from tau.domain.ids import short_run
from tau.domain.run import Run
from tau.readings.scores import SplitScore
from tau.trainer.progress import Progress

_BAR_WIDTH = 36


class LiveDisplay(Display):
    """Redraws on every look, about once a second; it has no clock of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop"
        )
        self._live.start()

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """Say which run it is, above the block."""
        title = Text(line(run.model_ref), style="bold")
        title.append(f"  {run.algorithm}  {short_run(run.id)}", style="dim")
        if resumed:
            title.append("  goes on", style="cyan")
        self._console.print(title, no_wrap=True, overflow="ellipsis")
        if total:
            self._live.update(Text(f"{figures.count(total, 'rollout')} to do", style="dim"),
                              refresh=True)  # fmt: skip

    def say(self, text: str) -> None:
        """Write a line that stays above the block."""
        self._console.print(Text(line(text), style="yellow"))

    def show(self, progress: Progress) -> None:
        """Redraw the block."""
        if progress.counts.total:
            self._live.update(self._block(progress), refresh=True)

    def close(self, *, failed: bool) -> None:
        """Take the block away; where no report follows, a line of it stays."""
        self._live.stop()
        if failed and self.latest is not None:
            self._console.print(Text(" · ".join(summary(self.latest, self.pace)), style="dim"))

    def _block(self, progress: Progress) -> RenderableType:
        rows: list[RenderableType] = [self._bar(progress)]
        if any(split.mean is not None for split in progress.splits):
            rows += _scores(progress.splits, "baseline" if progress.search else "")
        if progress.search is not None:
            rows += _scores(progress.search.leader, "best")
            tried = figures.count(progress.search.candidates, "candidate")
            rows.append(_flat(f"{progress.search.phase} · {tried} tried", style="bold"))
        rows.append(_flat(_activity(progress), style="dim"))
        spending = figures.spending(progress.run.spent, progress.run.budget)
        if spending:
            rows.append(_flat(" · ".join(spending), style="dim"))
        if progress.failures:
            rows.append(_flat(f"failed: {figures.failures(progress.failures)}", style="red"))
        if progress.waiting_for:
            rows.append(_flat(f"waiting for {line(progress.waiting_for)}", style="yellow"))
        return Group(*rows)

    def _bar(self, progress: Progress) -> RenderableType:
        counts = progress.counts
        total = max(1, expected(progress) or counts.total)
        figure = f"{counts.settled / total:4.0%}  {counts.settled:,}/{total:,}"
        rest = "  ".join([figures.duration(progress.elapsed_s), *speed(progress, self.pace)])
        width = self._console.width - len(figure) - len(rest) - 4
        grid = Table.grid(padding=(0, 1))
        grid.add_column()
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_row(
            ProgressBar(
                total=total,
                completed=counts.settled,
                width=max(8, min(_BAR_WIDTH, width)),
            ),
            Text.assemble((figure, "bold"), "  ", rest),
        )
        return grid


def _scores(splits: tuple[SplitScore, ...], whose: str) -> Iterator[RenderableType]:
    """A line per split: the scores of `whose` prompt, where there are several."""
    names = max((len(split.split) for split in splits), default=0)
    scores = max((len(figures.interval(split)) for split in splits), default=0)
    style = "bold blue" if whose == "baseline" else "bold green"
    for split in splits:
        rest = figures.evidence(split)
        yield Text.assemble(
            f"{whose:9}" if whose else "",
            f"{split.split:{names}}  ",
            (f"{figures.interval(split):{scores}}", style if split.scored else "dim"),
            (f"  {rest}", "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )


def _activity(progress: Progress) -> str:
    counts = progress.counts
    parts = [f"{counts.in_flight:,} in flight", f"{counts.waiting:,} queued"]
    if progress.limit_now is not None:
        parts.append(f"at most {progress.limit_now:,} at a time now")
    return " · ".join(parts)


def _flat(text: str, *, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
