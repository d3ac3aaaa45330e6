"""The installed programs as child processes, and a provider for them to call."""

import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

GUIDE_CONFIG = """\
{
  "optimize": [
    { "prompt": "What is 2 + 2?", "expected": "4" }
  ],
  "validate": [
    { "prompt": "What is 3 + 3?", "expected": "6" }
  ],
  "resources": {
    "system_prompt": "You are a concise assistant."
  },
  "worker_count": 2,
  "poll_interval_ms": 50,
  "heartbeat_interval_ms": 1000,
  "completion_poll_interval_ms": 60,
  "completion_timeout_secs": 30
}
"""

KEY = "sk-canary-5f1d9c7e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401
        """Standard output as exactly one JSON document."""
        return json.loads(self.out)


def script(name: str) -> str:
    """The path of an installed program."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every child gets: nothing of the tester's own settings and keys."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAU_", "OPENAI_")) and name not in {"CI", "NO_COLOR"}
    }
    return {**clean, "PYTHONWARNINGS": "error", **(extra or {})}


def python_path(*folders: Path) -> str:
    """A search path with `folders` before what the tester has set."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


def run(
    name: str, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Ended:
    """Run a program to its end."""
    child = subprocess.run(
        [script(name), *map(str, arguments)],
        cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ended(code=child.returncode, out=child.stdout, err=child.stderr)


def inside(*arguments: str | Path, cwd: Path) -> Ended:
    """Run `tau` in this process: what a child process does, without the time it takes to start."""
    out, err = io.StringIO(), io.StringIO()
    handler, hook = signal.getsignal(signal.SIGTERM), sys.excepthook
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            code = program(tau_group, Surface(program="tau"), [str(each) for each in arguments])
    finally:
        signal.signal(signal.SIGTERM, handler)
        sys.excepthook = hook
    return Ended(code=code, out=out.getvalue(), err=err.getvalue())


@contextmanager
def started(
    name: str, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program that goes on meanwhile; it is gone afterwards whatever happens."""
    child = subprocess.Popen(
        [script(name), *map(str, arguments)],
        cwd=cwd, env=environment(env), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenAI-compatible endpoint on loopback, in a process of its own."""

    base_url: str

    @property
    def env(self) -> dict[str, str]:
        """What makes a program use it."""
        return {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": KEY}

    def counts(self) -> Any:  # noqa: ANN401
        """What it has seen so far."""
        with urlopen(f"{self.base_url.removesuffix('/v1')}/__calls?prompts", timeout=60) as answer:
            return json.load(answer)


@contextmanager
def provider(folder: Path, answers: Mapping[str, Any], *options: str) -> Iterator[Provider]:
    """A provider that knows `answers`; it wants the key."""
    file = folder / "answers.json"
    file.write_text(json.dumps(answers), encoding="utf-8")
    command = [sys.executable, "-m", "tau.testing.provider", "--answers", str(file), "--key", KEY]
    child = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert child.stdout is not None
        yield Provider(base_url=child.stdout.readline().strip())
    finally:
        child.kill()
        child.communicate()


def config(folder: Path, name: str = "config.json", **fields: Any) -> Path:  # noqa: ANN401
    """A configuration of two sums in `folder`, with `fields` on top; returns its path."""
    path = folder / name
    path.write_text(json.dumps({**json.loads(GUIDE_CONFIG), **fields}), encoding="utf-8")
    return path


def first_keys(document: Mapping[str, Any], number: int) -> Sequence[str]:
    """The first keys of a document, in its order."""
    return list(document)[:number]
