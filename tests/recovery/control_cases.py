"""What lifecycle control does to a folder, as cases for kills and for full disks."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tau.domain.actions import Action, ControlState, LifecycleState
from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.run import Run
from tau.domain.spend import Spend
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document
from tau.lifecycle.audit import AuditEvent
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.checkpoint_file import save_checkpoint
from tau.lifecycle.commands import Command, ControlResult, Lifecycle
from tau.lifecycle.paths import StateDir
from tau.lifecycle.register import Register
from tau.ports.clock import SystemClock

EFFECTS = ("open", "write", "fsync", "rename", "link", "unlink", "close", "ftruncate")

RUN = Run(
    id=RunId("run-1"),
    config_hash="c0ffee",
    model_ref="sim/rules",
    seed=0,
    algorithm="evaluate",
    config={},
    spent=Spend(rollouts=3, calls=4),
)
WHO = "local:tester"


def checkpoint(waves: int) -> Checkpoint:
    return Checkpoint(
        run_id=RUN.id,
        algorithm=RUN.algorithm,
        waves=waves,
        rollouts=10 * waves,
        state={"version": 1, "waves": waves, "text": "x" * 100},
        best=Resources(values={"system_prompt": f"wave {waves}"}),
        saved_unix_ms=1_700_000_000_000 + waves,
    )


def save(folder: Path, waves: int) -> None:
    place = StateDir(folder)
    save_checkpoint(place.checkpoint, place.fallback_checkpoint, checkpoint(waves), run=RUN)


def command(
    folder: Path,
    action: Action,
    *,
    target: str | None = None,
    policy: Path | None = None,
    principal: str = WHO,
) -> ControlResult:
    authorizer = Authorizer(PolicyFile(policy or folder / "no-policy.json"))
    asked = Command(
        action=action,
        principal=principal,
        checkpoint=folder / target if target else None,
        reason="because",
    )
    return Lifecycle(StateDir(folder), authorizer, SystemClock()).execute(asked)


def start(folder: Path) -> None:
    """What a run does to the folder when it starts."""
    register = Register(StateDir(folder))
    state = ControlState(
        lifecycle_state=LifecycleState.RUNNING,
        last_action="start",
        principal=WHO,
        updated_unix_ms=1,
        run_id=RUN.id,
    )
    event = AuditEvent(
        timestamp_unix_ms=1,
        principal=WHO,
        action="start",
        action_key="control:rl:start",
        lifecycle_state="running",
        idempotent=False,
        run_id=RUN.id,
    )
    with register.held():
        register.commit(state, event)


def status(folder: Path, run_state: str) -> None:
    found: dict[str, Json] = {"schema_version": 1, "run_state": run_state, "run_id": RUN.id}
    atomic_write(StateDir(folder).status, dump_document(found))


def prepare(folder: Path) -> None:
    """A run that crashed after its second wave, and a policy that trusts only us."""
    start(folder)
    save(folder, 1)
    save(folder, 2)
    status(folder, "running")
    policy: dict[str, Json] = {
        "schema_version": 1,
        "team_mode": True,
        "bindings": [{"principal": WHO, "roles": ["operator"]}],
        "roles": {"operator": {"allow": ["control:*"]}},
    }
    atomic_write(folder / "policy.json", dump_document(policy))


def _acting(action: Action, target: str | None = None) -> Callable[[Path], object]:
    return lambda folder: command(folder, action, target=target)


def _repaired(folder: Path) -> object:
    lifecycle = Lifecycle(StateDir(folder), Authorizer(PolicyFile(folder / "none")), SystemClock())
    return lifecycle.repair_audit(WHO, None)


CASES: Mapping[str, Callable[[Path], object]] = {
    "pause": _acting(Action.PAUSE),
    "resume": _acting(Action.RESUME),
    "cancel": _acting(Action.CANCEL),
    "rollback": _acting(Action.ROLLBACK, "policy-checkpoint.rollback.json"),
    "checkpoint": lambda folder: save(folder, 3),
    "start": start,
    "repair": _repaired,
}
