"""Tau as a contender: `tau optimize` in process, with a store of its own that is thrown away.

The rows are those the peers get: what certifies is taken out of them, and paid from the same
budget of task calls.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tau
from tau import plugins
from tau.config.loading import compose
from tau.domain.decision import Decision
from tau.domain.json import Json
from tau.domain.run import Run
from tau.reports.account import Account
from tau.sim.oracle import expected_score
from tau.sim.world import START_PROMPT, World
from tau.trainer.progress import Progress
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.session import SessionRequest, run_session

ALGORITHMS = ("reflect", "few_shot")
CONCURRENCY = 8


class Unseen:
    """Nobody watches."""

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""


async def optimize(
    world: World,
    rows: Mapping[str, Sequence[Mapping[str, Json]]],
    *,
    base_url: str,
    model: str,
    method: str,
    settings: Mapping[str, Json],
    budget: int,
) -> tuple[str, dict[str, Any]]:
    """The prompt that Tau returns (the baseline unless promoted), and what it said of it."""
    with tempfile.TemporaryDirectory(prefix="tau-compare-") as folder:
        place = Path(folder)
        config = compose(
            {
                "model": {"name": f"openai-compatible/{model}", "base_url": f"{base_url}/v1"},
                "resources": {"system_prompt": START_PROMPT},
                "optimize": [dict(row) for row in rows["optimize"]],
                "validate": [dict(row) for row in rows["validate"]],
                "graders": [{"type": "sim", "name": "right", "feedback": "rule"}],
                "algorithm": {"type": method, "evaluations": budget, **settings},
                "worker_count": 1,
                "worker_concurrency": CONCURRENCY,
                "seed": world.seed,
            },
            base_dir=place,
            environ={"HOME": folder, "PATH": ""},
        )
        request = SessionRequest(config=config, store=str(place / "store.sqlite"))
        report = await run_session(request, observer=Unseen(), stop=StopRequest())
    return _told(world, report)


def _told(world: World, report: RunReport) -> tuple[str, dict[str, Any]]:
    account = report.account
    assert account is not None
    promoted = report.decision == Decision.PROMOTE
    prompt = account.best.text("system_prompt") or ""
    leader = account.leader.text("system_prompt") or ""
    if not promoted and prompt != START_PROMPT:
        raise RuntimeError("Tau returned another prompt than the baseline without promoting it")
    return prompt, {
        "decision": report.decision,
        "leader_score": expected_score(world, leader),
        "candidates": account.tried,
        "state": str(report.status),
        **_claim(account, promoted=promoted),
    }


def _claim(account: Account, *, promoted: bool) -> dict[str, Json]:
    """What was said of the gain: `claimed_gain` is 0 where nothing was recommended."""
    gain = account.gain
    if gain is None:
        return {"claimed_gain": 0.0}
    return {
        "claimed_gain": gain.difference if promoted else 0.0,
        "measured_gain": gain.difference,
        "interval": [gain.low, gain.high],
        "certified_on": gain.n,
    }


def _code() -> str:
    """A hash of the code that searches and decides, which is loaded here.

    Files may be edited during the hours of a comparison; what runs is what was loaded.
    """
    for name in ALGORITHMS:
        plugins.load(plugins.ALGORITHMS, name)
    digest = hashlib.sha256()
    for folder in ("algorithms", "scoring"):
        for path in sorted((Path(tau.__file__).parent / folder).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


VERSIONS = {"tau": tau.__version__, "tau algorithms": _code()}
