"""The JSON Schema of a configuration, with the settings of every plug-in that is installed."""

from collections.abc import Mapping, Sequence
from typing import Any

from tau import plugins
from tau.config.fields import (
    BudgetFields,
    ClaimFields,
    DatasetFields,
    GuardFields,
    JudgeFields,
    ModelFields,
    ObjectiveFields,
    RetriesFields,
    Scalars,
)
from tau.config.wording import adapter
from tau.errors import PluginError
from tau.scoring.safety import SafetyPolicy

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_ROWS = (
    "A list of rows, or an object that names a file. A row is a text, or an object with a text "
    "`prompt` and, if wanted, `expected`."
)
_DESCRIPTIONS = {
    "$schema": "Address of this schema, for editors.",
    "optimize": f"Rows that proposals are made from. {_ROWS}",
    "validate": f"Rows that candidates are selected on. {_ROWS}",
    "test": f"Rows that certify the winner, used for nothing else. {_ROWS}",
    "train": "Legacy name of `optimize`.",
    "val": "Legacy name of `validate`.",
    "resources": "Named texts or lists of chat messages; `system_prompt` is what `chat` sends. "
    "A value may name where its text is: `file` or `folder`, or `json` with what to "
    "`edit`. Where there are any, they are stored as a new version before anything runs.",
    "model": "`provider/model`, or an object with it as `name`. `--model` comes before it.",
    "params": "Passed to the model with every call as they are: temperature, max_tokens, ...",
    "executor": "How a rollout is run: a name, or an object with the name as `type`.",
    "graders": "What outputs are graded by: names, or objects with the name as `type`. "
    "`exact_match` where not given.",
    "judge": "The model that judges, for graders that ask one and name none. Unset: `model`.",
    "algorithm": "What chooses what to try next: a name, or an object with the name as `type`.",
    "claim": "What the winner must be proved to be: a name, or an object with it as `kind`. Fixed "
    "before anything is measured.",
    "objective": "Claim less of something instead: the cheapest prompt that is not worse wins.",
    "guards": "Graders beside the first that must not get worse; each is part of the claim.",
    "budget": "Hard limits of the run; it stops before it would exceed one, and can be continued.",
    "retries": "How failed attempts are retried.",
    "safety_reward": "What unsafe behaviour costs. A given list or map replaces the default one.",
}


def schema() -> Schema:
    """A JSON Schema (2020-12) that an editor can check a configuration with.

    It is as strict as `strict` reads one: unknown fields are mistakes.
    """
    defs: Schema = {}
    properties: Schema = {"$schema": {"type": "string"}}
    dataset = {"anyOf": [{"type": "array"}, _settings(DatasetFields, "dataset", defs)]}
    for name in ("optimize", "validate", "test", "train", "val"):
        properties[name] = dict(dataset)
    properties["resources"] = {"type": "object"}
    properties["model"] = {"anyOf": _models(defs)}
    properties["params"] = {"type": "object"}
    properties["executor"] = {"anyOf": _choices(plugins.EXECUTORS, "chat", defs)}
    defs["grader"] = {"anyOf": _choices(plugins.GRADERS, None, defs)}
    properties["graders"] = {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/grader"},
    }
    judge = _settings(JudgeFields, "judge", defs)
    asked = {"anyOf": _models(defs), "description": "The model. Unset: that of the rollouts."}
    judge["properties"] = {"model": asked, **judge["properties"]}
    properties["judge"] = {"type": "object", **judge}
    algorithms = _choices(plugins.ALGORITHMS, "evaluate", defs)
    properties["algorithm"] = {"anyOf": [_with_reflection(way, defs) for way in algorithms]}
    claim = _settings(ClaimFields, "claim", defs)
    kinds = claim["properties"]["kind"]["enum"]
    properties["claim"] = {"anyOf": [{"type": "string", "enum": kinds}, claim]}
    properties["objective"] = _settings(ObjectiveFields, "objective", defs)
    defs["guard"] = {"type": "object", **_settings(GuardFields, "guard", defs)}
    properties["guards"] = {"type": "array", "items": {"$ref": "#/$defs/guard"}}
    properties["budget"] = _settings(BudgetFields, "budget", defs)
    properties["retries"] = _settings(RetriesFields, "retries", defs)
    properties["safety_reward"] = _settings(SafetyPolicy, "safety", defs)
    for name, description in _DESCRIPTIONS.items():
        properties[name] = {**properties[name], "description": description}
    properties |= _settings(Scalars, "run", defs)["properties"]
    return {
        "$schema": DIALECT,
        "title": "Tau prompt-optimization configuration",
        "type": "object",
        "properties": {name: _nullable(each) for name, each in properties.items()},
        "additionalProperties": False,
        "anyOf": [{"required": [name]} for name in ("optimize", "validate", "train", "val")],
        "$defs": defs,
    }


def _with_reflection(way: Schema, defs: Schema) -> Schema:
    """A way of choosing an algorithm with the model that its proposals are asked of."""
    if way.get("type") != "object":
        return way
    fields: Schema = {
        "reflection_model": {
            "anyOf": _models(defs),
            "description": "The model that proposals are asked of. Unset: that of the rollouts.",
        },
        "reflection_params": {
            "type": "object",
            "description": "Passed to the reflection model with every call.",
        },
    }
    return {**way, "properties": {**way["properties"], **fields}}


def _settings(settings: Any, prefix: str, defs: Schema) -> Schema:  # noqa: ANN401  (a class)
    """The schema of one dataclass; what it refers to goes into `defs` under `prefix`."""
    made = adapter(settings).json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    local = made.get("$defs", {})
    own = made["items"]
    if "$ref" in own:
        own = local.pop(own["$ref"].rpartition(".")[2])
    defs |= {f"{prefix}.{name}": _tidy(each) for name, each in local.items()}
    return {"properties": {}, "additionalProperties": False, **_tidy(own)}


def _choices(group: str, default: str | None, defs: Schema) -> list[Schema]:
    """Every way of choosing a plug-in of `group`: its bare name, or an object."""
    names = plugins.names(group)
    kind = group.removeprefix("tau.")
    ways: list[Schema] = [{"type": "string", "enum": list(names)}]
    for name in names:
        own = _plugin(group, name, f"{kind}.{name}", defs)
        if own is None:
            continue
        properties: Schema = {"type": {"const": name, "description": "Name of the plug-in."}}
        if group == plugins.GRADERS:
            properties["name"] = {
                "type": "string",
                "description": "Name of its reward. Unset: the type.",
            }
        properties |= own["properties"]
        required = [*([] if name == default else ["type"]), *own.get("required", [])]
        ways.append(_object(own, properties, required))
    return ways


def _plugin(group: str, name: str, prefix: str, defs: Schema) -> Schema | None:
    """The settings of one plug-in; None where what it needs is not installed."""
    try:
        own = _settings(plugins.load(group, name).Settings, prefix, defs)
    except PluginError:
        return None
    if group == plugins.GRADERS:
        reference: Schema = {"$ref": "#/$defs/grader"}
        nested: Mapping[str, Schema] = {
            "grader": reference,
            "graders": {"type": "array", "items": reference},
        }
        for field in nested.keys() & own["properties"].keys():
            own["properties"][field] = {
                **_kept(own["properties"][field], ("description", "minItems", "maxItems")),
                **nested[field],
            }
    return own


def _models(defs: Schema) -> list[Schema]:
    """`provider/model` as text, or an object with the settings of its provider."""
    by_settings: dict[Any, list[str]] = {}
    for name in plugins.names(plugins.MODELS):
        try:
            settings = plugins.load(plugins.MODELS, name).Settings
        except PluginError:
            continue
        by_settings.setdefault(settings, []).append(name)
    common = _settings(ModelFields, "model", defs)["properties"]
    ways: list[Schema] = [{"type": "string", "pattern": "^[^/]+/.+$"}]
    for settings, providers in by_settings.items():
        own = _settings(settings, f"models.{providers[0]}", defs)
        name_schema = {
            "type": "string",
            "pattern": f"^({'|'.join(providers)})/.+$",
            "description": "`provider/model`.",
        }
        properties = {**common, **own["properties"], "name": name_schema}
        ways.append(_object(own, properties, ["name", *own.get("required", [])]))
    ways.append(
        {
            "type": "object",
            "not": {"required": ["name"]},
            "description": "Settings of the model that `--model` names.",
        }
    )
    return ways


def _object(own: Schema, properties: Schema, required: Sequence[str]) -> Schema:
    made: Schema = {
        **_kept(own, ("description",)),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**made, "required": list(required)} if required else made


def _nullable(schema: Schema) -> Schema:
    """`schema` or null, which is the same as leaving the field out."""
    if schema.get("type") == "null" or {"type": "null"} in schema.get("anyOf", ()):
        return schema
    outer = _kept(schema, ("description", "default"))
    inner = {key: each for key, each in schema.items() if key not in outer}
    return {**outer, "anyOf": [*_branches(inner), {"type": "null"}]}


def _branches(schema: Schema) -> list[Schema]:
    return list(schema["anyOf"]) if set(schema) == {"anyOf"} else [schema]


def _kept(schema: Schema, keys: Sequence[str]) -> Schema:
    return {key: schema[key] for key in keys if key in schema}


def _tidy(schema: Any) -> Any:  # noqa: ANN401
    """Without the titles that pydantic makes from names."""
    if isinstance(schema, dict):
        return {
            key: _tidy(each)
            for key, each in schema.items()
            if not (key == "title" and isinstance(each, str))
        }
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    return schema
