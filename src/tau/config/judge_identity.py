"""By which hash what is known of a configuration's judges is kept."""

from tau import plugins
from tau.config.run_settings import GraderChoice, RunConfig
from tau.domain.json import Json
from tau.errors import InputError
from tau.graders.judge import Judge, rubric_of
from tau.graders.judge_request import judge_hash


def judge_identity(config: RunConfig, grader: GraderChoice) -> str | None:
    """The judge's hash; None where the grader asks no model by a rubric, or cannot be used."""
    asked = config.judge_of(grader)
    if grader.judge is None or asked is None:
        return None
    plugin = plugins.load(plugins.GRADERS, grader.type)
    if not issubclass(plugin, Judge):
        return None
    try:
        rubric = rubric_of(grader.settings, plugin.ready, config.base_dir)
    except InputError:  # the check of the grader says so, with its place
        return None
    return judge_hash(asked.ref, grader.judge.params, rubric)


def judge_identities(config: RunConfig) -> dict[str, Json]:
    """Every judge of the configuration by the name of its grader."""
    found: dict[str, Json] = {}
    for grader, model in config.judges:
        identity = judge_identity(config, grader)
        if identity is not None:
            found[grader.name] = {"hash": identity, "model": model.ref}
    return found
