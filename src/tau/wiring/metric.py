"""What graders reward, in words for whoever writes prompts."""

import inspect
from collections.abc import Mapping

from tau import plugins
from tau.config.run_settings import GraderChoice
from tau.domain.json import canonical

_OWN = ("python", "command")
"""Programs of the user: what the plug-in says of itself tells nothing about them."""
_CHARS = 300


def rewarded(choice: GraderChoice) -> str:
    """A grader in a line: its name, what its score says, the options that are given."""
    if choice.type in _OWN:
        return f"{choice.name}: a program of its own"
    said = (inspect.getdoc(plugins.load(plugins.GRADERS, choice.type)) or "").partition("\n")[0]
    parts = [f"{choice.name}: {said}" if said else choice.name]
    options = {
        name: one
        for name, one in choice.options.items()
        if name not in ("name", "type") and not isinstance(one, Mapping)
    }
    children = [rewarded(one) for one in choice.children]
    if options and not children:
        written = canonical(options).decode()
        parts.append(f"With {written}." if len(written) <= _CHARS else "")
    parts += [f"[{one}]" for one in children]
    return " ".join(part for part in parts if part)
