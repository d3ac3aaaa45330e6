"""Placeholders in texts: `{name}` asks for a field of an example, `{{name}}` for nothing."""

import re

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# Braces around anything but a simple name (JSON, code, sets) are text and stay as they are.
PLACEHOLDER = re.compile(
    rf"(?<!\{{)\{{\{{(?P<literal>{_NAME})\}}\}}(?!\}})|\{{(?P<name>{_NAME})\}}"
)


def placeholders(text: str) -> tuple[str, ...]:
    """The names `text` asks for, in order, each once. `{{name}}` asks for nothing."""
    found = (match["name"] for match in PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(name for name in found if name))
