"""The run that is meant where a command was given a folder that no run has used."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tau.domain.actions import Action, ControlState
from tau.domain.json import Json
from tau.errors import ControlError, FileError
from tau.files.documents import read_document
from tau.files.lock import FileLock
from tau.lifecycle.paths import StateDir
from tau.lifecycle.recovery import UNUSED, used_by_a_run

_OVER = ("completed", "failed", "cancelled", "paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A run in another folder. `state` is in words, `command` reaches it from where one is."""

    folder: StateDir
    run_id: str
    state: str
    command: Callable[[Action, Path], str]

    def refusal(self, asked: StateDir, action: Action) -> ControlError:
        """The refusal that names it."""
        return ControlError(
            f"no run has used the state dir '{asked.root}'; run '{self.run_id}' is in "
            f"'{self.folder.root}': {self.state}",
            why="a command in a folder of its own would not reach that run",
            fix=f"if that run is meant: {self.command(action, self.folder.root)}",
        )


def find_run(folder: StateDir, command: Callable[[Action, Path], str]) -> Elsewhere | None:
    """The run of `folder`, if one has left its status or its checkpoint there."""
    try:
        status = read_document(folder.status)
    except FileError:
        status = {}
    if status is None and not folder.checkpoint.exists():
        return None
    status = status or {}
    run_id, run_state = status.get("run_id"), status.get("run_state")
    return Elsewhere(
        folder=folder,
        run_id=run_id if isinstance(run_id, str) else "unknown",
        state=_words(run_state, alive=FileLock(folder.run_lock).taken()),
        command=command,
    )


def outlook(
    folder: StateDir,
    action: Action,
    state: ControlState | None,
    elsewhere: Callable[[], Elsewhere | None],
) -> tuple[str, ...]:
    """What whoever asks for `action` should know of the run that it comes to; nobody drives it.

    Raises:
        ControlError: no run has used this folder, and there is one elsewhere; or the audit trail
            cannot be parsed.
    """
    if not used_by_a_run(folder, state):
        if found := elsewhere():
            raise found.refusal(folder, action)
        return () if action is Action.RESUME else (UNUSED,)  # its recovery tells that itself
    if action is not Action.ROLLBACK:
        return ()
    try:
        status = read_document(folder.status) or {}
    except FileError:
        return ()
    return (_paid_again(status),) if status.get("run_state") == "completed" else ()


def flags(action: Action, root: Path) -> str:
    """A command of the flag surface."""
    words = ["tau-coding-agent", f"--prompt-optimization-control-{action}"]
    if action is Action.ROLLBACK:
        words.append("PATH")
    return shlex.join([*words, "--prompt-optimization-control-state-dir", str(root)])


def subcommand(action: Action, root: Path) -> str:
    """A command for people."""
    words = ["tau", str(action)]
    if action is Action.ROLLBACK:
        words.append("PATH")
    return shlex.join([*words, "--state-dir", str(root)])


def _words(run_state: object, *, alive: bool) -> str:
    if alive:
        return f"{run_state or 'running'}, its process is alive"
    if run_state in _OVER:
        return str(run_state)
    return "crashed: it stopped without a word, its process is gone"


def _paid_again(status: Mapping[str, Json]) -> str:
    spent = status.get("spent")
    cost = ""
    if isinstance(spent, Mapping):
        usd = spent.get("cost_usd")
        dollars = f", ${usd:.2f}" if isinstance(usd, int | float) and usd else ""
        cost = f" ({spent.get('rollouts')} rollouts, {spent.get('calls')} calls{dollars})"
    return (
        "the run is completed: its next start is a new run, which pays for what this one paid "
        f"for{cost} again; to use other prompts there is no need of that: tau promote"
    )
