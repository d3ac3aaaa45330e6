"""The checkers of a configuration, as one function that an algorithm asks."""

from collections.abc import Mapping
from dataclasses import replace

from tau import plugins
from tau.config.environment import child_environ
from tau.config.run_settings import RunConfig
from tau.domain.json import content_hash
from tau.domain.text_source import TextCheck, TextSource
from tau.errors import InputError
from tau.ports.executor import TemplatedPlugin
from tau.processes.text_check import failed_check


def text_check(config: RunConfig) -> TextCheck | None:
    """What runs the checker of a resource's source; each text once. None where there is none."""
    if not any(source.check for source in config.sources.values()):
        return None
    environ = child_environ(config.surroundings)
    known: dict[tuple[str, str], str | None] = {}

    def check(name: str, text: str) -> str | None:
        source = config.sources[name]
        key = (name, content_hash(text))
        if key not in known:
            known[key] = failed_check(
                source.check,
                text,
                file_name=source.file_name,
                cwd=config.base_dir,
                environ=environ,
                time_limit_s=source.check_limit_s,
            )
        return known[key]

    return check


def sources_filled(config: RunConfig) -> Mapping[str, TextSource]:
    """The sources; a text with a checker that the executor fills keeps its placeholders."""
    plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
    if not config.sources or not isinstance(plugin, TemplatedPlugin):
        return config.sources
    places = plugin.templates(config.executor.settings, config.resources)
    names = {where.removeprefix("resources.") for where in places}
    return {
        name: replace(source, filled=True) if name in names else source
        for name, source in config.sources.items()
    }


def check_baseline(config: RunConfig) -> None:
    """Refuse to begin with a text that its own checker does not pass.

    Raises:
        InputError: the checker's words.
    """
    check = text_check(config)
    if check is None:
        return
    for name, source in config.sources.items():
        text = config.resources.text(name)
        if source.check and text is not None and (why := check(name, text)):
            raise InputError(
                f"'{name}' cannot be optimized as it is",
                where=f"resources.{name.partition('/')[0]}.check",
                why=why,
                fix="mend the file or its checker",
            )
