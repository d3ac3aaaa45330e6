"""What is reserved for an attempt before it is handed out."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tau.config import load
from tau.domain.dataset import Split
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.domain.spend import Spend
from tau.wiring.parts import build_parts
from tau.wiring.reserve import Reservation


async def reserved(folder: Path, kind: RolloutKind, **fields: Any) -> Spend:  # noqa: ANN401
    path = folder / "config.json"
    path.write_text(json.dumps({"optimize": ["q"] * 40, "resources": {"a": "Say."}, **fields}))
    config = load(path, environ={"OPENAI_API_KEY": "sk-test-canary-key"})
    async with AsyncExitStack() as closing:
        estimate = Reservation(config, build_parts(config, closing))
        example = config.examples[Split.OPTIMIZE][0]
        if kind is RolloutKind.EVALUATE:
            return estimate(RolloutRequest(kind=kind, resources=config.resources, example=example))
        proposal = {"messages": [{"role": "user", "content": "write a better one"}]}
        return estimate(RolloutRequest(kind=kind, resources=config.resources, proposal=proposal))


async def test_a_proposal_is_one_call_whatever_an_evaluation_needs(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("def task(example, resources):\n    return 'x'\n")
    task = {"executor": {"type": "python", "function": "tasks:task"}}
    fields = {**task, "algorithm": {"type": "reflect", "reflection_model": "sim/rules"}}
    assert (await reserved(tmp_path, RolloutKind.EVALUATE, **fields)).calls == 0
    assert (await reserved(tmp_path, RolloutKind.PROPOSE, **fields)).calls == 1


async def test_a_proposal_is_reserved_at_the_price_of_its_own_model(tmp_path: Path) -> None:
    fields = {
        "model": "openai/gpt-4o-mini",
        "params": {"max_tokens": 20},
        "algorithm": {
            "type": "reflect",
            "reflection_model": "openai/gpt-4o",
            "reflection_params": {"max_tokens": 1000},
        },
        "budget": {"usd": 1.0},
    }
    evaluation = await reserved(tmp_path, RolloutKind.EVALUATE, **fields)
    proposal = await reserved(tmp_path, RolloutKind.PROPOSE, **fields)
    # $0.60 and $10 for a million output tokens, 20 and 1,000 of them, and a little for the input.
    assert 0.000012 < evaluation.cost_usd < 0.00004
    assert 0.01 < proposal.cost_usd < 0.011
