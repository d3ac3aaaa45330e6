"""What is known of a judge, kept beside the store by the judge's hash: a line a measurement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from tau.domain.json import Json
from tau.domain.visible import line
from tau.errors import InputError
from tau.files.atomic import append_line

FOLDER = "judges"
_MOST_BYTES = 64 << 20
CalibrationKind = Literal["test", "check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One measurement of one judge: against people's labels, or by altered outputs.

    `figures` are as `--json` prints them, `run_id` is the run in which the judge was asked.
    """

    judge: str
    grader: str
    model: str | None
    kind: CalibrationKind
    rows: int
    figures: Mapping[str, Json]
    run_id: str
    principal: str
    measured_unix_ms: int


def calibrations_file(state: Path, judge: str) -> Path:
    """Where a judge's measurements are, in the folder of a store's state."""
    return state / FOLDER / f"{judge}.jsonl"


def keep_calibration(state: Path, one: Calibration) -> None:
    """Write a measurement down, durably.

    Raises:
        FileError: it cannot be written.
    """
    written = {
        "schema_version": 1,
        "judge": one.judge,
        "grader": one.grader,
        "model": one.model,
        "kind": one.kind,
        "rows": one.rows,
        "figures": dict(one.figures),
        "run_id": one.run_id,
        "principal": one.principal,
        "measured_unix_ms": one.measured_unix_ms,
    }
    append_line(calibrations_file(state, one.judge), orjson.dumps(written))


def read_calibrations(state: Path, judge: str | None = None) -> tuple[Calibration, ...]:
    """All measurements of a judge, or of every judge, the oldest first; none where none are kept.

    Raises:
        InputError: a file of them cannot be read.
    """
    folder = state / FOLDER
    paths = [calibrations_file(state, judge)] if judge else sorted(folder.glob("*.jsonl"))
    found = [one for path in paths for one in _read(path)]
    return tuple(sorted(found, key=lambda one: one.measured_unix_ms))


def cited(grader: str, judge: str, measured: Sequence[Calibration]) -> str:
    """A sentence on how far a judge is known to agree with people, by its last test."""
    who = f"judge '{grader}' ({judge[:8]})"
    tests = [one for one in measured if one.kind == "test"]
    known = tests[-1] if tests else None
    kappa = known.figures.get("kappa") if known is not None else None
    if known is None or not isinstance(kappa, Mapping):
        return f"{who} is not calibrated: how far it agrees with people is unknown; tau judge test"
    value, low, high = (kappa.get(each) for each in ("value", "low", "high"))
    if not isinstance(value, float | int):
        return f"{who} was tested on {known.rows:,} labelled outputs; kappa is not defined there"
    between = (
        f" ({low:.2f} to {high:.2f})"
        if isinstance(low, float | int) and isinstance(high, float | int)
        else ""
    )
    return f"{who} agrees with people with kappa {value:.2f}{between} on {known.rows:,} outputs"


def _read(path: Path) -> list[Calibration]:
    if path.is_symlink():
        raise InputError(f"'{line(str(path))}' is a symbolic link", fix="name the file itself")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read '{line(str(path))}'", why=error.strerror) from None
    return [
        _calibration(path, number, row)
        for number, row in enumerate(data.split(b"\n"), 1)
        if row.strip()
    ]


def _calibration(path: Path, number: int, data: bytes) -> Calibration:
    try:
        found = orjson.loads(data)
        return Calibration(
            judge=str(found["judge"]),
            grader=str(found["grader"]),
            model=found["model"],
            kind="check" if found["kind"] == "check" else "test",
            rows=int(found["rows"]),
            figures=dict(found["figures"]),
            run_id=str(found["run_id"]),
            principal=str(found["principal"]),
            measured_unix_ms=int(found["measured_unix_ms"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"line {number} is no measurement of a judge", where=line(str(path)),
            why=line(repr(error)), fix="take the line out",
        ) from None  # fmt: skip
