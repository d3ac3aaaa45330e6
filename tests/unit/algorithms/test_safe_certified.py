"""Every algorithm, whole: where an unsafe candidate leads by score, a better safe one is proved."""

from dataclasses import replace
from typing import Any

import pytest

from tau.algorithms.apo import Apo, ApoSettings
from tau.algorithms.few_shot import FewShot, FewShotSettings
from tau.algorithms.gepa import Gepa, GepaSettings
from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.algorithms.select import Select, SelectSettings
from tau.domain.decision import Decision
from tau.domain.draws import uniform
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from unit.algorithms.pretended import START, drive, problem, settled

CAREFUL, RECKLESS = "Be CAREFUL.", "Be RECKLESS."
GATE = Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0)


def prompt_of(request: RolloutRequest) -> str:
    return request.resources.text("system_prompt") or ""


def answer(request: RolloutRequest) -> RolloutResult:
    """Reckless prompts score 1 and trip the gate on every tenth row; careful ones do well."""
    if request.kind is RolloutKind.PROPOSE:
        line = RECKLESS if uniform(7, "kind", *request.key) < 0.5 else CAREFUL
        tag = f"{request.subject[:6]}{request.slot}"
        return settled(request, f"```\n{prompt_of(request)}\n{line} ({tag})\n```")
    draw = uniform(9, "row", request.subject)
    if "RECKLESS" in prompt_of(request):
        tripped = draw < 0.1
        found = settled(request, "said", 0.0 if tripped else 1.0)
        return replace(found, rewards=(*found.rewards, GATE)) if tripped else found
    return settled(
        request, "said", float(draw < (0.75 if "CAREFUL" in prompt_of(request) else 0.3))
    )


def observed(waves: list[list[RolloutRequest]], word: str) -> list[float]:
    asked = (one for wave in waves for one in wave if one.kind is RolloutKind.EVALUATE)
    return [answer(one).score or 0.0 for one in asked if word in prompt_of(one)]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Gepa, GepaSettings(evaluations=900, proposals=12, certification=60)),
        (Select, SelectSettings(prompts=(f"{START}\n{RECKLESS}", f"{START}\n{CAREFUL}"))),
        (FewShot, FewShotSettings(evaluations=900, proposals=6, certification=60)),
        (Apo, ApoSettings(evaluations=900, proposals=16, certification=60)),
        (Reflect, ReflectSettings(evaluations=700, proposals=12, certification=60)),
    ],
    ids=["gepa", "select", "few_shot", "apo", "reflect"],
)
def test_the_best_safe_candidate_is_certified_though_an_unsafe_one_scores_more(
    kind: Any,  # noqa: ANN401  (a class of algorithm)
    settings: Any,  # noqa: ANN401
) -> None:
    algorithm = kind.build(settings, problem(60, 40, 80, seed=2))
    waves = drive(algorithm, answer)
    best = algorithm.best()
    reckless, careful = observed(waves, "RECKLESS"), observed(waves, "CAREFUL")

    assert reckless, "no unsafe candidate was tried"
    assert careful, "no safe one was tried"
    assert best.decision is Decision.PROMOTE
    recommended = best.resources.text("system_prompt") or ""
    assert "CAREFUL" in recommended
    assert "RECKLESS" not in recommended
