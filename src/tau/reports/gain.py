"""The claim of a run, taken from its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.json import Json
from tau.scoring.compare import Comparison
from tau.scoring.wording import groups_wanted, settling_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Best minus baseline on `n` examples that chose nothing; the interval is at 1 - `alpha`.

    The p-value is that of the direction that is claimed where it is `one_sided`: it is then at most
    half of `alpha` exactly when the interval lies above 0, as a two-sided one is at most `alpha`.
    `rows_to_settle` is about how many examples would settle an inconclusive one. Where rows belong
    together, `groups` says how many, `design_effect` how many times larger that makes the variance.
    """

    n: int
    missing: int
    difference: float
    low: float
    high: float
    alpha: float
    p_value: float
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    one_sided: bool = False
    method: str = ""
    reason: str = ""
    rows_to_settle: int | None = None
    groups: int | None = None
    design_effect: float | None = None

    @property
    def groups_to_settle(self) -> int | None:
        """The examples to settle it as groups, where they belong together."""
        return groups_wanted(self.rows_to_settle, self.n, self.groups)

    @property
    def settling(self) -> str:
        """`about 24 groups (93 examples)`; empty where nothing is known."""
        rows = self.rows_to_settle
        return settling_text(rows, self.groups_to_settle, "example") if rows is not None else ""

    def short(self) -> dict[str, Json]:
        """The figures alone, as an alias keeps them for evidence."""
        return {
            "n": self.n,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
        }

    def to_json(self) -> dict[str, Json]:
        """By the names of its fields."""
        return {
            "n": self.n,
            "missing": self.missing,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "level": round(1 - self.alpha, 6),
            "p_value": self.p_value,
            "one_sided": self.one_sided,
            "method": self.method,
            "fixed": list(self.fixed),
            "broken": list(self.broken),
            "reason": self.reason,
            "rows_to_settle": self.rows_to_settle,
            "groups_to_settle": self.groups_to_settle,
            "groups": self.groups,
            "design_effect": self.design_effect,
        }


def of_comparison(found: Comparison) -> Gain:
    """A comparison as a gain."""
    return Gain(
        n=found.n,
        missing=found.missing,
        difference=found.difference,
        low=found.low,
        high=found.high,
        alpha=found.alpha,
        p_value=found.p_value,
        method=found.method.value,
        fixed=tuple(found.fixed),
        broken=tuple(found.broken),
        groups=found.groups,
        design_effect=found.design_effect,
    )


def certificate(evidence: Mapping[str, Json]) -> Mapping[str, Json]:
    """The certificate in a run's evidence; empty where nothing was certified."""
    found = evidence.get("certificate")
    return found if isinstance(found, Mapping) else {}


def of_evidence(evidence: Mapping[str, Json]) -> Gain | None:
    """The gain that a run's evidence claims or denies, None where nothing was compared."""
    whole = certificate(evidence)
    found = whole.get("comparison")
    if not isinstance(found, Mapping):
        return None
    reason, settle = whole.get("reason"), whole.get("rows_to_settle")
    return Gain(
        n=int(_number(found, "n")),
        missing=int(_number(found, "missing")),
        difference=_number(found, "difference"),
        low=_number(found, "low"),
        high=_number(found, "high"),
        alpha=_number(found, "alpha"),
        p_value=_number(found, "p_greater"),
        one_sided=True,
        method=str(found.get("method") or ""),
        fixed=_names(found.get("fixed")),
        broken=_names(found.get("broken")),
        reason=reason if isinstance(reason, str) else "",
        rows_to_settle=settle if isinstance(settle, int) else None,
        groups=int(_number(found, "groups")) or None,
        design_effect=_number(found, "design_effect") or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialClaim:
    """A decision on part of the rows, with what the others could have made of it."""

    compared: int
    missing: int
    bounds: Mapping[str, Json]

    @property
    def rows(self) -> str:
        """`24 of 30`."""
        return f"{self.compared:,} of {self.compared + self.missing:,}"

    @property
    def text(self) -> str:
        """One sentence: the decision if all missing rows had gone one way, or the other."""
        return (
            f"only {self.rows} rows were compared: had the missing ones all gone against the "
            f"candidate, it would be {self._case('against')}; all in its favour, "
            f"{self._case('in_favour')}"
        )

    @property
    def cases(self) -> tuple[tuple[str, str], ...]:
        """What the missing rows would have done, and the decision with its interval then."""
        return (
            ("had all missing rows gone against the candidate", self._case("against")),
            ("had all gone in its favour", self._case("in_favour")),
        )

    def to_json(self) -> dict[str, Json]:
        """By name."""
        return {"compared": self.compared, "missing": self.missing, **self.bounds}

    def _case(self, name: str) -> str:
        found = self.bounds.get(name)
        if not isinstance(found, Mapping):
            return "unknown"
        interval = f"{_number(found, 'low'):+.3f} to {_number(found, 'high'):+.3f}"
        return f"{str(found.get('decision')).replace('_', ' ')} ({interval})"


def partial_of(evidence: Mapping[str, Json]) -> PartialClaim | None:
    """What a run's evidence says of rows that could not be compared; None where they are few."""
    found = certificate(evidence).get("partial")
    if not isinstance(found, Mapping):
        return None
    return PartialClaim(
        compared=int(_number(found, "compared")),
        missing=int(_number(found, "missing")),
        bounds={name: found.get(name) for name in ("against", "in_favour")},
    )


def p_text(p_value: float) -> str:
    """`= 0.031` or `< 0.0001`: two digits, as far as they mean something."""
    return f"= {p_value:.2g}" if p_value >= 0.0001 else "< 0.0001"


def _number(found: Mapping[str, Json], name: str) -> float:
    value = found.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _names(value: Json) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(one) for one in value)
    return ()
