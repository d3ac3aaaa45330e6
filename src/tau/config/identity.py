"""When two configurations mean the same run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tau.config.settings import GraderChoice, ModelChoice, PluginChoice
from tau.config.wording import plain
from tau.domain.dataset import Example, Split
from tau.domain.json import Json, content_hash
from tau.domain.resources import Resources
from tau.scoring.safety import SafetyPolicy


def semantic(
    *,
    examples: Mapping[Split, Sequence[Example]],
    resources: Resources,
    model: ModelChoice | None,
    params: Mapping[str, Json],
    executor: PluginChoice,
    graders: Iterable[GraderChoice],
    safety: SafetyPolicy,
    algorithm: PluginChoice,
    seed: int,
    replicates: int,
) -> dict[str, Json]:
    """What the outcome depends on, defaults written out; rows by their number and hash."""
    return {
        "examples": {
            split.value: {"rows": len(rows), "hash": content_hash([row.id for row in rows])}
            for split, rows in examples.items()
        },
        "resources": dict(resources.values),
        "model": _model(model),
        "params": dict(params),
        "executor": _plugin(executor),
        "graders": [_grader(each) for each in graders],
        "safety_reward": plain(safety),
        "algorithm": _plugin(algorithm),
        "seed": seed,
        "replicates": replicates,
    }


def _model(choice: ModelChoice | None) -> Json:
    if choice is None:
        return None
    return {"ref": choice.ref, "base_url": choice.base_url, "settings": plain(choice.settings)}


def _plugin(choice: PluginChoice) -> dict[str, Any]:
    return {"type": choice.type, "settings": plain(choice.settings)}


def _grader(choice: GraderChoice) -> dict[str, Any]:
    settings = plain(choice.settings)
    for key in ("graders", "grader"):
        if choice.children:
            settings.pop(key, None)  # the children say it, defaults included
    return {
        "name": choice.name,
        "type": choice.type,
        "settings": settings,
        "children": [_grader(child) for child in choice.children],
    }
