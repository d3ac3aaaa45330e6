"""`control-state.json`: what is wanted of the run."""

from collections.abc import Mapping
from pathlib import Path

from tau.domain.control import ControlState, LifecycleState
from tau.domain.json import Json
from tau.errors import ControlError, FileError
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document, read_document
from tau.lifecycle.audit import AuditHead

_VERSION = 1


def load_state(path: Path) -> ControlState | None:
    """The state, None where there is no file (which means running).

    Raises:
        ControlError: unreadable, malformed, or of another version; names the file.
    """
    found = _document(path)
    return None if found is None else _parse(path, found)


def load_head(path: Path) -> AuditHead | None:
    """The audit's head as the state file remembers it, None where it does not."""
    found = _document(path)
    head = (found or {}).get("audit_head")
    if not isinstance(head, Mapping):
        return None
    sequence, digest = head.get("sequence"), head.get("line_hash")
    if type(sequence) is not int or sequence < 1 or not isinstance(digest, str):
        return None
    return AuditHead(sequence=sequence, line_hash=digest)


def save_state(path: Path, state: ControlState, head: AuditHead | None) -> None:
    """Write it atomically.

    Raises:
        FileError: the old state stands then.
    """
    atomic_write(path, dump_document(state_json(state, head)))


def state_json(state: ControlState, head: AuditHead | None = None) -> dict[str, Json]:
    """The document, the contract's fields first."""
    document: dict[str, Json] = {
        "schema_version": _VERSION,
        "updated_unix_ms": state.updated_unix_ms,
        "lifecycle_state": str(state.lifecycle_state),
        "last_action": state.last_action,
        "principal": state.principal,
        "rollback_checkpoint": state.rollback_checkpoint,
        "run_id": state.run_id,
        "reason": state.reason,
    }
    if head is not None:
        document["audit_head"] = {"sequence": head.sequence, "line_hash": head.line_hash}
    return document


def _document(path: Path) -> Mapping[str, Json] | None:
    try:
        return read_document(path)
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
            ("lifecycle_state", "a known state", found.get("lifecycle_state") in _STATES),
            ("last_action", "a string", isinstance(found.get("last_action"), str)),
            ("principal", "a string", isinstance(found.get("principal"), str)),
            ("updated_unix_ms", "a number", type(found.get("updated_unix_ms")) is int),
            ("rollback_checkpoint", "a string or null", _optional(found, "rollback_checkpoint")),
            ("run_id", "a string or null", _optional(found, "run_id")),
            ("reason", "a string or null", _optional(found, "reason")),
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
        run_id=_text(found, "run_id"),
        reason=_text(found, "reason"),
    )


_STATES = frozenset(str(state) for state in LifecycleState)


def _optional(found: Mapping[str, Json], name: str) -> bool:
    return found.get(name) is None or isinstance(found.get(name), str)


def _text(found: Mapping[str, Json], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None
