"""A small optimization as reports are shown it."""

from collections.abc import Mapping

from tau.domain.dataset import Example, Split, examples
from tau.domain.decision import Decision, Verdict
from tau.domain.ids import RolloutId, RunId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.domain.run import Run, RunStatus
from tau.ports.insights import CandidateRecord, Measurement
from tau.reports.account import Account
from tau.scoring.certify import certify
from tau.scoring.table import ScoreRow, ScoreTable, pair

HOSTILE = "</pre><script>alert('x')</script>\x1b[2J\u202e {{evil}}"
SEED = Resources(values={"system_prompt": "Answer briefly."})
BEST = Resources(values={"system_prompt": f"Answer well. {HOSTILE}"}, parent=SEED.hash)
ROWS: tuple[Example, ...] = examples(
    Split.TEST, [{"prompt": f"q{n}", "expected": str(n)} for n in range(120)]
)
RUN = Run(
    id=RunId("run-1"),
    config_hash="c" * 64,
    model_ref="sim/rules",
    seed=0,
    algorithm="reflect",
    config={"resources": dict(SEED.values)},
    status=RunStatus.COMPLETED,
)


def measured(resources: Resources, scores: Mapping[int, float | None]) -> list[Measurement]:
    """Scores by the number of the row."""
    return [
        Measurement(
            rollout_id=RolloutId(f"run-1-r{n + 1}"),
            run_id=RUN.id,
            resources=resources.hash,
            example=ROWS[n].id,
            split=Split.TEST,
            replicate=0,
            status=RolloutStatus.SUCCEEDED,
            score=score,
        )
        for n, score in scores.items()
    ]


def account(*, evidence: Mapping[str, Json] | None = None) -> Account:
    """The best fixes 12 of 24 examples and breaks one."""
    return compared(
        {n: float(n >= 13) for n in range(24)},
        {n: float(n < 12 or n >= 14) for n in range(24)},
        evidence=evidence,
    )


def compared(
    before: Mapping[int, float | None],
    after: Mapping[int, float | None],
    *,
    evidence: Mapping[str, Json] | None = None,
    gated: bool = False,
) -> Account:
    """A search whose winner met the baseline with these scores, decided as they demand."""
    base, best = measured(SEED, before), measured(BEST, after)
    table = ScoreTable.of(
        ScoreRow(candidate=one.resources, example=one.example, score=one.score)
        for one in [*base, *best]
    )
    found = certify(pair(table, BEST.hash, SEED.hash), effect=0.05, gated=gated)
    decision = Decision(found.decision)
    return Account(
        run=RUN,
        counts=RolloutCounts(by_status={RolloutStatus.SUCCEEDED: len(base) + len(best)}),
        failures={},
        verdict=Verdict(
            run_id=RUN.id,
            resources=BEST if decision is Decision.PROMOTE else SEED,
            decision=decision,
            evidence=evidence or {"certificate": found.to_json(), "leader": BEST.hash},
            caveats=(f"careful {HOSTILE}",),
        ),
        baseline=SEED,
        best=BEST if decision is Decision.PROMOTE else SEED,
        version=None,
        candidates=(CandidateRecord(resources=BEST, wave=1, abandoned=False),),
        measurements=(*base, *best),
    )
