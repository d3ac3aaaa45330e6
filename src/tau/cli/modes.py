"""Which mode a flat set of flags asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from click.core import ParameterSource

from tau.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One mode of the flag surface, by parameter names.

    Any of `selectors` asks for it. `modifiers` mean nothing without it; one may belong to several
    modes.
    """

    name: str
    selectors: tuple[str, ...]
    modifiers: tuple[str, ...] = ()


def flag(parameter: str) -> str:
    """The flag of a parameter's name."""
    return "--" + parameter.replace("_", "-")


def chosen(modes: Sequence[Mode], sources: Mapping[str, ParameterSource | None]) -> Mode | None:
    """The mode asked for, or None.

    Only what stands on the command line can conflict or lack what it requires; a mode that the
    environment asks for counts only where the command line asks for none.

    Raises:
        UsageError: two modes at once, or a modifier without its mode.
    """
    explicit = {name for name, source in sources.items() if source is ParameterSource.COMMANDLINE}
    exported = {name for name, source in sources.items() if source is ParameterSource.ENVIRONMENT}
    asked = [mode for mode in modes if explicit & set(mode.selectors)]
    if len(asked) > 1:
        first, second = (
            next(name for name in mode.selectors if name in explicit) for mode in asked[:2]
        )
        raise UsageError(f"the flag {flag(first)} cannot be used with {flag(second)}")
    asked = asked or [mode for mode in modes if exported & set(mode.selectors)][:1]
    mode = asked[0] if asked else None
    _require(modes, mode, explicit)
    return mode


def asked(mode: Mode, sources: Mapping[str, ParameterSource | None]) -> str:
    """The one selector of a chosen mode that was given; the command line's come first.

    Raises:
        UsageError: more than one.
    """
    for source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        found = [name for name in mode.selectors if sources.get(name) is source]
        if len(found) > 1:
            raise UsageError(f"the flag {flag(found[0])} cannot be used with {flag(found[1])}")
        if found:
            return found[0]
    raise ValueError(f"mode {mode.name} was not asked for")


def _require(modes: Sequence[Mode], mode: Mode | None, explicit: set[str]) -> None:
    """Refuse modifiers on the command line that belong only to other modes."""
    allowed = set(mode.modifiers) if mode else set()
    for other in modes:
        for name in other.modifiers:
            if name in explicit and name not in allowed:
                needed = sorted(flag(one) for m in modes if name in m.modifiers
                                for one in m.selectors)  # fmt: skip
                if mode is None:
                    raise UsageError(f"the flag {flag(name)} requires {' or '.join(needed)}")
                raise UsageError(
                    f"the flag {flag(name)} cannot be used with {flag(mode.selectors[0])}",
                    fix=f"it belongs to {' or '.join(needed)}",
                )
