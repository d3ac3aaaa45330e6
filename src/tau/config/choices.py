"""The sections of a configuration that name plug-ins: model, executor, graders, algorithm."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from tau import plugins
from tau.config.fields import ModelFields, given
from tau.config.report import IssueReport, JsonPath, dotted
from tau.config.run_settings import GraderChoice, ModelChoice, PluginChoice, Reflection
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.json import Json
from tau.errors import PluginError
from tau.models.providers import EXAMPLE_MODEL

MODEL_FIELDS = tuple(each.name for each in fields(ModelFields))
REFLECTION_FIELDS = ("reflection_model", "reflection_params")
_CHILDREN = ("graders", "grader")


def executor(value: Json, report: IssueReport) -> PluginChoice | None:
    """The section `executor`: a name, or an object with `type`; `chat` by default."""
    return _plugin(plugins.EXECUTORS, value, "chat", ("executor",), report)


def algorithm(
    value: Json, replicates: Json, report: IssueReport, *, default: str = "evaluate"
) -> PluginChoice | None:
    """The section `algorithm`, with `default` where it names none.

    The configuration's `replicates` is handed to an algorithm that has a setting of this name.
    """
    steps: JsonPath = ("algorithm",)
    named = _named(value, default, steps, report)
    if named is None:
        return None
    plugin = _loaded(plugins.ALGORITHMS, named[0], _name_at(value, steps), report)
    if plugin is None:
        return None
    name, options = named
    options = {key: each for key, each in options.items() if key not in REFLECTION_FIELDS}
    if replicates is not None and "replicates" in _names(plugin.Settings):
        if options.get("replicates", replicates) != replicates:
            report.error(
                (*steps, "replicates"),
                "training config fields 'replicates' and 'algorithm.replicates' differ",
                fix="give one of them",
            )
        options = {**options, "replicates": replicates}
    settings = validated(plugin.Settings, options, steps=steps, report=report)
    return settings and PluginChoice(type=name, settings=settings, options=options)


def graders(value: Json, report: IssueReport) -> tuple[GraderChoice, ...]:
    """The section `graders`: names or objects with `type`; `exact_match` by default."""
    if value is None:
        implied = _graders(["exact_match"], ("graders",), report)
        return tuple(replace(each, implied=True) for each in implied)
    if not isinstance(value, list):
        report.error(
            ("graders",),
            f"training config field 'graders' must be a list, not {describe(value)}",
            fix='write ["exact_match"]',
        )
        return ()
    if not value:
        report.error(("graders",), "training config field 'graders' must not be empty")
    return _unique(_graders(value, ("graders",), report), report)


def reflection(value: Json, report: IssueReport) -> Reflection:
    """What an algorithm's proposals are asked of: fields of its section beside its own settings."""
    if not isinstance(value, Mapping):
        return Reflection()
    named, params = value.get("reflection_model"), value.get("reflection_params")
    if params is not None and not isinstance(params, Mapping):
        report.error(
            ("algorithm", "reflection_params"),
            f"training config field 'algorithm.reflection_params' must be an object, "
            f"not {describe(params)}",
        )
        params = None
    chosen = None
    if named is not None:
        chosen = model(named, None, report, steps=("algorithm", "reflection_model"))
    return Reflection(model=chosen, params=given(params or {}))


def model(
    value: Json, flag: str | None, report: IssueReport, *, steps: JsonPath = ("model",)
) -> ModelChoice | None:
    """The section `model`: `provider/model`, or an object with it as `name`; the flag wins."""
    if isinstance(value, str):
        value, at = {"name": value}, steps
    else:
        at = (*steps, "name")
    if value is not None and not isinstance(value, Mapping):
        report.error(
            steps,
            f"training config field '{dotted(steps)}' must be text or an object, not "
            + describe(value),
            fix=f"write 'provider/model', as {EXAMPLE_MODEL}",
        )
        value = None
    options = given(value or {})
    name = options.get("name")
    if flag is not None:
        options = _for_flag(options, name, flag, report)
        name = flag
    common = {key: options.pop(key) for key in MODEL_FIELDS if key in options}
    told = {**common, "name": "provider/model" if flag is not None else name}
    fixed = validated(ModelFields, told, steps=steps, report=report)
    if not isinstance(name, str) or fixed is None:
        return None
    place = at if flag is None else None
    provider, separator, rest = name.partition("/")
    if not (separator and provider.strip() and rest.strip()):
        usual = EXAMPLE_MODEL.partition("/")[2]
        example = usual if separator else name.strip() or usual
        message = f"model '{name}' must have the form 'provider/model'"
        _misnamed(place, message, f"for example openai/{example}", report)
        return None
    plugin = _loaded(plugins.MODELS, provider, place, report)
    if plugin is None:
        return None
    settings = validated(plugin.Settings, options, steps=steps, report=report)
    return settings and ModelChoice(
        ref=name,
        provider=provider,
        name=rest,
        settings=settings,
        options=options,
        base_url=fixed.base_url,
        timeout_s=fixed.timeout_s,
        record=fixed.record,
        by_flag=flag is not None,
    )


def _misnamed(steps: JsonPath | None, message: str, fix: str | None, report: IssueReport) -> None:
    """Report a wrong name; without `steps` it is the one of the command line's model."""
    if steps is None:
        report.of_model_flag(message, fix=fix)
    else:
        report.error(steps, message, fix=fix)


def _for_flag(
    options: dict[str, Json], name: Json, flag: str, report: IssueReport
) -> dict[str, Json]:
    """The options that still apply when the flag names the model."""
    written = name.partition("/")[0] if isinstance(name, str) else None
    if written is None or written == flag.partition("/")[0] or set(options) <= {"name"}:
        return options
    report.warning(
        ("model",),
        f"the settings of model '{name}' are not used: '{flag}' is of another provider",
        fix="remove them, or leave out --model",
    )
    return {}


def _plugin(
    group: str, value: Json, default: str, steps: JsonPath, report: IssueReport
) -> PluginChoice | None:
    named = _named(value, default, steps, report)
    plugin = named and _loaded(group, named[0], _name_at(value, steps), report)
    if named is None or plugin is None:
        return None
    name, options = named
    settings = validated(plugin.Settings, options, steps=steps, report=report)
    return settings and PluginChoice(type=name, settings=settings, options=options)


def _named(
    value: Json, default: str | None, steps: JsonPath, report: IssueReport
) -> tuple[str, dict[str, Json]] | None:
    """Name and options of a plug-in section."""
    if value is None and default is not None:
        return default, {}
    if isinstance(value, str):
        return value, {}
    subject = f"training config field '{dotted(steps)}'"
    if not isinstance(value, Mapping):
        report.error(steps, f"{subject} must be a name or an object, not {describe(value)}")
        return None
    options = dict(value)
    name = options.pop("type", default)
    if not isinstance(name, str):
        report.error(
            (*steps, "type"),
            f"training config field '{dotted((*steps, 'type'))}' "
            + ("is required" if name is None else f"must be text, not {describe(name)}"),
        )
        return None
    return name, options


def _name_at(value: Json, steps: JsonPath) -> JsonPath:
    """Where the name of a plug-in stands."""
    return (*steps, "type") if isinstance(value, Mapping) and "type" in value else steps


def _loaded(group: str, name: str, steps: JsonPath | None, report: IssueReport) -> Any:  # noqa: ANN401  (a plug-in class)
    try:
        return plugins.load(group, name)
    except PluginError as error:
        why = f": {error.why}" if error.why else ""
        _misnamed(steps, f"{error.what}{why}", error.fix, report)
        return None


def _graders(
    value: Sequence[Json], steps: JsonPath, report: IssueReport
) -> tuple[GraderChoice, ...]:
    made = (_grader(each, (*steps, index), report) for index, each in enumerate(value))
    placed = enumerate(made)
    return tuple(replace(each, position=index) for index, each in placed if each is not None)


def _grader(value: Json, steps: JsonPath, report: IssueReport) -> GraderChoice | None:
    named = _named(value, None, steps, report)
    plugin = named and _loaded(plugins.GRADERS, named[0], _name_at(value, steps), report)
    if named is None or plugin is None:
        return None
    kind, options = named
    settings_type = plugin.Settings
    name = _reward_name(kind, options, settings_type, steps, report)
    children = _children(settings_type, options, steps, report)
    settings = validated(settings_type, options, steps=steps, report=report)
    return settings and GraderChoice(
        name=name, type=kind, settings=settings, options=options, children=children
    )


def _reward_name(
    kind: str, options: dict[str, Json], settings: type[Any], steps: JsonPath, report: IssueReport
) -> str:
    """The `name` of a grader, taken out of its options unless it is a setting of its own."""
    given_name = options.get("name") if "name" in _names(settings) else options.pop("name", None)
    if given_name is None:
        return kind
    if isinstance(given_name, str) and given_name.strip():
        return given_name
    here = (*steps, "name")
    report.error(here, f"training config field '{dotted(here)}' must be text that is not blank")
    return kind


def _children(
    settings: type[Any], options: dict[str, Json], steps: JsonPath, report: IssueReport
) -> tuple[GraderChoice, ...]:
    """What a combinator combines. A child given by name alone becomes an object with `type`."""
    for key in _CHILDREN:
        if key not in _names(settings) or key not in options:
            continue
        value = options[key]
        if key == "grader" and isinstance(value, str | Mapping):
            child = _grader(value, (*steps, key), report)
            options[key] = _as_object(value)
            return (child,) if child else ()
        if key == "graders" and isinstance(value, list):
            options[key] = [_as_object(each) for each in value]
            return _graders(value, (*steps, key), report)
    return ()


def _as_object(value: Json) -> Json:
    return {"type": value} if isinstance(value, str) else value


def _unique(made: tuple[GraderChoice, ...], report: IssueReport) -> tuple[GraderChoice, ...]:
    for name, times in Counter(each.name for each in made).items():
        if times > 1:
            report.error(
                ("graders",), f"{times} graders are named '{name}'", fix="give each its own 'name'"
            )
    return made


def _names(settings: type[Any]) -> set[str]:
    return {each.name for each in fields(settings)}
