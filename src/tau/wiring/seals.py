"""The head of an audit, as the run's store remembers it."""

import json
from pathlib import Path

from tau.lifecycle.audit import AuditHead
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.stores.location import on_server


async def keep_seal(store: Store, location: str, audit: Path, head: AuditHead) -> None:
    """Remember the audit's head in the store, which is at `location`."""
    value = json.dumps({"sequence": head.sequence, "line_hash": head.line_hash})
    await store.seals.keep(_name(location, audit), value)


async def find_seal(store: Store, location: str, audit: Path) -> AuditHead | None:
    """The audit's head as the store remembers it, None where it does not."""
    found = await store.seals.find(_name(location, audit))
    if found is None:
        return None
    fields = json.loads(found)
    return AuditHead(sequence=fields["sequence"], line_hash=fields["line_hash"])


def _name(location: str, audit: Path) -> str:
    """The audit as its store knows it: machines that share one may have equal paths."""
    path = str(audit.resolve()).encode("utf-8", "backslashreplace").decode()
    return f"{SystemProcesses().this().host}:{path}" if on_server(location) else path
