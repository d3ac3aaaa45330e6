"""How much of an error level each of many tests may use."""

from collections.abc import Sequence
from dataclasses import dataclass


def spent_on(alpha: float, test: int) -> float:
    """The level of the `test`-th test (from 1) of a run without known end: alpha / (k (k + 1)).

    The levels of all tests sum to alpha, so that a run claims anything falsely with probability
    at most alpha (Bonferroni's inequality). Inside a search a generous alpha is enough: the claim
    is made by the certification.

    Raises:
        ValueError: a test below 1.
    """
    if test < 1:
        raise ValueError(f"tests are counted from 1, got {test}")
    return alpha / (test * (test + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationLevel:
    """The level to certify at after `uses` earlier certifications on the same examples."""

    alpha: float
    uses: int
    caveats: tuple[str, ...]


def certification_level(
    alpha: float, ledger: Sequence[str], certification_set: str
) -> CertificationLevel:
    """Halve the level for each earlier use of the certification set, known by its hash.

    `ledger` holds the hash of the set for every certification so far. The first use has the full
    `alpha`; all uses together claim anything falsely with probability below 2 alpha as far as each
    winner was found without the results of earlier uses, which a caveat says.
    """
    uses = sum(used == certification_set for used in ledger)
    if not uses:
        return CertificationLevel(alpha=alpha, uses=0, caveats=())
    times = "once" if uses == 1 else f"{uses} times"
    level = alpha / 2**uses
    return CertificationLevel(
        alpha=level,
        uses=uses,
        caveats=(
            f"these examples certified {times} before, so the level is {level:.2g} instead of "
            f"{alpha:.2g}; choices made after seeing those results weaken even that: "
            "certify on fresh examples",
        ),
    )
