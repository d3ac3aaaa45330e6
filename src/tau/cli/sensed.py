"""What a check of a judge found, and how it is told."""

from collections.abc import Iterator
from dataclasses import dataclass

from tau.cli import figures
from tau.cli.judged import estimate_fields
from tau.cli.text import Column, columns, facts, line, table, wrapped
from tau.domain.json import Json
from tau.scoring.calibration import IntervalEstimate
from tau.scoring.perturbations import MEANINGS, Perturbation
from tau.scoring.sensitivity import Sensitivity

_FLIPS = 0.05
"""Of verdicts that change when asked again, for it to be named."""
_NAMES = {
    Perturbation.PADDED: "length",
    Perturbation.REWORDED: "wording",
    Perturbation.ORDER: "orders in the answer",
    Perturbation.EMPTY: "an empty answer passes",
    Perturbation.ORDER_ONLY: "an order alone passes",
    Perturbation.ANOTHERS: "another row's answer passes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedJudge:
    """What verdicts depend on. `gain`, where it is known, is what weaknesses are held against."""

    grader: str
    judge: str
    model: str | None
    outputs: int
    repeated: Sensitivity
    altered: tuple[Sensitivity, ...]
    gain: float | None
    runs: tuple[str, ...]

    @property
    def weaknesses(self) -> tuple[Sensitivity, ...]:
        """Alterations that show one."""
        return tuple(one for one in self.altered if one.weak)

    @property
    def verdict(self) -> str:
        """One sentence."""
        said = [_weakness(one) for one in self.weaknesses]
        if (self.repeated.changed.value or 0.0) >= _FLIPS:
            said.insert(0, f"{_share(self.repeated.changed)} of verdicts change when asked again")
        if not said:
            return f"no weakness was found on {figures.count(self.outputs, 'output')}"
        return f"{_counted(len(said))}: {'; '.join(said)}"

    def share(self, one: Sensitivity) -> float | None:
        """How much of the gain could come from it, from 0 to 1; None where that is not known."""
        if self.gain is None or self.gain <= 0 or one.perturbation is None:
            return None
        return min(1.0, one.gain / self.gain) if one.perturbation.harmless else None


def lines(found: CheckedJudge) -> Iterator[str]:
    """For a terminal: the verdict first."""
    yield from wrapped(line(f"{found.grader}: {found.verdict}"), columns())
    yield ""
    yield from table(
        [
            Column(name="answers", least=24, wrap=True),
            Column(name="changed", right=True),
            Column(name="score"),
            Column(name="pass", right=True),
        ],
        [
            _row("the same, asked again", found.repeated),
            *(_row(MEANINGS[one.perturbation], one) for one in found.altered if one.perturbation),
        ],
    )
    yield ""
    yield from facts(_said(found))


def _row(name: str, one: Sensitivity) -> list[str]:
    low, high = one.shift.low, one.shift.high
    shift = f"{one.shift.value:+.3f}"
    if low is not None and high is not None:
        shift += f" ({low:+.3f} to {high:+.3f})"
    return [name, _share(one.changed), shift, _share(one.passing)]


def _said(found: CheckedJudge) -> Iterator[tuple[str, str]]:
    for one in found.altered:
        share = found.share(one)
        if share is None or one.perturbation is None or found.gain is None:
            continue
        if one.gain:
            yield (
                _NAMES[one.perturbation],
                f"up to {100 * share:.0f} % of a gain of {100 * found.gain:.1f} points could come "
                "from it alone",
            )
    if found.gain is None:
        yield "gain", "name one with --gain to see what share of it could come from a weakness"
    yield "outputs", f"{found.outputs:,}, each judged {2 + len(found.altered)} times"
    yield "judge", f"{found.judge[:16]}{f' asks {found.model}' if found.model else ''}"


def _weakness(one: Sensitivity) -> str:
    if one.perturbation is None:
        return ""
    name = _NAMES[one.perturbation]
    if one.perturbation.harmless:
        return f"{name} ({100 * one.gain:+.0f} points)"
    return f"{name} ({_share(one.passing)})"


def _counted(number: int) -> str:
    return "1 weakness" if number == 1 else f"{number} weaknesses"


def _share(one: IntervalEstimate) -> str:
    return "-" if one.value is None else f"{100 * one.value:.0f} %"


def fields(found: CheckedJudge) -> dict[str, Json]:
    """The result as JSON."""
    return {
        "verdict": found.verdict,
        "grader": found.grader,
        "judge": found.judge,
        "model": found.model,
        "outputs": found.outputs,
        "gain": found.gain,
        "flip_rate": estimate_fields(found.repeated.changed),
        "altered": [
            {
                "alteration": str(one.perturbation),
                "meaning": MEANINGS[one.perturbation],
                "rows": one.rows,
                "changed": estimate_fields(one.changed),
                "shift": estimate_fields(one.shift),
                "passing": estimate_fields(one.passing),
                "weak": one.weak,
                "gain": one.gain,
                "share_of_gain": found.share(one),
            }
            for one in found.altered
            if one.perturbation is not None
        ],
        "runs": list(found.runs),
    }
