"""Writing a configuration and reading it back."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tau import config
from tau.config.run_settings import RunConfig
from tau.errors import ConfigError, ConfigIssue

Load = Callable[..., RunConfig]
Problems = Callable[..., dict[str, ConfigIssue]]

EXAMPLE = {
    "optimize": [{"prompt": "What is 2 + 2?", "expected": "4"}],
    "validate": [{"prompt": "What is 3 + 3?", "expected": "6"}],
    "resources": {"system_prompt": "You are a concise assistant."},
    "worker_count": 2,
    "poll_interval_ms": 50,
    "heartbeat_interval_ms": 1000,
    "completion_poll_interval_ms": 60,
    "completion_timeout_secs": 30,
}
"""The operations guide's example."""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load an object (or a text) written to a file; the example's fields unless `bare`."""

    def loading(
        value: Mapping[str, Any] | str | bytes | None = None,
        *,
        name: str = "config.json",
        bare: bool = False,
        model: str | None = "sim/rules",
        environ: Mapping[str, str] | None = None,
        strict: bool = False,
    ) -> RunConfig:
        path = tmp_path / name
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif isinstance(value, str):
            path.write_text(value, encoding="utf-8")
        else:
            fields = {**({} if bare else EXAMPLE), **(value or {})}
            path.write_text(json.dumps(fields, indent=1), encoding="utf-8")
        return config.load(path, environ=environ or {}, model=model, strict=strict)

    return loading


@pytest.fixture
def problems(load: Load) -> Problems:
    """The problems of a configuration that cannot be used, by pointer."""

    def finding(value: Any = None, **options: Any) -> dict[str, ConfigIssue]:  # noqa: ANN401
        with pytest.raises(ConfigError) as caught:
            load(value, **options)
        return {problem.pointer: problem for problem in caught.value.problems}

    return finding
