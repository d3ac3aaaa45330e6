"""The end of a run as a person reads it: the decision, what it rests on, what to do next."""

import shlex
from collections.abc import Iterator, Sequence

from tau.cli import figures
from tau.cli.text import cells, columns, cut, line, wrapped
from tau.domain.ids import short_rollout, short_run
from tau.reports.account import Account
from tau.reports.outcome import Ending, RunOutcome
from tau.reports.wording import scored
from tau.reports.worsened import Worsened

Part = tuple[str, str]
"""A text and how a terminal shows it."""
Row = tuple[Part, ...]

_BAR = 20
_LABEL = 14
_SHOWN = 3
_STYLES = {
    Ending.PROMOTE: "bold green",
    Ending.KEEP_BASELINE: "bold",
    Ending.MEASURED: "bold",
    Ending.NOTHING_SCORED: "bold red",
    Ending.NOT_SEARCHED: "bold red",
    Ending.FAILED: "bold red",
}
_UNSURE = "bold yellow"


def plain(row: Row) -> str:
    """A row without its styles."""
    return "".join(text for text, _ in row).rstrip()


def headline(found: RunOutcome) -> Iterator[Row]:
    """How it ended in capitals, and below it what that means."""
    word, indent = str(found.ending), " " * (len(found.ending) + 3)
    style = _UNSURE if found.doubtful else _STYLES.get(found.ending, _UNSURE)
    first, *rest = wrapped(line(found.head), columns() - len(indent))
    yield ((word, style), ("   ", ""), (first, "bold"))
    yield from (((indent + text, "bold"),) for text in rest)
    for text in found.under:
        yield from (((indent + each, ""),) for each in wrapped(line(text), columns() - len(indent)))


def bars(found: RunOutcome) -> Iterator[Row]:
    """Both prompts to scale, and what became of the examples."""
    if found.before is None or found.after is None:
        return
    for name, value, style in (
        ("before", found.before, "blue"),
        ("after", found.after, "green"),
    ):
        text = scored(value, found.binary)
        yield ((f"   {name:9}", ""), *bar(value, style), (f"  {text:>5}", "bold"))
    if found.changes is not None:
        better, worse, same = found.changes
        words = ("newly right", "newly wrong") if found.binary else ("better", "worse")
        total = figures.count(sum(found.changes), "example")
        text = f"of {total}: {better:,} {words[0]}, {worse:,} {words[1]}, {same:,} unchanged"
        yield from (((f"   {each}", ""),) for each in wrapped(text, columns() - 3))


def bar(value: float, style: str) -> tuple[Part, Part]:
    """A share of 0 to 1 as a bar and the rest of its line."""
    full = round(_BAR * min(1.0, max(0.0, value)))
    return ("█" * full, style), ("░" * (_BAR - full), "dim")


def worse(found: Sequence[Worsened], total: int, where: str) -> Iterator[Row]:
    """The examples that got worse, each with the command that shows it."""
    for n, one in enumerate(found[:_SHOWN]):
        label = f"{total:,} got worse" if n == 0 else ""
        shown = f"tau rollouts show {short_rollout(one.rollout_id)} --content{where}"
        width = room()
        wanted, got = _apart(line(one.wanted or "-"), line(one.got or "nothing"), 20)
        name = cut(line(one.name), 16)
        said = f"{name}   wanted {wanted}   got {got}"
        if cells(said) + 3 + cells(shown) <= width:
            yield _labelled(label, ((said, ""), ("   ", ""), (shown, "cyan")))
        else:
            yield _labelled(label, ((cut(said, width), ""),))
            yield command(shown)
    if total > min(len(found), _SHOWN) > 0:
        yield _labelled("", ((f"and {total - min(len(found), _SHOWN):,} more", "dim"),))


def _apart(wanted: str, got: str, most: int) -> tuple[str, str]:
    """Both in at most so many cells each, from a little before where they part on."""
    if max(cells(wanted), cells(got)) <= most:
        return wanted, got
    same = next((n for n, pair in enumerate(zip(wanted, got, strict=False))
                 if pair[0] != pair[1]), 0)  # fmt: skip
    start = max(0, same - 6)
    texts = (wanted, got) if start < 4 else (f"…{wanted[start:]}", f"…{got[start:]}")
    return cut(texts[0], most), cut(texts[1], most)


def said(label: str, text: str, style: str = "") -> Iterator[Row]:
    """A line with its label; what is long goes on below itself."""
    for n, each in enumerate(wrapped(line(text), room())):
        yield _labelled(label if n == 0 else "", ((each, style),))


def commands(rows: Sequence[tuple[str, str]]) -> Iterator[Row]:
    """What to do next, in two columns; below each other where that is too wide."""
    names = max((len(name) for name, _ in rows), default=0) + 3
    widest = max((cells(command) for _, command in rows), default=0)
    stacked = names + widest > room()
    indent = _LABEL + 3 if widest + 2 <= room() else 3
    for n, (name, command) in enumerate(rows):
        label = "next" if n == 0 else ""
        if stacked:
            yield _labelled(label, ((name, ""),))
            yield ((" " * indent, ""), (command, "cyan"))
        else:
            yield _labelled(label, ((f"{name:{names}}", ""), (command, "cyan")))


def room() -> int:
    """The cells of a line beside its label."""
    return columns() - _LABEL - 1


def command(text: str) -> Row:
    """A command below what it shows more of; it is never broken, whatever the width."""
    return _labelled("", ((text, "cyan"),)) if cells(text) <= room() else (("   " + text, "cyan"),)


def changed(account: Account) -> str:
    """`+ 9 rules, - 3`; empty where nothing was changed."""
    added, removed = account.rules_changed
    if not (added or removed):
        return ""
    more = f"+{figures.count(added, 'rule')}" if added else ""
    less = f"−{removed:,}" if added else f"−{figures.count(removed, 'rule')}"
    return ", ".join(part for part in (more, less if removed else "") if part)


def difference_command(account: Account, where: str) -> str:
    """The command that shows what was changed."""
    return f"tau candidates diff {quoted_run(account.run.id)}{where}"


def quoted_run(run: str) -> str:
    """A run's short name for a shell."""
    return shlex.quote(short_run(run))


def _labelled(label: str, parts: Row) -> Row:
    return ((f" {label:{_LABEL}}", "dim"), *parts)
