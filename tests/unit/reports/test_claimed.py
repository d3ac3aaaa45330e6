"""A decision in the words of its claim: which part is open, what rows cannot show, and no more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.decision import Decision
from tau.domain.json import Json
from tau.reports.account import Account
from tau.reports.gain import of_evidence
from tau.reports.outcome import outcome
from tau.scoring.claims import Claim, ClaimKind, PairedScores, decide
from tau.scoring.power import fewest_for_margin
from unit.reports.accounts import account, compared

GUARDS: list[Json] = [{"grader": "tone", "margin": 0.1}, {"grader": "facts", "margin": 0.1}]


def claimed(
    decision: Decision,
    parts: Mapping[str, Json],
    *,
    margin: float = 0.3,
    minimize: str | None = None,
    rows: int = 120,
    groups: int | None = None,
) -> Account:
    """A claim of several parts on so many rows, decided so."""
    found = compared({n: float(n % 2) for n in range(rows)}, {n: float(n % 2) for n in range(rows)})
    assert found.verdict is not None
    whole = dict(found.evidence["certificate"])  # type: ignore[arg-type]
    comparison: dict[str, Any] = {**whole["comparison"], "groups": groups}  # type: ignore[dict-item]
    claim: dict[str, Json] = {
        "words": "not worse by 30 points; nor worse in tone by 10 points, facts by 10 points",
        "margin": margin, "minimize": minimize, "guards": GUARDS,
    }  # fmt: skip
    certificate = {**whole, "parts": dict(parts), "comparison": comparison, "reason": "because"}
    evidence = {**found.evidence, "claim": claim, "certificate": certificate}
    return replace(found, verdict=replace(found.verdict, decision=decision, evidence=evidence))


def parts(score: str, tone: str, facts: str, **more: str) -> Mapping[str, Json]:
    return {"score": score, **more, "guards": {"tone": tone, "facts": facts}}


OK, OPEN, WORSE = "promote", "inconclusive", "keep_baseline"


@pytest.mark.parametrize(
    ("found", "head"),
    [
        (parts(OK, OPEN, OK), "the guard 'tone' is open: these rows cannot tell"),
        (parts(OK, OPEN, OPEN), "the guard 'tone' and the guard 'facts' are open"),
        (parts(OPEN, OPEN, OK), "the score and the guard 'tone' are open"),
        (parts(OPEN, OK, OK, cost=OPEN), "the score and the cost are open"),
        (parts(OK, OK, OK, cost=OPEN), "the cost is open"),
    ],
)
def test_an_open_claim_names_its_open_parts_first(found: Mapping[str, Json], head: str) -> None:
    told = outcome(claimed(Decision.INCONCLUSIVE, found))
    assert told.head.startswith(head)
    assert "surely" not in " ".join([told.head, *told.under, told.why, *told.helps])
    assert told.why == "because"


def test_a_refuted_claim_names_what_refutes_it() -> None:
    told = outcome(claimed(Decision.KEEP_BASELINE, parts(OK, OPEN, WORSE)))
    assert told.head.startswith("refuted by the guard 'facts': not worse by 30 points")
    assert "surely" not in " ".join(told.under)
    whole = outcome(claimed(Decision.KEEP_BASELINE, parts(WORSE, OK, OK)))
    assert whole.head.startswith("refuted by the score")
    assert whole.under[1].startswith("surely between")


def test_a_proved_claim_is_sure() -> None:
    told = outcome(claimed(Decision.PROMOTE, parts(OK, OK, OK)))
    assert told.head.startswith("proved: ")
    assert told.under[1].startswith("surely between")


def test_runs_from_before_parts_were_kept_name_their_guards() -> None:
    found = claimed(Decision.INCONCLUSIVE, {})
    assert found.verdict is not None
    whole = dict(found.evidence["certificate"])  # type: ignore[arg-type]
    del whole["parts"]
    whole["guards"] = {"tone": {"decision": OPEN}, "facts": {"decision": OK}}
    verdict = replace(found.verdict, evidence={**found.evidence, "certificate": whole})
    told = outcome(replace(found, verdict=verdict))
    assert told.head.startswith("the guard 'tone' is open")


@pytest.mark.parametrize(
    ("rows", "groups", "said"),
    [
        (28, None, "28 test examples are too few for this claim: at least 29 are needed"),
        (120, 28, "28 groups are too few for this claim: at least 29 are needed"),
        (120, 1, "1 group is too few for this claim: at least 29 are needed"),
    ],
)
def test_too_few_rows_are_said_before_all_else(rows: int, groups: int | None, said: str) -> None:
    told = outcome(claimed(Decision.INCONCLUSIVE, parts(OPEN, OPEN, OK), rows=rows, groups=groups))
    assert told.head == said
    assert told.under[0].startswith("claimed: not worse by 30 points")


@pytest.mark.parametrize(("margin", "least"), [(0.02, 149), (0.05, 59), (0.1, 29), (0.2, 14)])
@pytest.mark.parametrize("score", [1.0, 0.5])
def test_the_fewest_rows_for_a_margin_are_just_enough(
    margin: float, least: int, score: float
) -> None:
    def decided(rows: int) -> str:
        same = (score,) * rows
        ids = tuple(map(str, range(rows)))
        claim = Claim(kind=ClaimKind.NOT_WORSE, margin=margin)
        return decide(claim, PairedScores(ids=ids, baseline=same, candidate=same)).decision.value

    assert fewest_for_margin(margin, 0.05) == least
    assert (decided(least - 1), decided(least)) == ("inconclusive", "promote")


def test_what_would_settle_it_is_told_in_groups_where_they_count() -> None:
    rows = 40
    scores = PairedScores(
        ids=tuple(map(str, range(rows))),
        baseline=tuple(float(n % 4 == 0) for n in range(rows)),
        candidate=tuple(float(n % 3 == 0) for n in range(rows)),
        groups=tuple(f"g{n // 4}" for n in range(rows)),
    )
    found = decide(Claim(), scores)
    assert found.rows_to_settle is not None
    assert found.groups_to_settle == -(-found.rows_to_settle // 4)
    assert f"about {found.groups_to_settle} groups ({found.rows_to_settle} rows)" in found.words()
    assert found.to_json()["groups_to_settle"] == found.groups_to_settle
    alone = decide(Claim(), replace(scores, groups=None))
    assert alone.groups_to_settle is None
    assert "group" not in alone.words()


def test_a_gain_of_a_run_says_groups_too() -> None:
    gain = of_evidence(account().evidence)
    assert gain is not None
    open_ = replace(gain, rows_to_settle=90, groups=6)
    assert open_.settling == "about 23 groups (90 examples)"
    assert replace(open_, groups=None).settling == "about 90 examples"
    assert replace(open_, rows_to_settle=None).settling == ""


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])),
        min_size=2, max_size=60,
    ),
    margin=st.sampled_from([None, 0.1, 0.3]),
    labels=st.integers(0, 12),
)  # fmt: skip
def test_what_is_open_or_rests_on_few_labels_is_never_sure(
    pairs: list[tuple[float, float]], margin: float | None, labels: int
) -> None:
    ids = tuple(map(str, range(len(pairs))))
    ours, theirs = (tuple(pair[side] for pair in pairs) for side in (0, 1))
    human = None
    if labels:
        human = tuple(
            tuple(value if n < labels else None for n, value in enumerate(column))
            for column in (ours, theirs)
        )
    claim = Claim(kind=ClaimKind.BETTER if margin is None else ClaimKind.NOT_WORSE, margin=margin)
    found = decide(
        claim,
        PairedScores(ids=ids, baseline=ours, candidate=theirs, human=human),  # type: ignore[arg-type]
    )
    if found.decision.value == "inconclusive" or 0 < labels < 10:
        assert "surely" not in found.words()
