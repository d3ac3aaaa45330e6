"""A decision in the words of its claim, where more or other than a better score was claimed."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tau.domain.json import Json
from tau.reports.account import Account
from tau.reports.gain import Gain, certificate
from tau.reports.wording import counted, points
from tau.scoring.power import fewest_for_margin

_OPEN, _REFUTED, _PROVED = "inconclusive", "keep_baseline", "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWords:
    """What to say first, what belongs to it, why it is so and what would help."""

    head: str
    under: tuple[str, ...]
    why: str = ""
    helps: tuple[str, ...] = ()


def claim_words(account: Account, gain: Gain, step: str, fresh: str) -> ClaimWords | None:
    """None where a better score was all that was claimed; `step` and `fresh` are of the score."""
    claim = account.evidence.get("claim")
    words = claim.get("words") if isinstance(claim, Mapping) else None
    if not isinstance(claim, Mapping) or not isinstance(words, str):
        return None
    change = f"the score changes by {step}"
    bounds = f"between {points(gain.low, account.binary)} and {points(gain.high, account.binary)}"
    if account.decision == _PROVED:
        return ClaimWords(head=f"proved: {words}", under=(change, f"surely {bounds} ({fresh})"))
    if account.decision == _REFUTED:
        by = _and(_parts(account, _REFUTED))
        head = f"refuted by {by}: {words}" if by else f"refuted, or not found: {words}"
        sure = "surely " if "the score" in by or not by else ""
        return ClaimWords(
            head=head, under=(change, f"{sure}{bounds} ({fresh})"), why=account.reason or ""
        )
    few = too_few(claim, gain, _parts(account, _OPEN))
    return ClaimWords(
        head=few or _open_head(account, words),
        under=(*((f"claimed: {words}",) if few else ()), change, f"{bounds} ({fresh})"),
        why=account.reason or "",
        helps=(f"{gain.settling} would settle it",) if gain.settling else (),
    )


def too_few(claim: Mapping[str, Json], gain: Gain, still_open: Collection[str] = ()) -> str:
    """That so few rows can never prove it, whatever they show; empty where they can.

    Of a claim of several parts only those count that are `still_open`, by name.
    """
    guards = claim.get("guards")
    listed = guards if isinstance(guards, list) else []
    given = {
        "the score": claim.get("margin"),
        **{
            f"the guard '{one.get('grader')}'": one.get("margin")
            for one in listed
            if isinstance(one, dict)
        },
    }
    margins = [
        float(one)
        for name, one in given.items()
        if isinstance(one, int | float) and 0 < one < 1 and (not still_open or name in still_open)
    ]
    wanted = max((fewest_for_margin(one, gain.alpha / 2) for one in margins), default=0)
    units, noun = (gain.groups, "group") if gain.groups else (gain.n, "test example")
    if units >= wanted:
        return ""
    verb = "is" if units == 1 else "are"
    return f"{counted(units, noun)} {verb} too few for this claim: at least {wanted:,} are needed"


def _open_head(account: Account, words: str) -> str:
    """Which parts are open, by name, where there are several."""
    names = _parts(account, _OPEN)
    if not names:
        return f"these rows cannot tell: {words}"
    verb = "is" if len(names) == 1 else "are"
    return f"{_and(names)} {verb} open: these rows cannot tell whether it is {words}"


def _parts(account: Account, decision: str) -> list[str]:
    """The parts of a claim of several that were decided so, as people call them."""
    found = certificate(account.evidence)
    parts = found.get("parts")
    if isinstance(parts, Mapping):
        return [name for name, decided in _named(parts) if decided == decision]
    guards = found.get("guards")  # runs from before parts were kept know their guards
    known = guards.items() if isinstance(guards, Mapping) else ()
    return [
        f"the guard '{name}'"
        for name, guard in known
        if isinstance(guard, Mapping) and guard.get("decision") == decision
    ]


def _named(parts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name in ("score", "cost"):
        if name in parts:
            yield f"the {name}", parts[name]
    guards = parts.get("guards")
    if isinstance(guards, Mapping):
        for name, decided in guards.items():
            yield f"the guard '{name}'", decided


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
