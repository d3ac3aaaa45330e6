"""The environment: read here and nowhere else."""

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tau.errors import ExecutorFailed
from tau.models.providers import PROVIDERS

_PROVIDER_KEYS = frozenset(
    variable for provider in PROVIDERS.values() for variable in provider.key_variables
)
_LOOKS_SECRET = re.compile(
    r"(^|_)(API_?KEYS?|ACCESS_KEY(_ID)?|SECRET(_KEY|_ACCESS_KEY)?S?|TOKEN|PASSWORD|PASSWD|"
    r"PRIVATE_KEY|CREDENTIALS?|AUTHORIZATION)\Z",
    re.IGNORECASE,
)

_HARMLESS = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LANGUAGE", "TZ", "TERM",
        "TMPDIR", "TMP", "TEMP", "NO_COLOR", "CI", "VIRTUAL_ENV", "CONDA_PREFIX",
        "CONDA_DEFAULT_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS", "SOURCE_DATE_EPOCH",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    }
)  # fmt: skip
_HARMLESS_PREFIXES = ("LC_",)
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_OVERRIDING = threading.Lock()
_OWN_PREFIXES = ("TAU_", "PG", "PYTHON")


def snapshot() -> dict[str, str]:
    """The environment of this process as it is now; a copy."""
    return dict(os.environ)


@contextmanager
def overridden(values: Mapping[str, str], wait_s: float) -> Iterator[None]:
    """Set variables of this process for as long as the block lasts; one block at a time.

    Raises:
        ExecutorFailed: after `wait_s` another block, of a rollout at the same time, has them set.
    """
    if not _OVERRIDING.acquire(timeout=wait_s):
        raise ExecutorFailed(
            "another rollout has set the environment of this process",
            why="it is one for all rollouts that run at the same time",
            fix="give the client session.endpoint.base_url and .api_key instead, make it within "
            "the block and use it after, or set worker_count and worker_concurrency to 1",
        )
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _OVERRIDING.release()


def prefer(**values: str) -> None:
    """Set variables that nobody has set, for libraries that read them when they are imported."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def child_environ(environ: Mapping[str, str], wanted: Sequence[str] = ()) -> dict[str, str]:
    """What of `environ` a child process inherits: where things are, in which language, `wanted`.

    A list of what is harmless, as nobody can list every name under which a secret is kept. A
    proxy's address is passed on where it holds no password.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in wanted
        or name in _HARMLESS
        or name.startswith(_HARMLESS_PREFIXES)
        or (name.lower() in _PROXIES and "@" not in value)
    }


def own_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What of `environ` a process of Tau's own inherits that calls no model.

    Beside what any child gets, its settings and how it finds its store and its modules.
    """
    own = {name: value for name, value in environ.items() if name.startswith(_OWN_PREFIXES)}
    return child_environ(environ) | own


def is_secret(name: str) -> bool:
    """Whether a variable or field of this name would hold a credential."""
    return name in _PROVIDER_KEYS or _LOOKS_SECRET.search(name) is not None
