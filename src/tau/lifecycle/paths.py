"""Where the artifacts of lifecycle control live, inside one state dir."""

from dataclasses import dataclass
from pathlib import Path

from tau.files.safety import refuse_link


@dataclass(frozen=True, slots=True)
class StateDir:
    """The folder of one run at a time; a name for each file in it."""

    root: Path

    @property
    def control_state(self) -> Path:
        """What is wanted of the run."""
        return self.root / "control-state.json"

    @property
    def audit(self) -> Path:
        """Who asked for what, chained."""
        return self.root / "control-audit.jsonl"

    @property
    def status(self) -> Path:
        """How the run is doing."""
        return self.root / "status.json"

    @property
    def checkpoint(self) -> Path:
        """The last whole wave."""
        return self.root / "policy-checkpoint.json"

    @property
    def fallback_checkpoint(self) -> Path:
        """The good one before it."""
        return self.root / "policy-checkpoint.rollback.json"

    @property
    def requested_checkpoint(self) -> Path:
        """A copy of what a requested rollback goes back to: the original may be rotated away."""
        return self.root / "policy-checkpoint.requested.json"

    @property
    def recovery_report(self) -> Path:
        """What the last resume found and did."""
        return self.root / "recovery-report.json"

    def refuse_links(self) -> None:
        """Raise FileError where a link was planted in the place of any of the files."""
        for path in (
            self.control_lock, self.run_lock, self.control_state, self.audit, self.status,
            self.checkpoint, self.fallback_checkpoint, self.requested_checkpoint,
            self.recovery_report,
        ):  # fmt: skip
            refuse_link(path)

    @property
    def control_lock(self) -> Path:
        """Held while a command reads and writes the files above."""
        return self.root / "control.lock"

    @property
    def run_lock(self) -> Path:
        """Held by the process that drives the run; its note names it."""
        return self.root / "run.lock"
