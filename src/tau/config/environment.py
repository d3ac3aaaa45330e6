"""The environment: read here and nowhere else."""

import os
import re
from collections.abc import Mapping

from tau.models.providers import PROVIDERS

_PROVIDER_KEYS = frozenset(
    variable for provider in PROVIDERS.values() for variable in provider.key_variables
)
_LOOKS_SECRET = re.compile(
    r"(^|_)(API_?KEYS?|ACCESS_KEY(_ID)?|SECRET(_KEY|_ACCESS_KEY)?S?|TOKEN|PASSWORD|PASSWD|"
    r"PRIVATE_KEY|CREDENTIALS?|AUTHORIZATION)\Z",
    re.IGNORECASE,
)


def snapshot() -> dict[str, str]:
    """The environment of this process as it is now; a copy."""
    return dict(os.environ)


def prefer(**values: str) -> None:
    """Set variables that nobody has set, for libraries that read them when they are imported."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what looks like a credential: what child processes may inherit.

    Taken out are the key variables of every known provider, and all names that are or end in
    `_API_KEY`, `_TOKEN`, `_SECRET`, `_SECRET_KEY`, `_ACCESS_KEY`, `_PASSWORD`, `_PRIVATE_KEY`,
    `_CREDENTIALS` or `_AUTHORIZATION`, in any case.
    """
    return {name: value for name, value in environ.items() if not is_secret(name)}


def is_secret(name: str) -> bool:
    """Whether a variable or field of this name would hold a credential."""
    return name in _PROVIDER_KEYS or _LOOKS_SECRET.search(name) is not None
