"""One claim about paired scores: what cannot be used is refused before anything is decided."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from tau.domain.json import Json
from tau.errors import InputError, UsageError
from tau.ports.clock import Clock
from tau.scores.ledger import Ledger, entry_of
from tau.scores.pairing import Paired
from tau.scores.sheet import counted
from tau.scoring.claims import Claim, ClaimKind, ClaimResult, PairedScores, decide
from tau.scoring.spending import certification_level

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedClaim(ClaimResult):
    """What was claimed, decided and found; `alpha` is the level the claim was held to.

    `earlier_claims` were made on some of the same rows, as the ledger has them; None without one.
    """

    alpha: float
    baseline: str = "baseline"
    candidate: str = "candidate"
    paired_by: str = "order"
    notes: tuple[str, ...] = ()
    earlier_claims: int | None = None

    @property
    def met(self) -> bool:
        """Whether the claim is met."""
        return self.decision.value == "promote"

    def to_dict(self) -> dict[str, Json]:
        """The result as JSON."""
        return {
            **self.to_json(),
            "alpha": self.alpha,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "paired_by": self.paired_by,
            "notes": list(self.notes),
            "earlier_claims": self.earlier_claims,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccount:
    """A ledger to write the claim into, in whose name and by which clock."""

    path: Path
    principal: str
    clock: Clock


def claim_of(*, margin: float | None, cost: bool, alpha: float, judged: bool = False) -> Claim:
    """The claim that a margin and a cost make.

    Raises:
        UsageError: a margin or level that claims nothing.
    """
    kind = ClaimKind.BETTER if margin is None else ClaimKind.NOT_WORSE
    if cost:
        kind = ClaimKind.CHEAPER
    try:
        return Claim(kind=kind, margin=margin, alpha=alpha, judged=judged)
    except TypeError:
        raise UsageError(
            "a margin and a level are numbers",
            why=f"margin is {margin!r}, alpha is {alpha!r}",
            fix="give them as in margin=0.02, alpha=0.05",
        ) from None
    except ValueError as error:
        raise UsageError(str(error), fix=_margin_fix(margin, cost=cost)) from None


def certify_pairs(
    paired: Paired, claim: Claim, *, names: tuple[str, str], account: LedgerAccount | None = None
) -> CertifiedClaim:
    """Decide a claim, at the level that earlier claims on the same rows have left of it.

    Raises:
        InputError: nothing can be decided on these rows; nothing was written then.
        FileError: the ledger cannot be locked or written.
    """
    scores, notes = _usable(paired.scores)
    notes = (*paired.notes, *notes)
    if account is None:
        return _certified(decide(claim, scores), paired, names, notes, alpha=claim.alpha)
    ledger, entry = Ledger(account.path), entry_of(paired, claim)
    with ledger.held():
        uses = ledger.earlier(entry)
        level = certification_level(claim.alpha, uses)
        result = decide(replace(claim, alpha=level.alpha), scores)
        ledger.add(
            entry,
            result=result,
            alpha=level.alpha,
            who=account.principal,
            at=account.clock.unix_ms(),
        )
    found = _certified(result, paired, names, notes, alpha=level.alpha)
    return replace(found, caveats=(*found.caveats, *level.caveats), earlier_claims=uses)


def _certified(
    result: ClaimResult, paired: Paired, names: tuple[str, str], notes: tuple[str, ...],
    *, alpha: float,
) -> CertifiedClaim:  # fmt: skip
    known = {one.name: getattr(result, one.name) for one in fields(result)}
    return CertifiedClaim(
        **known,
        alpha=alpha,
        baseline=names[0],
        candidate=names[1],
        paired_by=paired.by,
        notes=notes,
    )


def _usable(scores: PairedScores) -> tuple[PairedScores, tuple[str, ...]]:
    """The columns as they can be decided on, and what was left out of them."""
    for name, values in (("baseline", scores.baseline), ("candidate", scores.candidate)):
        if all(value is None for value in values):
            raise InputError(
                f"no row has a score of the {name}", fix="name its column, or score the rows"
            )
    pairs = sum(
        a is not None and b is not None
        for a, b in zip(scores.baseline, scores.candidate, strict=True)
    )
    if pairs < 2:
        raise InputError(
            f"{counted(pairs, 'row')} of {len(scores.ids):,} with scores of both"
            if pairs
            else f"no row of {len(scores.ids):,} has scores of both",
            why="nothing can be said of so few",
            fix="score the same rows with both; some 50 to 200 are usual",
        )
    if scores.groups is not None and len(set(scores.groups)) < 2:
        raise InputError(
            f"all {len(scores.ids):,} rows are of one group, '{scores.groups[0]}'",
            why="rows of one group count as one observation",
            fix="name another column by --group, or leave it out where rows are independent",
        )
    if scores.cost is not None:
        _check_cost(scores.cost)
    return _with_people(scores)


def _check_cost(cost: tuple[Sequence[float | None], Sequence[float | None]]) -> None:
    for name, values in zip(("baseline", "candidate"), cost, strict=True):
        if all(value is None for value in values):
            raise InputError(f"no row has a cost of the {name}", fix="name its column of costs")


def _with_people(scores: PairedScores) -> tuple[PairedScores, tuple[str, ...]]:
    """Rows count as labelled where people scored both answers."""
    if scores.human is None:
        return scores, ()
    ours, theirs = scores.human
    for name, values in (("baseline", ours), ("candidate", theirs)):
        if all(value is None for value in values):
            raise InputError(
                f"people have scored no answer of the {name}",
                why="a row helps only where people scored the answers of both",
                fix="label both (tau label), or leave people's scores out",
            )
    whole = [a is not None and b is not None for a, b in zip(ours, theirs, strict=True)]
    if not any(whole):
        raise InputError(
            "in no row have people scored the answers of both",
            fix="label both answers of the same rows (tau label)",
        )
    half = sum((a is None) != (b is None) for a, b in zip(ours, theirs, strict=True))
    if not half:
        return scores, ()
    kept = tuple(
        tuple(value if both else None for value, both in zip(column, whole, strict=True))
        for column in (ours, theirs)
    )
    note = f"people scored only one answer of {counted(half, 'row')}: that counts for nothing"
    return replace(scores, human=(kept[0], kept[1])), (note,)


def _margin_fix(margin: float | None, *, cost: bool) -> str | None:
    if margin is None:
        return "give --margin, such as --margin 0.02" if cost else None
    return "give a loss that would not matter, such as 0.02 for two points of a hundred"
