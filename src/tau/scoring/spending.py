"""How much of the error level is left for a claim on examples that carried claims before."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationLevel:
    """The level to certify at after `uses` earlier certifications on the same examples."""

    alpha: float
    uses: int
    caveats: tuple[str, ...]


def certification_level(alpha: float, uses: int) -> CertificationLevel:
    """Halve the level for each earlier use of the certification set.

    The first use has the full `alpha`; all uses together claim anything falsely with probability
    below 2 alpha (Bonferroni's inequality) as far as each winner was found without the results of
    earlier uses, which a caveat says.
    """
    if not uses:
        return CertificationLevel(alpha=alpha, uses=0, caveats=())
    times = "once" if uses == 1 else f"{uses} times"
    level = alpha / 2**uses
    return CertificationLevel(
        alpha=level,
        uses=uses,
        caveats=(
            f"these examples carried a claim {times} before, so the level is {level:.2g} instead "
            f"of {alpha:.2g}; choices made after seeing those results weaken even that: "
            "certify on fresh examples",
        ),
    )
