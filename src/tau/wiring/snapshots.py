"""What a run keeps of its configuration, as a configuration again."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tau import plugins
from tau.domain.json import Json
from tau.domain.run import Run


def as_configuration(run: Run, rows: Mapping[str, Sequence[Json]]) -> dict[str, Any]:
    """The run's snapshot with `rows` by split, to be validated like any configuration."""
    kept = dict(run.config)
    reflection = cast(Mapping[str, Any], kept.get("reflection") or {})
    algorithm = _plugin(kept["algorithm"])
    if reflection.get("model"):
        algorithm["reflection_model"] = _model(reflection["model"])
    if reflection.get("params"):
        algorithm["reflection_params"] = reflection["params"]
    return {
        **{split: list(found) for split, found in rows.items()},
        "resources": kept["resources"],
        "model": _model(kept["model"]) if kept.get("model") else None,
        "params": kept["params"],
        "executor": _plugin(kept["executor"]),
        "graders": [_grader(each) for each in cast(Sequence[Any], kept["graders"])],
        "safety_reward": kept["safety_reward"],
        "algorithm": algorithm,
        "seed": kept["seed"],
        "replicates": kept["replicates"],
        "template": kept.get("template"),
    }


def _plugin(kept: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    return {"type": kept["type"], **kept["settings"]}


def _model(kept: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    base = {"base_url": kept["base_url"]} if kept.get("base_url") else {}
    return {"name": kept["ref"], **base, **kept["settings"]}


def _grader(kept: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    fields = {"type": kept["type"], "name": kept["name"], **kept["settings"]}
    judge = kept.get("judge")
    if judge is not None:
        fields["params"] = judge["params"]
        if judge["model"]:
            fields["model"] = _model(judge["model"])
    children = [_grader(child) for child in kept["children"]]
    if children:
        plugin = plugins.load(plugins.GRADERS, kept["type"])
        many = "graders" in plugin.Settings.__dataclass_fields__
        fields["graders" if many else "grader"] = children if many else children[0]
    return fields
