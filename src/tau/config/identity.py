"""When two configurations mean the same run."""

from dataclasses import replace
from typing import Any

from tau.config.judge_identity import judge_identities
from tau.config.run_settings import GraderChoice, ModelChoice, PluginChoice, RunConfig
from tau.config.wording import plain
from tau.domain.json import Json, content_hash
from tau.domain.placeholders import Template
from tau.models.redaction import masked_headers


def identified(config: RunConfig) -> RunConfig:
    """`config` with its meaning and the hash of it."""
    meaning = _meaning(config)
    return replace(config, semantic=meaning, config_hash=content_hash(meaning))


def grader_hash(config: RunConfig, grader: GraderChoice) -> str:
    """Of everything that a grader's verdicts depend on: its settings, and the model it may ask."""
    meaning: dict[str, Json] = {"grader": _grader(grader), "model": _model(config.model)}
    return content_hash(meaning)


def _meaning(config: RunConfig) -> dict[str, Json]:
    """What the outcome depends on, defaults written out; rows by their number and hash."""
    return {
        "examples": {
            split.value: {"rows": len(rows), "hash": content_hash([row.id for row in rows])}
            for split, rows in config.examples.items()
        },
        "resources": dict(config.resources.values),
        "model": _model(config.model),
        "params": dict(config.params),
        "executor": _plugin(config.executor),
        "graders": [_grader(each) for each in config.graders],
        # Left out where there are none: runs of before there were judges are still the same.
        **({"judges": judge_identities(config)} if config.judges else {}),
        "safety_reward": plain(config.safety),
        "algorithm": _plugin(config.algorithm),
        "reflection": {
            "model": _model(config.reflection.model),
            "params": dict(config.reflection.params),
        },
        "seed": config.seed,
        "replicates": config.replicates,
        # Left out where nothing is said: runs from before these could be given are still the same.
        **({} if config.claim.usual else {"claim": config.claim.to_json()}),
        **({"groups": _groups(config)} if config.groups else {}),
        **({"keep_reasoning": True} if config.keep_reasoning else {}),
        **({"command": config.command} if config.command else {}),
        **({"purpose": config.purpose} if config.purpose else {}),
        **({"sources": _sources(config)} if config.sources else {}),
        # Left out where it is the default: runs from before it was a setting are still the same.
        **({} if config.template is Template.PYTHON else {"template": config.template.value}),
    }


def _sources(config: RunConfig) -> dict[str, Json]:
    return {name: source.to_json() for name, source in config.sources.items()}


def _groups(config: RunConfig) -> dict[str, Json]:
    return {split.value: list(columns) for split, columns in config.groups.items()}


def _model(choice: ModelChoice | None) -> Json:
    if choice is None:
        return None
    settings = plain(choice.settings)
    if isinstance(headers := settings.get("headers"), dict):  # kept in the store
        settings["headers"] = masked_headers({name: str(v) for name, v in headers.items()})
    return {"ref": choice.ref, "base_url": choice.base_url, "settings": settings}


def _plugin(choice: PluginChoice) -> dict[str, Any]:
    return {"type": choice.type, "settings": plain(choice.settings)}


def _grader(choice: GraderChoice) -> dict[str, Any]:
    settings = plain(choice.settings)
    for key in ("graders", "grader"):
        if choice.children:
            settings.pop(key, None)  # the children say it, defaults included
    judge = choice.judge
    for key in ("model", "params"):
        if judge is not None:
            settings.pop(key, None)  # the judge says it, whichever section named it
    return {
        "name": choice.name,
        "type": choice.type,
        "settings": settings,
        "children": [_grader(child) for child in choice.children],
        **(
            {}
            if judge is None
            else {"judge": {"model": _model(judge.model), "params": dict(judge.params)}}
        ),
    }
