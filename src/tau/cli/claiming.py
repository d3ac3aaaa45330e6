"""What a run set out to prove and what came of it, where it is more than a better score."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tau.cli import figures
from tau.domain.json import Json
from tau.reports.account import Account
from tau.reports.gain import Gain, certificate

FLATTERED = (
    "scores on rows that chose the prompt flatter it; only 'gain' is measured on rows that did not"
)
_LISTED = 6


def claim_fields(account: Account) -> dict[str, Any]:
    """For the JSON result: what is claimed, the text that is recommended, and what flatters it."""
    found = certificate(account.evidence)
    return {
        "claim": dict(_claim(account)) or None,
        "cost": found.get("cost"),
        "guards": found.get("guards"),
        "front": account.evidence.get("front"),
        "best_resources": dict(account.best.values),
        "leader_resources": dict(account.leader.values),
        "comparison_note": FLATTERED,
    }


def group_facts(gain: Gain) -> Iterator[tuple[str, str]]:
    """The groups that the rows of a claim are."""
    if gain.groups is not None and gain.design_effect is not None:
        text = f"{figures.count(gain.groups, 'group')} of rows that belong together, the unit of "
        yield "groups", f"{text}the claim; design effect {gain.design_effect:.2f}"


def claim_facts(account: Account) -> Iterator[tuple[str, str]]:
    """Cost, guards and the front, each under its name."""
    claim, found = _claim(account), certificate(account.evidence)
    words = claim.get("words")
    if isinstance(words, str):
        yield "claim", words
    cost = found.get("cost")
    if isinstance(cost, Mapping):
        yield "cost", _cost_text(cost, str(claim.get("minimize")))
    guards = found.get("guards")
    if isinstance(guards, Mapping):
        for name, guard in guards.items():
            if isinstance(guard, Mapping):
                yield "guard", f"{name}: {str(guard.get('reason')).removeprefix(f'{name}: ')}"
    yield from _front_lines(account.evidence.get("front"), str(claim.get("minimize")))


def _claim(account: Account) -> Mapping[str, Json]:
    found = account.evidence.get("claim")
    return found if isinstance(found, Mapping) else {}


def _cost_text(cost: Mapping[str, Json], measure: str) -> str:
    """`312 instead of 1,020 (0.31 of it), prompt_length per row`."""
    rows, before, after = (_number(cost.get(name)) for name in ("rows", "baseline", "candidate"))
    if not rows:
        return "not known"
    ratio = f" ({after / before:.2f} of it)" if before else ""
    return f"{after / rows:,.4g} instead of {before / rows:,.4g}{ratio}, {measure} per row"


def _front_lines(front: Json, measure: str) -> Iterator[tuple[str, str]]:
    """Candidates that no other beats both in score and in cost; the search's own scores."""
    if not isinstance(front, Sequence) or isinstance(front, str) or not front:
        return
    yield "front", f"score and {measure} per row, on rows that chose:"
    for one in front[:_LISTED]:
        if isinstance(one, Mapping):
            yield (
                "",
                (
                    f"{str(one.get('candidate'))[:12]}  {_number(one.get('score')):.3f}  "
                    f"{_number(one.get('cost')):,.6g}  {one.get('origin')}, "
                    f"{figures.count(int(_number(one.get('rows'))), 'row')}"
                ),
            )
    if len(front) > _LISTED:
        yield "", f"and {len(front) - _LISTED} more, see --json"


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
