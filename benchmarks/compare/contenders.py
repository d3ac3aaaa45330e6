"""Who is compared, with which settings. A row of results names one of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field

BUDGETS = (300, 600, 1200)
OPTIMIZE, VALIDATE = 100, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`worker` is the program that runs it: `tau`, or a peer's environment."""

    name: str
    worker: str
    method: str
    settings: Mapping[str, int | bool] = field(default_factory=dict)


CONTENDERS = (
    Contender(name="tau reflect", worker="tau", method="reflect"),
    *(
        Contender(
            name=f"tau reflect {shots} demos",
            worker="tau",
            method="reflect",
            settings={"demonstrations": shots},
        )
        for shots in (16, 64)
    ),
    *(
        Contender(
            name=f"tau few_shot {shots} demos",
            worker="tau",
            method="few_shot",
            settings={"shots": shots},
        )
        for shots in (4, 16, 64)
    ),
    Contender(name="gepa minibatch 3", worker="gepa", method="gepa", settings={"minibatch": 3}),
    Contender(name="gepa minibatch 8", worker="gepa", method="gepa", settings={"minibatch": 8}),
    Contender(name="gepa minibatch 16", worker="gepa", method="gepa", settings={"minibatch": 16}),
    Contender(name="gepa minibatch 32", worker="gepa", method="gepa", settings={"minibatch": 32}),
    Contender(
        name="dspy GEPA minibatch 3", worker="dspy", method="gepa", settings={"minibatch": 3}
    ),
    Contender(
        name="dspy GEPA minibatch 8", worker="dspy", method="gepa", settings={"minibatch": 8}
    ),
    Contender(
        name="dspy MIPROv2 4 demos",
        worker="dspy",
        method="mipro",
        settings={"candidates": 8, "bootstrapped": 4, "labeled": 4},
    ),
    Contender(
        name="dspy MIPROv2 16 demos",
        worker="dspy",
        method="mipro",
        settings={"candidates": 8, "bootstrapped": 4, "labeled": 16},
    ),
    Contender(
        name="dspy MIPROv2 64 demos",
        worker="dspy",
        method="mipro",
        settings={"candidates": 8, "bootstrapped": 4, "labeled": 64},
    ),
)


def named(name: str) -> Contender:
    """The contender of that name."""
    return next(one for one in CONTENDERS if one.name == name)
