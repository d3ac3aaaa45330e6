"""`tau.certify`: a claim about two columns of scores that a program has at hand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tau.errors import InputError
from tau.scores.certifying import ALPHA, CertifiedClaim, certify_pairs, claim_of
from tau.scores.pairing import Paired
from tau.scores.sheet import counted, listed
from tau.scores.values import amounts, column
from tau.scoring.claims import PairedScores

_WHERE = "tau.certify"
Array = Iterable[Any]
"""A list, a tuple, or an array or column that has `tolist`."""


def certify(
    baseline: Array,
    candidate: Array,
    *,
    ids: Array | None = None,
    group: Array | None = None,
    human: tuple[Array, Array] | None = None,
    cost: tuple[Array, Array] | None = None,
    margin: float | None = None,
    alpha: float = ALPHA,
) -> CertifiedClaim:
    """Decide whether the candidate is better than the baseline, from scores of the same rows.

    Arrays have one length and one order; scores are in 0..1, None or NaN where one is missing.
    `group` names what rows belong to: a document, a conversation. `human` are people's scores of
    both answers, None where a row is not labelled. A `margin` makes the claim *not worse*, a `cost`
    of both beside it *cheaper and not worse*. The result has the fields of `tau certify --json`.

    Raises:
        InputError: something given cannot be used, or nothing can be decided on it.
    """
    claim = claim_of(margin=margin, cost=cost is not None, alpha=alpha)
    ours, theirs = _listed("baseline", baseline), _listed("candidate", candidate)
    if len(ours) != len(theirs):
        raise InputError(
            f"{counted(len(ours), 'score')} of the baseline and "
            f"{counted(len(theirs), 'score')} of the candidate",
            where=_WHERE,
            fix="give one of each for every row, None where one is missing",
        )
    if not ours:
        raise InputError("there are no scores", where=_WHERE)
    names = _names(ids, len(ours))
    scores = PairedScores(
        ids=names,
        baseline=_column("baseline", ours, names),
        candidate=_column("candidate", theirs, names),
        groups=None if group is None else tuple(_texts("group", group, len(ours))),
        human=_pair("human", human, names),
        cost=_pair("cost", cost, names),
    )
    paired = Paired(scores=scores, contents=None, by="order" if ids is None else "id")
    return certify_pairs(paired, claim, names=("baseline", "candidate"))


def _listed(name: str, values: object) -> list[object]:
    """Plain Python values."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        kind = type(values).__name__
        raise InputError(f"{name} must be a list or an array, not {kind}", where=_WHERE)
    plain = values.tolist() if hasattr(values, "tolist") else values
    return list(plain) if isinstance(plain, Iterable) else [plain]


def _sized(name: str, values: object, length: int) -> list[object]:
    found = _listed(name, values)
    if len(found) != length:
        raise InputError(
            f"{name} has {counted(len(found), 'value')} for {counted(length, 'row')}", where=_WHERE
        )
    return found


def _texts(name: str, values: Array, length: int) -> list[str]:
    """What names rows or groups; nothing is no name."""
    found = _sized(name, values, length)
    for at, value in enumerate(found):
        if value is None or value != value or value == "":
            raise InputError(f"{name} has nothing for row {at}", where=_WHERE)
    return [str(value) for value in found]


def _names(ids: Array | None, length: int) -> tuple[str, ...]:
    if ids is None:
        return tuple(map(str, range(length)))
    names = _texts("ids", ids, length)
    if len(set(names)) != length:
        twice = [name for name, times in Counter(names).items() if times > 1]
        raise InputError(
            f"ids are there more than once, such as {listed(twice, 3)}",
            where=_WHERE,
            fix="give each row its own; average repeated tries at a row first",
        )
    return tuple(names)


def _column(name: str, values: Sequence[object], names: Sequence[str]) -> tuple[float | None, ...]:
    return tuple(column(values, names, name=name, where=_WHERE, scale=None))


def _pair(
    name: str, both: tuple[Array, Array] | None, names: Sequence[str]
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]] | None:
    if both is None:
        return None
    columns = _listed(name, both)
    if len(columns) != 2:
        raise InputError(
            f"{name} must be a pair: the baseline's values and the candidate's", where=_WHERE
        )
    of = ("baseline", "candidate")
    found = []
    for side, values in zip(of, columns, strict=True):
        title = f"{name} of the {side}"
        plain = _sized(title, values, len(names))
        if name == "cost":
            found.append(tuple(amounts(plain, names, name=title, where=_WHERE)))
        else:
            found.append(_column(title, plain, names))
    return found[0], found[1]
