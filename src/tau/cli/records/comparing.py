"""Two prompts on the examples they share, from what is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tau.cli import figures
from tau.cli.claiming import group_facts
from tau.cli.optimization import estimate_text, gain_evidence, gain_text
from tau.cli.records.conditions import choose
from tau.cli.records.naming import resolve, run_or_resources
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import Column, facts, line, table
from tau.domain.ids import ResourcesHash, RunId, short_hash
from tau.domain.resources import Resources
from tau.errors import InputError
from tau.ports.insights import Measurement
from tau.ports.store import Store
from tau.readings.comparison import paired
from tau.readings.scores import pooled
from tau.reports.conditions import Conditions, conditions_of, each_once
from tau.reports.gain import Gain, of_comparison
from tau.reports.wording import signed
from tau.scoring.aggregate import Estimate
from tau.scoring.compare import compare
from tau.scoring.power import fewest_rows

_NAMED = 10
_SELECTED = "where one of them was chosen by scores on these examples, the difference flatters it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both:
    """What is known of both: scores measured under the same conditions, and what was left out."""

    first: Resources
    second: Resources
    gain: Gain | None
    estimates: tuple[Estimate | None, Estimate | None]
    shared: int
    notes: tuple[str, ...]
    margin: float | None = None
    models: tuple[str | None, str | None] = (None, None)
    across_models: bool = False


def compare_stored(
    store: str,
    first: str,
    second: str,
    *,
    alpha: float,
    margin: float | None,
    as_json: bool,
    verbose: bool = False,
    across_models: bool = False,
) -> int:
    """Print the paired difference, `second` minus `first`; with a margin, whether it is worse."""
    both = read(
        store, lambda opened: _both(opened, first, second, alpha, across_models=across_models)
    )
    both = replace(both, margin=margin)
    if as_json:
        print_json(_fields(both))
    else:
        print_lines(list(_lines(both, first, second, verbose=verbose)))
    return Exit.OK


async def _both(
    opened: Store, first: str, second: str, alpha: float, *, across_models: bool
) -> _Both:
    ours, theirs = await resolve(opened, first), await resolve(opened, second)
    same = ours.hash == theirs.hash
    if same and not across_models:
        raise InputError(
            f"'{first}' and '{second}' are the same resources",
            why=f"both are {short_hash(ours.hash)}",
            fix="to compare what it scores on two models: --across-models",
        )
    sides = (
        await _measurements(opened, ours.hash, first),
        await _measurements(opened, theirs.hash, second),
    )
    conditions = await conditions_of(opened, [*sides[0], *sides[1]])
    chosen = choose(sides, conditions, across_models=across_models, same=same)
    notes = list(chosen.notes())
    if not across_models and _other_models(sides, conditions):
        notes.append("they were measured with different models: --across-models compares these")
    pairing = paired(chosen.sides[1], chosen.sides[0])
    return _Both(
        first=ours,
        second=theirs,
        gain=of_comparison(compare(pairing, alpha=alpha)) if pairing else None,
        estimates=(pooled(chosen.sides[0]), pooled(chosen.sides[1])),
        shared=len(pairing.differences) if pairing else 0,
        notes=tuple(notes),
        models=chosen.models,
        across_models=chosen.crosses,
    )


def _other_models(
    sides: tuple[list[Measurement], list[Measurement]], conditions: Mapping[RunId, Conditions]
) -> bool:
    """Whether the sides were measured in the same way, but never with the same model."""
    alike = choose(sides, conditions)
    return not all(alike.sides) and choose(sides, conditions, across_models=True).crosses


async def _measurements(opened: Store, resources: ResourcesHash, name: str) -> list[Measurement]:
    """What is settled of the resources, in the run that `name` names or in any."""
    run, _ = await run_or_resources(opened, name)
    found = await opened.insights.measurements(run=run, resources=resources)
    counted = found if run is not None else each_once(found)
    return [one for one in counted if one.compared_score is not None]


def _too_few(both: _Both) -> str | None:
    """What keeps these examples from telling anything."""
    if not both.shared:
        return "no example was measured with both: run both on the same examples"
    gain = both.gain
    if gain is None or both.shared >= fewest_rows(gain.alpha / 2):
        return None
    return f"{figures.count(both.shared, 'shared example')}: too few to tell anything"


def _verdict(both: _Both) -> str:
    gain = both.gain
    if gain is None or _too_few(both):
        return "cannot tell"
    if gain.low > 0:
        return "the second is better"
    if both.margin is not None:
        return _against_margin(gain, both.margin)
    return "the first is better" if gain.high < 0 else "no difference is proved"


def _against_margin(gain: Gain, margin: float) -> str:
    """By the bounds of the interval: each holds with half of what the interval's level leaves."""
    if gain.low > -margin:
        return f"the second is not worse by {margin:g}"
    if gain.high < -margin:
        return f"the second is worse by more than {margin:g}"
    if gain.high < 0:
        return f"the first is better; whether by {margin:g} is not proved"
    return f"it is not proved that the second is not worse by {margin:g}"


def _lines(both: _Both, first: str, second: str, *, verbose: bool) -> Iterator[str]:
    prompts = []
    for name, resources, estimate in (
        (first, both.first, both.estimates[0]),
        (second, both.second, both.estimates[1]),
    ):
        count = figures.count(estimate.n, "example") if estimate else "-"
        prompts.append((line(name), short_hash(resources.hash), estimate_text(estimate), count))
    header = (Column(name="prompt", least=12), Column(name="hash"), Column(name="score"),
              Column(name="on", drop=1))  # fmt: skip
    yield from table(header, prompts)
    yield ""
    yield _verdict(both)
    said = []
    if both.gain is not None:
        said += _gain(both.gain, verbose=verbose)
        said += group_facts(both.gain)
        for title, names in (("better in", both.gain.fixed), ("worse in", both.gain.broken)):
            if names:
                rest = len(names) - _NAMED
                more = f" and {rest:,} more" if rest > 0 else ""
                said.append((title, f"{', '.join(map(_short, names[:_NAMED]))}{more}"))
    said += [("note", note) for note in filter(None, (_too_few(both), *both.notes, _SELECTED))]
    yield from facts(said)


def _gain(gain: Gain, *, verbose: bool) -> list[tuple[str, str]]:
    """The difference and what it rests on; how that was worked out only where it is asked for."""
    if verbose:
        return [("difference", gain_text(gain)), ("evidence", gain_evidence(gain))]
    same = gain.n - len(gain.fixed) - len(gain.broken)
    return [
        ("difference", f"{signed(gain.difference)} ({signed(gain.low)} to {signed(gain.high)})"),
        (
            "evidence",
            f"{figures.count(gain.n, 'example')} of both: {len(gain.fixed):,} better, "
            f"{len(gain.broken):,} worse, {same:,} unchanged",
        ),
    ]


def _short(example: str) -> str:
    """Split and first digits of an example's id."""
    split, _, digest = line(example).partition(":")
    return f"{split}:{digest[:8]}"


def _fields(both: _Both) -> dict[str, Any]:
    return {
        "first_hash": both.first.hash,
        "second_hash": both.second.hash,
        "verdict": _verdict(both),
        "margin": both.margin,
        "shared_examples": both.shared,
        "first_model": both.models[0],
        "second_model": both.models[1],
        "across_models": both.across_models,
        "difference": both.gain.to_json() if both.gain else None,
        "first_mean": both.estimates[0].mean if both.estimates[0] else None,
        "second_mean": both.estimates[1].mean if both.estimates[1] else None,
        "notes": [note for note in (_too_few(both), *both.notes, _SELECTED) if note],
    }
