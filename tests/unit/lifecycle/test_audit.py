"""The audit chain: any line that was edited, dropped, moved or cut off is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.control_cases import WHO, command
from tau.domain.actions import Action
from tau.domain.json import canonical
from tau.lifecycle.audit import AuditHead, AuditTrail, head_of
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.chain import line_hash
from tau.lifecycle.commands import Lifecycle
from tau.lifecycle.paths import StateDir
from tau.lifecycle.state import load_audit_line
from tau.ports.clock import SystemClock

Lines = list[bytes]


def five(folder: Path) -> AuditTrail:
    for action in (Action.PAUSE, Action.RESUME, Action.PAUSE, Action.PAUSE, Action.CANCEL):
        command(folder, action)
    return AuditTrail(StateDir(folder).audit)


def head(folder: Path) -> AuditHead:
    line = load_audit_line(StateDir(folder).control_state)
    assert line is not None
    return head_of(line)


def edited(lines: Lines) -> Lines:
    return [line.replace(b"local:tester", b"local:nobody") if n == 2 else line
            for n, line in enumerate(lines)]  # fmt: skip


def rehashed(lines: Lines) -> Lines:
    """An edit whose own hash was made right again; the next line gives it away."""
    fields = json.loads(edited(lines)[2])
    del fields["hash"]
    fields["hash"] = line_hash(canonical(fields))
    return [*lines[:2], json.dumps(fields, separators=(",", ":")).encode(), *lines[3:]]


DAMAGES: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "edited": (edited, 3),
    "edited with its hash": (rehashed, 4),
    "dropped": (lambda lines: [*lines[:2], *lines[3:]], 3),
    "the first dropped": (lambda lines: lines[1:], 1),
    "the last dropped": (lambda lines: lines[:-1], 5),
    "two swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
    "repeated": (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
    "cut in the middle": (lambda lines: [*lines[:2]], 3),
    "a foreign line": (lambda lines: [*lines[:3], b'{"action":"x"}', *lines[3:]], 4),
    "everything dropped": (lambda lines: [], 1),
}


def test_a_whole_chain(tmp_path: Path) -> None:
    trail = five(tmp_path)
    assert trail.verify(head(tmp_path)) == []
    lines, torn = trail.read()
    assert (len(lines), torn) == (5, b"")
    assert [line.fields["idempotent"] for line in lines] == [False, False, False, True, False]
    assert trail.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found(tmp_path: Path, kind: str) -> None:
    trail = five(tmp_path)
    damage, where = DAMAGES[kind]
    damaged = damage(trail.path.read_bytes().splitlines())
    trail.path.write_bytes(b"".join(line + b"\n" for line in damaged))
    found = trail.verify(head(tmp_path))
    assert found
    assert found[0].line == where


def test_a_line_without_its_end_is_torn(tmp_path: Path) -> None:
    trail = five(tmp_path)
    trail.path.write_bytes(trail.path.read_bytes()[:-20])
    said = [one.what for one in trail.verify(head(tmp_path))]
    assert any("torn" in what for what in said)
    assert any("missing at the end" in what for what in said)


def test_lines_of_other_programs_are_a_prefix(tmp_path: Path) -> None:
    audit = StateDir(tmp_path).audit
    audit.write_text('{"action": "pause"}\n\n{"action": "resume"}\n')
    command(tmp_path, Action.PAUSE)
    trail = AuditTrail(audit)
    assert trail.verify(head(tmp_path)) == []
    audit.write_bytes(audit.read_bytes().replace(b'"resume"', b'"cancel"'))
    assert [one.line for one in trail.verify(head(tmp_path))] == [4]


def repaired(folder: Path) -> None:
    lifecycle = Lifecycle(StateDir(folder), Authorizer(PolicyFile(folder / "none")), SystemClock())
    lifecycle.repair_audit(WHO, "a disk error")


def test_a_repair_keeps_the_original_and_anchors_the_chain(tmp_path: Path) -> None:
    trail = five(tmp_path)
    lines = trail.path.read_bytes().splitlines()
    lines[1] = b"{ broken"
    damaged = b"".join(line + b"\n" for line in lines)
    trail.path.write_bytes(damaged)
    repaired(tmp_path)
    assert (tmp_path / "control-audit.jsonl.original-1").read_bytes() == damaged
    assert trail.verify(head(tmp_path)) == []
    command(tmp_path, Action.RESUME)
    command(tmp_path, Action.PAUSE)
    assert trail.verify(head(tmp_path)) == []
    last = trail.read()[0][4].fields
    assert (last["action"], last["removed_lines"], last["principal"]) == ("audit_repair", [2], WHO)


@pytest.mark.parametrize("line", range(6))
def test_what_was_repaired_cannot_be_changed_again(tmp_path: Path, line: int) -> None:
    trail = five(tmp_path)
    trail.path.write_bytes(b"".join(
        each + b"\n" for each in edited(trail.path.read_bytes().splitlines())
    ))  # fmt: skip
    repaired(tmp_path)
    assert trail.verify(head(tmp_path)) == []
    lines = trail.path.read_bytes().splitlines()
    lines[line] = lines[line].replace(b"local:", b"LOCAL:", 1)
    trail.path.write_bytes(b"".join(each + b"\n" for each in lines))
    assert trail.verify(head(tmp_path))


def forged(folder: Path, *, original: bool) -> None:
    """Edit a line, and append a repair that vouches for the edit; nobody was asked."""
    path = StateDir(folder).audit
    lines = edited(path.read_bytes().splitlines())
    text = b"".join(line + b"\n" for line in lines)
    fields = {
        **json.loads(lines[-1]), "action": "audit_repair", "sequence": len(lines) + 1,
        "anchored_hash": line_hash(text), "original_file": "control-audit.jsonl.original-1",
        "original_hash": line_hash(text), "previous_hash": line_hash(lines[-1]),
    }  # fmt: skip
    del fields["hash"]
    fields["hash"] = line_hash(canonical(fields))
    path.write_bytes(text + json.dumps(fields, separators=(",", ":")).encode() + b"\n")
    if original:
        path.with_name("control-audit.jsonl.original-1").write_bytes(text)


@pytest.mark.parametrize("original", [False, True])
def test_a_forged_repair_hides_nothing(tmp_path: Path, original: bool) -> None:
    remembered = head_of(five(tmp_path).read()[0][-1].raw)
    forged(tmp_path, original=original)
    breaks = AuditTrail(StateDir(tmp_path).audit).verify(remembered)
    assert {(one.line, one.what.split(":")[0]) for one in breaks} >= {(3, "it was changed")}
    assert any(one.line == 6 for one in breaks)


@pytest.mark.parametrize("damage", ["removed", "changed", "another's"])
def test_a_repair_counts_only_with_its_original(tmp_path: Path, damage: str) -> None:
    trail = five(tmp_path)
    trail.path.write_bytes(b"\n".join(edited(trail.path.read_bytes().split(b"\n"))))
    authorizer = Authorizer(PolicyFile(tmp_path / "none"))
    Lifecycle(StateDir(tmp_path), authorizer, SystemClock()).repair_audit(WHO, None)
    assert trail.verify(head(tmp_path)) == []
    kept = trail.path.with_name("control-audit.jsonl.original-1")
    if damage == "removed":
        kept.unlink()
    elif damage == "changed":
        kept.write_bytes(kept.read_bytes() + b"{}\n")
    else:
        kept.write_bytes(b"")
    assert {one.line for one in trail.verify(head(tmp_path))} >= {3, 6}


@pytest.mark.parametrize("place", range(6))
def test_a_blank_line_is_found(tmp_path: Path, place: int) -> None:
    trail = five(tmp_path)
    lines = trail.path.read_bytes().splitlines()
    lines.insert(place, b" " if place % 2 else b"")
    trail.path.write_bytes(b"".join(line + b"\n" for line in lines))
    assert [(one.line, one.what) for one in trail.verify(head(tmp_path))] == [
        (place + 1, "a blank line was put in")
    ]
