"""Lifecycle commands, for both programs."""

import asyncio
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from tau.cli import figures
from tau.cli.needs import held, why_waiting
from tau.cli.records.reading import print_json, print_lines
from tau.cli.surface import Exit, Surface
from tau.cli.text import facts, line
from tau.config.environment import snapshot
from tau.config.paths import DEFAULT_RBAC_POLICY, DEFAULT_STORE, state_dir
from tau.config.search import other_folders, other_store
from tau.domain.actions import Action, record_of
from tau.domain.condition import Condition, named
from tau.domain.json import Json
from tau.domain.run import RunStatus, StopReason
from tau.domain.spend import NANO, Spend
from tau.errors import ControlError, UsageError
from tau.lifecycle.authorization import PolicyFile, local_principal
from tau.lifecycle.commands import Command, ControlResult
from tau.lifecycle.elsewhere import Elsewhere, find_run, flags, subcommand
from tau.lifecycle.paths import StateDir
from tau.lifecycle.recovery import UNUSED
from tau.stores.location import shown
from tau.wiring.store_control import steer


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlArguments:
    """What the command line says of a lifecycle command; `checkpoint` is only for a rollback.

    `store` is the store that was named to find the run by; `chosen` where the folder was named,
    too.
    """

    action: str
    folder: StateDir
    policy: str | None = None
    principal: str | None = None
    checkpoint: str | None = None
    reason: str | None = None
    json: bool = False
    dry_run: bool = False
    run_id: str | None = None
    store: str | None = field(default=None, repr=False)
    chosen: bool = False


def carry_out(arguments: ControlArguments, surface: Surface) -> int:
    """Carry out one command and print its result.

    Raises:
        UsageError: a text that no file could hold.
        ControlError, FileError: it was not done.
    """
    result = executed(arguments, surface)
    if arguments.json:
        print_json(result.document())
    elif surface.flat:
        print_lines([contract_line(result)])
        if result.action is not Action.STATUS:
            print_lines_to_stderr(f"note: {note}" for note in result.notes)
    elif result.action is Action.STATUS:
        print_lines(list(_status_lines(result, arguments)))
    else:
        print_lines(list(_result_lines(result, dry_run=arguments.dry_run)))
    return Exit.OK


def resume_and_run(arguments: ControlArguments, surface: Surface) -> int:
    """Resume, then go on with the run as it was started, where nobody drives it.

    Raises:
        ControlError: nothing tells how the run was started.
    """
    result = executed(arguments, surface)
    print_lines_to_stderr(_result_lines(result, dry_run=False))
    if result.alive:
        return Exit.OK
    started = (result.training_status or {}).get("started_with")
    if not isinstance(started, Mapping):
        raise ControlError(
            "nothing tells how the run was started",
            where=str(result.folder.status),
            fix="start it again yourself: tau run CFG",
        )
    return _run_again(started, surface, as_json=arguments.json)


def executed(arguments: ControlArguments, surface: Surface) -> ControlResult:
    """The result of a command.

    Raises:
        ControlError: the run that was found is on another store than the one named.
    """
    named = arguments.store
    other = other_store(arguments.folder, named) if named is not None else None
    if other is not None and arguments.action != Action.STATUS:
        raise ControlError(
            f"the run in '{arguments.folder.root}' is not on the store '{named}'",
            why=f"it is on '{other}'",
            fix=f"if that run is meant, say only --state-dir {arguments.folder.root}",
        )
    command = Command(
        action=Action(arguments.action),
        principal=principal(arguments.principal),
        checkpoint=Path(arguments.checkpoint) if arguments.checkpoint is not None else None,
        reason=_writable("--reason", arguments.reason),
        run_id=_writable("--run-id", arguments.run_id),
    )
    with asyncio.Runner() as runner:
        result = runner.run(
            steer(
                arguments.folder,
                command,
                policy=policy_file(arguments.policy),
                dry_run=arguments.dry_run,
                store=arguments.store,
                chosen=arguments.chosen,
                elsewhere=partial(_elsewhere, arguments, surface),
            )
        )
    if other is None:
        return result
    return replace(result, notes=(*result.notes, f"this run is on '{other}', not on '{named}'"))


def _elsewhere(arguments: ControlArguments, surface: Surface) -> Elsewhere | None:
    """The run that is likely meant where none has used the folder."""
    command = flags if surface.flat else subcommand
    found = (
        find_run(folder, command) for folder in other_folders(arguments.folder, arguments.store)
    )
    return next((one for one in found if one is not None), None)


def principal(given: str | None) -> str:
    """Who is asking; blanks around a name mean nothing."""
    if given is None:
        return local_principal(snapshot())
    return (_writable("--principal", given) or "").strip()


def policy_file(given: str | None) -> PolicyFile:
    """The policy that was named, which must be there, or the default place, where one may be."""
    if given is None:
        return PolicyFile(Path(DEFAULT_RBAC_POLICY))
    return PolicyFile(Path(given), named=True)


def contract_line(result: ControlResult) -> str:
    """The text result of the flag surface, verbatim as in the contract."""
    found = result.document()
    state = result.state
    training = (result.training_status or {}).get("run_state")
    parts = {
        "action": found["action"],
        "principal": found["principal"],
        "lifecycle_state": state.lifecycle_state if state else "unknown",
        "training_run_state": training if isinstance(training, str) else "missing",
        "idempotent": _word(found["idempotent"], "n/a"),
        "rollback_checkpoint": _word(found["rollback_checkpoint"], "none"),
        "checkpoint_run_id": _word(found["checkpoint_run_id"], "none"),
        "recovery_report": _word(found["recovery_report_path"], "none"),
        "recovery_checkpoint_source": _word(found["recovery_checkpoint_source"], "none"),
        "recovery_crash_detected": _word(found["recovery_crash_detected"], "n/a"),
        "recovery_replayed_audit_events": _word(found["recovery_replayed_audit_events"], "n/a"),
        "state_dir": found["state_dir"],
        "state_file": found["control_state_path"],
        "audit_file": found["control_audit_path"],
    }
    said = " ".join(f"{name}={value}" for name, value in parts.items())
    return line(f"prompt optimization lifecycle control: {said}")


def print_lines_to_stderr(lines: Iterator[str]) -> None:
    """Where standard output belongs to the result of a run."""
    sys.stderr.write("".join(f"{text}\n" for text in lines))


def _word(value: Json, missing: str) -> str:
    if value is None:
        return missing
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result_lines(result: ControlResult, *, dry_run: bool) -> Iterator[str]:
    record = record_of(result.action)
    yield ("would be " if dry_run else "") + record.done
    said = [("state dir", str(result.folder.root)), ("principal", result.principal)]
    if result.idempotent:
        said.append(("changes", "nothing: it was so already"))
    unused = UNUSED in result.notes
    if not (result.alive or unused or (result.action is Action.CANCEL and result.notes)):
        over = (result.training_status or {}).get("run_state") in ("completed", "cancelled")
        said.append(("note", record.ended if over else record.undriven))
    if result.rollback_checkpoint:
        said.append(("checkpoint", result.rollback_checkpoint))
    said += [("note", note) for note in result.notes]
    yield from facts(said, indent="  ")


def _status_lines(result: ControlResult, arguments: ControlArguments) -> Iterator[str]:
    status, state = result.training_status or {}, result.state
    run_state = status.get("run_state", "unknown")
    wanted = f"{state.lifecycle_state} ({state.last_action} by {state.principal})" if state else "-"
    condition = _condition(str(run_state), result)
    said = [
        ("run", f"{status.get('run_id', 'none')}"),
        ("state", f"{condition}{', alive' if result.alive else ''}"),
        ("control", wanted),
    ]
    if state and state.reason:
        said.append(("reason", state.reason))
    said += _progress(status)
    said.append(("state dir", str(result.folder.root)))
    if result.training_status is None and state is None and not result.notes:
        said.append(("note", "no run is known here; name it with --store or --state-dir"))
    said += [("note", note) for note in result.notes]
    yield from facts([*said, *_needs(condition, result, arguments)])


def _condition(run_state: str, result: ControlResult) -> str:
    """The run's condition; what is no state of a run stays as it was found."""
    if run_state not in list(RunStatus):
        return run_state
    return named(RunStatus(run_state), alive=result.alive, held=held(result.state))


def _needs(
    condition: str, result: ControlResult, arguments: ControlArguments
) -> Iterator[tuple[str, str]]:
    """What somebody has to do about the run, if anything."""
    reason = (result.training_status or {}).get("stop_reason")
    known = StopReason(str(reason)) if reason in list(StopReason) else None
    why = None
    if condition in list(Condition):
        why = why_waiting(Condition(condition), known, result.state)
    if why is None:
        return
    words = ["tau", "resume"] + ([] if result.alive else ["--run"])
    if arguments.store is not None:
        words += ["--store", shown(arguments.store)]
    elif result.folder.root != state_dir(DEFAULT_STORE).root:
        words += ["--state-dir", str(result.folder.root)]
    yield "needs you", why
    yield "next", shlex.join(words)


def _progress(status: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    progress, spent = status.get("progress"), status.get("spent")
    if isinstance(progress, Mapping):
        done = f"{progress.get('settled')} of {status.get('total_rollouts')} done"
        yield "progress", f"{done}, {progress.get('in_flight')} in flight"
    if isinstance(spent, Mapping):
        yield "spent", _spent(spent)
        if assumed := _assumed(spent):
            yield "", assumed
    process = status.get("process")
    if isinstance(process, Mapping):
        yield "process", f"{process.get('pid')} on {process.get('host')}"
    if status.get("waiting_for"):
        yield "waiting for", str(status["waiting_for"])


def _spent(spent: Mapping[str, Json]) -> str:
    calls, tokens, usd = (spent.get(name) for name in ("calls", "tokens", "cost_usd"))
    parts = [figures.count(calls, "call")] if isinstance(calls, int) else []
    parts += [figures.count(tokens, "token")] if isinstance(tokens, int) else []
    parts += [figures.money(float(usd))] if isinstance(usd, int | float) else []
    return ", ".join(parts) or "-"


def _assumed(spent: Mapping[str, Json]) -> str | None:
    tokens, usd = spent.get("assumed_tokens"), spent.get("assumed_cost_usd")
    return figures.assumed(
        Spend(
            assumed_tokens=tokens if isinstance(tokens, int) else 0,
            assumed_cost_nano_usd=round(usd * NANO) if isinstance(usd, int | float) else 0,
        )
    )


def _run_again(started: Mapping[str, Json], surface: Surface, *, as_json: bool) -> int:
    from tau.cli.running import RunArguments, run

    known = {each.name for each in fields(RunArguments)}
    given: dict[str, Any] = {name: value for name, value in started.items() if name in known}
    folder = started.get("folder")
    try:
        arguments = RunArguments(**{**given, "json": as_json})
    except TypeError as error:
        raise ControlError("how the run was started cannot be read", why=str(error)) from error
    with chdir(folder if isinstance(folder, str) and os.path.isdir(folder) else "."):
        return run(arguments, surface)


def _writable(option: str, text: str | None) -> str | None:
    """Text that a file can hold: what a shell passes need not be any."""
    if text is not None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the value of {option} is not text", why=str(error.reason)) from error
    return text
