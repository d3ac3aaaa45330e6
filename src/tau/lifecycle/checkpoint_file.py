"""`policy-checkpoint.json`: a checkpoint as a file that is complete without the store.

`policy_state` holds the resources, `optimizer_state` the algorithm's whole state, `global_step` and
`optimizer_step` the rollouts and waves folded in. `hash` covers everything else in the file, so
that damage that still parses is found; files of other programs, which have none, are accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import ResourcesHash, RunId
from tau.domain.json import Json, content_hash
from tau.domain.resources import Resources
from tau.domain.run import Run
from tau.domain.spend import Spend
from tau.errors import ControlError, FileError
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document, read_bytes, read_document

VERSION = 1
_REQUIRED = (
    "run_id",
    "policy_state",
    "optimizer_state",
    "global_step",
    "optimizer_step",
    "saved_at_unix_seconds",
)
_SPEND = tuple(field.name for field in fields(Spend))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFile:
    """A checkpoint file that was found right.

    `checkpoint` is None where another program wrote it: its states mean nothing to our algorithms.
    `config_hash`, `spend`, `active_s` and `candidates` let a run go on with an empty store.
    """

    run_id: RunId
    global_step: int
    optimizer_step: int
    saved_at_unix_seconds: int
    checkpoint: Checkpoint | None
    config_hash: str | None
    content_hash: str
    spend: Spend
    active_s: float = 0.0
    candidates: tuple[Resources, ...] = ()

    def differs(self, own: "CheckpointFile") -> str | None:
        """Why a run with the checkpoint `own` cannot go back to this one; None where it can.

        What other programs wrote is not compared.
        """
        if self.checkpoint is None or own.checkpoint is None:
            return None
        if self.checkpoint.algorithm != own.checkpoint.algorithm:
            return (
                f"it is one of algorithm '{self.checkpoint.algorithm}', "
                f"the run's is '{own.checkpoint.algorithm}'"
            )
        if self.config_hash != own.config_hash:
            return f"it belongs to run '{self.run_id}', which had another configuration"
        return None


def save_checkpoint(
    primary: Path,
    fallback: Path,
    checkpoint: Checkpoint,
    *,
    run: Run,
    candidates: Sequence[Resources] = (),
) -> None:
    """Rotate the last good file to the fallback, then write the new one; both atomically.

    `candidates` are all that the run has tried so far. A primary that cannot be loaded is not
    rotated: it would push a good fallback out. One that holds this checkpoint already is left
    alone. The first of a run is its own fallback, so that there is one from the start.

    Raises:
        FileError: whatever was there before is still there.
    """
    made = dump_document(_document(checkpoint, run, candidates))
    held = _loaded(primary)
    if held is not None and held.checkpoint and held.checkpoint.hash == checkpoint.hash:
        return
    if held is not None and held.run_id == run.id:
        atomic_write(fallback, read_bytes(primary) or made)
    elif (spare := _loaded(fallback)) is None or spare.run_id != run.id:
        atomic_write(fallback, made)
    atomic_write(primary, made)


def _loaded(path: Path) -> CheckpointFile | None:
    try:
        return load_checkpoint(path)
    except ControlError:
        return None


def load_checkpoint(path: Path) -> CheckpointFile:
    """Read and check one.

    Raises:
        ControlError: it is missing, unreadable, malformed or damaged; the message says which.
    """
    try:
        found = read_document(path)
    except FileError as error:
        raise ControlError(f"failed to load checkpoint '{path}'", why=str(error)) from error
    if found is None:
        raise ControlError(f"failed to load checkpoint '{path}'", why="no such file")
    mistakes = _mistakes(found)
    if mistakes:
        raise ControlError(f"failed to load checkpoint '{path}'", why="; ".join(mistakes))
    try:
        _check_hash(found)
        return _file(found)
    except ValueError as error:
        raise ControlError(f"failed to load checkpoint '{path}'", why=str(error)) from error


def _check_hash(found: Mapping[str, Json]) -> None:
    """ValueError for a file of ours that is not as it was written."""
    if "hash" in found:
        body = {name: value for name, value in found.items() if name != "hash"}
        if content_hash(body) != found["hash"]:
            raise ValueError("its hash does not match its content: it was damaged or edited")


def _document(checkpoint: Checkpoint, run: Run, candidates: Sequence[Resources]) -> dict[str, Json]:
    body: dict[str, Json] = {
        "checkpoint_version": VERSION,
        "run_id": checkpoint.run_id,
        "policy_state": {
            **_resources_json(checkpoint.best),
            "candidates": [_resources_json(one) for one in candidates],
        },
        "optimizer_state": dict(checkpoint.state),
        "global_step": checkpoint.rollouts,
        "optimizer_step": checkpoint.waves,
        "saved_at_unix_seconds": checkpoint.saved_unix_ms // 1000,
        "saved_at_unix_ms": checkpoint.saved_unix_ms,
        "algorithm": checkpoint.algorithm,
        "config_hash": run.config_hash,
        "spent": {name: getattr(run.spent, name) for name in _SPEND},
        "active_s": run.active_s,
    }
    return {**body, "hash": content_hash(body)}


def _resources_json(resources: Resources) -> dict[str, Json]:
    return {
        "resources": dict(resources.values),
        "resources_hash": resources.hash,
        "parent": resources.parent,
    }


def _mistakes(found: Mapping[str, Json]) -> list[str]:
    if "checkpoint_version" not in found:
        return ["missing required checkpoint field `checkpoint_version`"]
    version = found["checkpoint_version"]
    if type(version) is not int or version != VERSION:
        return [f"unsupported checkpoint_version {version}; expected {VERSION}"]
    mistakes = [
        f"missing required checkpoint field `{name}`" for name in _REQUIRED if name not in found
    ]
    run_id = found.get("run_id")
    if "run_id" in found and not (isinstance(run_id, str) and run_id.strip()):
        mistakes.append("checkpoint field `run_id` must be a string that is not blank")
    for name in ("policy_state", "optimizer_state"):
        if name in found and not isinstance(found[name], Mapping):
            mistakes.append(f"checkpoint field `{name}` must be an object")
    for name in ("global_step", "optimizer_step", "saved_at_unix_seconds"):
        value = found.get(name)
        if name in found and not (type(value) is int and value >= 0):
            mistakes.append(f"checkpoint field `{name}` must be a non-negative integer")
    return mistakes


def _file(found: Mapping[str, Json]) -> CheckpointFile:
    run_id = RunId(str(found["run_id"]))
    config_hash, spent = found.get("config_hash"), found.get("spent")
    policy, active_s = found["policy_state"], found.get("active_s")
    listed = policy.get("candidates") if isinstance(policy, Mapping) else None
    candidates = [_resources(one) for one in listed] if isinstance(listed, list) else []
    return CheckpointFile(
        run_id=run_id,
        global_step=_number(found, "global_step"),
        optimizer_step=_number(found, "optimizer_step"),
        saved_at_unix_seconds=_number(found, "saved_at_unix_seconds"),
        checkpoint=_checkpoint(found, run_id),
        config_hash=config_hash if isinstance(config_hash, str) else None,
        content_hash=content_hash(found),
        spend=_spend(spent if isinstance(spent, Mapping) else {}),
        active_s=active_s if isinstance(active_s, float) and active_s >= 0 else 0.0,
        candidates=tuple(one for one in candidates if one is not None),
    )


def _checkpoint(found: Mapping[str, Json], run_id: RunId) -> Checkpoint | None:
    state, algorithm = found["optimizer_state"], found.get("algorithm")
    best = _resources(found["policy_state"])
    if best is None or not isinstance(state, Mapping) or not isinstance(algorithm, str):
        return None
    seconds = _number(found, "saved_at_unix_seconds")
    return Checkpoint(
        run_id=run_id,
        algorithm=algorithm,
        waves=_number(found, "optimizer_step"),
        rollouts=_number(found, "global_step"),
        state=state,
        best=best,
        saved_unix_ms=_number(found, "saved_at_unix_ms") or seconds * 1000,
    )


def _resources(found: Json) -> Resources | None:
    if not isinstance(found, Mapping) or not isinstance(found.get("resources"), Mapping):
        return None
    values, parent = found["resources"], found.get("parent")
    assert isinstance(values, Mapping)
    return Resources(
        values=values, parent=ResourcesHash(parent) if isinstance(parent, str) else None
    )


def _spend(found: Mapping[str, Json]) -> Spend:
    return Spend(**{name: _number(found, name) for name in _SPEND})


def _number(found: Mapping[str, Json], name: str) -> int:
    """A non-negative integer, 0 where it is none."""
    value = found.get(name)
    return value if type(value) is int and value >= 0 else 0
