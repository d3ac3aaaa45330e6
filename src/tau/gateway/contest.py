"""A run's best against its baseline: what pages and API choose to tell of it."""

from dataclasses import dataclass

from tau.domain.dataset import Split
from tau.domain.decision import Verdict
from tau.domain.ids import RunId
from tau.domain.run import Run
from tau.gateway.board import RunScores, leading
from tau.gateway.context import Gateway
from tau.readings.scores import CandidateScore
from tau.reports.account import baseline_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The best against the baseline on the split that chose: what the first screen is about."""

    split: Split | None
    baseline: CandidateScore | None
    best: CandidateScore | None
    baseline_hash: str
    best_hash: str | None

    @property
    def different(self) -> bool:
        """There is something to compare with the baseline."""
        return self.best is not None and self.best_hash != self.baseline_hash


async def run_and_board(gateway: Gateway, name: str) -> tuple[Run, RunScores]:
    """A run and what has settled of it.

    Raises:
        NotFound: there is no such run.
        StoreError: the store cannot be read.
    """
    run = await gateway.window.ask(lambda store: store.insights.run(RunId(name)))
    return run, await gateway.watch.board(run.id)


async def verdict_of(gateway: Gateway, run_id: RunId) -> Verdict | None:
    """What a run came to, None while it goes on."""
    return await gateway.window.ask(lambda store: store.verdicts.find(run_id))


def contest_of(run: Run, board: RunScores, verdict: Verdict | None) -> Contest:
    """Baseline and best on the split that tells most: test, else validate, else optimize."""
    baseline = str(baseline_of(run).hash)
    measured = {split for _, split in board.standings.by_place}
    order = (Split.VALIDATE, Split.OPTIMIZE, Split.TEST)
    split = next((one for one in order if one in measured), None)
    leader = _leader(board, split, verdict)
    return Contest(
        split=split,
        baseline=board.standings.find(baseline, split),
        best=board.standings.find(leader, split),
        baseline_hash=baseline,
        best_hash=leader,
    )


def _leader(board: RunScores, split: Split | None, verdict: Verdict | None) -> str | None:
    """What the run names as ahead; while it goes on, the highest mean among those tried enough."""
    if verdict is not None:
        named = verdict.evidence.get("leader")
        return named if isinstance(named, str) else str(verdict.resources.hash)
    if split is None:
        return None
    most = max((one.scored for one in board.standings.by_split[split]), default=0)
    leader = leading(board.standings.by_split[split], most)
    return leader.resources if leader else None
