"""`control-state.json`: what is wanted of the run."""

from collections.abc import Mapping
from pathlib import Path

from tau.domain.actions import ControlState, LifecycleState
from tau.domain.json import Json
from tau.errors import ControlError, FileError
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document, read_document

_VERSION = 1
_LIMIT = 16 * 1024 * 1024


def load_state(path: Path) -> ControlState | None:
    """The state, None where there is no file (which means running).

    Raises:
        ControlError: unreadable, malformed, or of another version; names the file.
    """
    found = _document(path)
    return None if found is None else _parse(path, found)


def load_audit_line(path: Path) -> bytes | None:
    """The audit line that belongs to the state, None where the file remembers none.

    It is in the file before it is in the audit, so that a crash between the two loses nothing.
    """
    try:
        found = _document(path)
    except ControlError:
        return None
    line = (found or {}).get("audit_line")
    return line.encode() if isinstance(line, str) and "\n" not in line else None


def save_state(path: Path, state: ControlState, audit_line: bytes | None) -> None:
    """Write it atomically.

    Raises:
        FileError: the old state stands then.
    """
    document = state_json(state)
    document["audit_line"] = audit_line.decode() if audit_line is not None else None
    atomic_write(path, dump_document(document))


def state_json(state: ControlState) -> dict[str, Json]:
    """The document, the contract's fields first."""
    return {
        "schema_version": _VERSION,
        "updated_unix_ms": state.updated_unix_ms,
        "lifecycle_state": str(state.lifecycle_state),
        "last_action": state.last_action,
        "principal": state.principal,
        "rollback_checkpoint": state.rollback_checkpoint,
        "rollback_hash": state.rollback_hash,
        "run_id": state.run_id,
        "reason": state.reason,
        "store_sequence": state.store_sequence,
    }


def _document(path: Path) -> Mapping[str, Json] | None:
    try:
        return read_document(path, limit=_LIMIT)
    except FileError as error:
        raise ControlError(
            f"training control state '{path}' cannot be used",
            why=str(error),
            fix="repair or remove the file; without it the run counts as running",
        ) from error


def _parse(path: Path, found: Mapping[str, Json]) -> ControlState:
    version = found.get("schema_version")
    if type(version) is not int or version != _VERSION:
        raise ControlError(
            f"unsupported training control state schema version {version!r}",
            where=str(path),
            fix=f"expected {_VERSION}: use the Tau that wrote it",
        )
    mistakes = [
        f"'{name}' must be {kind}"
        for name, kind, fits in (
            ("lifecycle_state", "a known state", str(found.get("lifecycle_state")) in _STATES),
            ("last_action", "a string", isinstance(found.get("last_action"), str)),
            ("principal", "a string", isinstance(found.get("principal"), str)),
            ("updated_unix_ms", "a number", type(found.get("updated_unix_ms")) is int),
            ("rollback_checkpoint", "a string or null", _optional(found, "rollback_checkpoint")),
            ("rollback_hash", "a string or null", _optional(found, "rollback_hash")),
            ("run_id", "a string or null", _optional(found, "run_id")),
            ("reason", "a string or null", _optional(found, "reason")),
            ("store_sequence", "a number", type(found.get("store_sequence", 0)) is int),
        )
        if not fits
    ]
    if mistakes:
        raise ControlError(f"training control state '{path}' is malformed", why="; ".join(mistakes))
    return ControlState(
        lifecycle_state=LifecycleState(str(found["lifecycle_state"])),
        last_action=str(found["last_action"]),
        principal=str(found["principal"]),
        updated_unix_ms=int(str(found["updated_unix_ms"])),
        rollback_checkpoint=_text(found, "rollback_checkpoint"),
        rollback_hash=_text(found, "rollback_hash"),
        run_id=_text(found, "run_id"),
        reason=_text(found, "reason"),
        store_sequence=int(str(found.get("store_sequence", 0))),
    )


_STATES = frozenset(str(state) for state in LifecycleState)


def _optional(found: Mapping[str, Json], name: str) -> bool:
    return found.get(name) is None or isinstance(found.get(name), str)


def _text(found: Mapping[str, Json], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None
