"""What is known of the judges whose verdicts a run's scores are, as a part of its page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tau.charts.intervals import Interval, interval_chart
from tau.charts.svg import clean
from tau.domain.json import Json
from tau.reports.wording import counted, sentence

_FIGURES = (("accuracy", "Accuracy"), ("kappa", "Cohen's kappa"), ("alpha", "Krippendorff's alpha"))
_MOST_TESTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMeasurement:
    """One test against people's labels, or one check, with the figures of the command."""

    measured_unix_ms: int
    figures: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReport:
    """One judge of a run, by a sentence and its measurements, the oldest first."""

    grader: str
    judge: str
    said: str
    tests: tuple[JudgeMeasurement, ...] = ()
    checks: tuple[JudgeMeasurement, ...] = ()


def judge_section(judges: Sequence[JudgeReport]) -> Iterator[str]:
    """Agreement, confusion, bias, and how agreement went over time; nothing without judges."""
    if not judges:
        return
    yield "<h2>Judges</h2>"
    for judge in judges:
        yield f"<p>{clean(sentence(judge.said))}</p>"
        yield from judge_parts(judge)


def judge_parts(judge: JudgeReport) -> Iterator[str]:
    """The drawings and tables of one judge."""
    if judge.tests:
        yield from _agreement(judge.tests[-1].figures)
    if len(judge.tests) > 1:
        yield _drawn(_over_time(judge), "Kappa, test by test", start=-1)
    if judge.checks:
        yield from _bias(judge.checks[-1].figures)


def _agreement(figures: Mapping[str, Json]) -> Iterator[str]:
    rows = [row for key, name in _FIGURES if (row := _interval(figures.get(key), name))]
    if rows:
        start = min(0.0, *(row.low for row in rows))
        yield _drawn(rows, "Agreement with people", start=-1 if start < 0 else 0)
    yield from _confusion(figures)
    parts = [
        row
        for part in (*_list(figures.get("by_class")), *_list(figures.get("by_length")))
        if isinstance(part, Mapping) and (row := _interval(part.get("agreement"), _part_name(part)))
    ]
    if parts:
        yield _drawn(parts, "Agreement by people's label and by length")


def _part_name(part: Mapping[str, Json]) -> str:
    name, rows = str(part.get("name")), part.get("rows")
    words = name if "third" in name else f"people say {name}"
    return f"{words}, {counted(rows, 'output')}" if isinstance(rows, int) else words


def _confusion(figures: Mapping[str, Json]) -> Iterator[str]:
    classes = [f"{one:g}" for one in _list(figures.get("classes")) if isinstance(one, int | float)]
    table = [_list(row) for row in _list(figures.get("confusion"))]
    if not classes or len(table) != len(classes):
        return
    head = "".join(f"<th>judge {clean(one)}</th>" for one in classes)
    yield f'<div class="scroll"><table><tr><th></th>{head}</tr>'
    for name, row in zip(classes, table, strict=True):
        cells = "".join(f"<td>{count:,}</td>" for count in row if isinstance(count, int))
        yield f"<tr><th>people {clean(name)}</th>{cells}</tr>"
    yield "</table></div>"


def _bias(figures: Mapping[str, Json]) -> Iterator[str]:
    rows = [
        row
        for one in _list(figures.get("altered"))
        if isinstance(one, Mapping)
        and (row := _interval(one.get("shift"), str(one.get("meaning"))))
    ]
    if rows:
        yield f"<p>{clean(sentence(str(figures.get('verdict', ''))))}</p>"
        yield _drawn(rows, "Change of the score where the answer is altered", start=-1)


def _over_time(judge: JudgeReport) -> list[Interval]:
    found = []
    for one in judge.tests[-_MOST_TESTS:]:
        at = datetime.fromtimestamp(one.measured_unix_ms / 1000, UTC)
        row = _interval(one.figures.get("kappa"), f"{at:%Y-%m-%d %H:%M} UTC")
        if row is not None:
            found.append(row)
    return found


def _interval(value: Json, label: str) -> Interval | None:
    if not isinstance(value, Mapping):
        return None
    middle, low, high = (value.get(name) for name in ("value", "low", "high"))
    if not isinstance(middle, int | float):
        return None
    low = low if isinstance(low, int | float) else middle
    high = high if isinstance(high, int | float) else middle
    figure = f"{middle:.2f} ({low:.2f} to {high:.2f})".replace("-", "\u2212")
    return Interval(label=label, low=low, middle=middle, high=high, figure=figure)


def _drawn(rows: Sequence[Interval], title: str, *, start: float = 0) -> str:
    return f'<p class="dim">{title}</p><div class="scroll">' + (
        f"{interval_chart(title, rows, start=start, end=1)}</div>"
    )


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
