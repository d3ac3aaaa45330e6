"""What a person reads at the end of a run: the decision in plain words, figures on request."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tau.cli.report import report_lines
from tau.cli.text import cells
from tau.domain.ids import RolloutId
from tau.domain.run import RunStatus, StopReason
from tau.domain.spend import Budget, Spend
from tau.reports.account import Account
from tau.reports.outcome import expectation, outcome
from tau.reports.words import rules_changed
from tau.reports.worsened import Worsened
from unit.cli.looks import HALF, NONE, report
from unit.reports.accounts import RUN, account, compared

STATISTICS = re.compile(r"p-value|\bp [<=]|one-sided|\d+ % interval|inconclusive|alpha|paired")
SIZES = ("60", "80", "140")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def lines(found: Account, *, verbose: bool = False, **changes: object) -> list[str]:
    decision = found.decision
    return report_lines(
        report(account=found, decision=decision, store_path=".tau/training/store.sqlite",
               caveats=(), **changes),
        resume="tau optimize c.json", verbose=verbose,
    )  # fmt: skip


def rows(right: int, n: int) -> Mapping[int, float]:
    return {number: float(number < right) for number in range(n)}


BETTER = compared(rows(17, 61), {n: float(n < 45 and n != 3) for n in range(61)})
FEW = compared(rows(1, 4), rows(3, 4))
UNSURE = compared(rows(10, 24), rows(12, 24))
NO_BETTER = compared(rows(60, 120), {n: float(5 <= n < 60) for n in range(120)})
GRADED = compared({n: 0.2 for n in range(40)}, {n: 0.4 + n / 100 for n in range(40)})
PART = compared(
    {n: float(n < 4) for n in range(40)}, {n: None if n >= 33 else 1.0 for n in range(40)}
)
ALL = {"better": BETTER, "few": FEW, "unsure": UNSURE, "kept": NO_BETTER, "graded": GRADED,
       "part": PART}  # fmt: skip


def test_a_promotion_is_told_in_points_and_examples() -> None:
    worse = Worsened(rollout_id=RolloutId("run-1-r612"), name="Order R4-000131",
                     wanted="98 | K3", got="98 | K2")  # fmt: skip
    said = lines(
        replace(BETTER, worsened=(worse,), run=replace(RUN, budget=Budget(rollouts=500))),
        spent=Spend(rollouts=499, calls=499), cost_usd=0.0, failures={}, duration_s=6.8,
    )  # fmt: skip

    assert said == [
        "PROMOTE   the new prompt is better: 28 % -> 72 % right, +44 points",
        "          surely at least +32 points (61 fresh examples, unused in the search)",
        "",
        "   before   ██████░░░░░░░░░░░░░░   28 %",
        "   after    ██████████████░░░░░░   72 %",
        "   of 61 examples: 28 newly right, 1 newly wrong, 32 unchanged",
        "",
        " 1 got worse   Order R4-000131   wanted 98 | K3   got 98 | K2",
        "               tau rollouts show r612 --content",
        " changed       +1 rule, −1                   tau candidates diff run-1",
        " cost          499 of 500 rollouts, $0.00, 6.8 s",
        " next          put it into use",
        "                 tau promote run-1 --alias prod",
        "               show a colleague",
        "                 tau export run-1 --to html --output report.html",
        "               look around",
        "                 tau serve",
    ]


def test_too_few_examples_are_no_decision_and_what_helps_is_said() -> None:
    said = "\n".join(lines(FEW))

    assert said.startswith("NOT DECIDED   4 test examples are too few to tell anything\n")
    assert "the gain could be anything from " in said
    assert "fewer than 5 fresh examples can never prove a gain" in said
    assert 'set aside at least 30 fresh rows under "test"' in said
    assert re.search(r"about [\d,]+ rows would settle differences of 5 points", said)
    assert "tau promote" not in said


def test_what_is_not_settled_says_how_many_rows_would_settle_it() -> None:
    said = "\n".join(lines(compared(rows(20, 60), rows(22, 60))))

    assert said.startswith("NOT DECIDED   60 fresh examples cannot tell: 33 % -> 37 % right, ")
    assert re.search(r"about [\d,]+ rows would settle it", said)


def test_a_baseline_that_is_kept_says_that_nothing_better_was_found() -> None:
    said = "\n".join(lines(NO_BETTER))

    assert said.startswith("KEEP BASELINE   nothing better was found: 50 % -> 46 % right, −4 ")
    assert "tau promote" not in said


def test_a_decision_on_part_of_the_rows_says_what_the_others_could_make_of_it() -> None:
    found = outcome(PART)
    said = "\n".join(lines(PART))

    assert found.doubtful
    assert "7 of 40 rows could not be compared" in said
    assert "had all gone against the new prompt" in said or "however they had gone" in said


@pytest.mark.parametrize("name", ALL)
def test_statistics_are_told_only_where_they_are_asked_for(name: str) -> None:
    brief, whole = ("\n".join(lines(ALL[name], verbose=each)) for each in (False, True))

    assert not STATISTICS.search(brief), STATISTICS.search(brief)
    assert STATISTICS.search(whole)


def test_percents_are_for_right_and_wrong_answers_only() -> None:
    said = "\n".join(lines(GRADED))

    assert "0.200 -> 0.595, +0.395" in said
    assert "%" not in said
    assert "points" not in said
    assert "of 40 examples: 40 better, 0 worse, 0 unchanged" in said


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_longer_than_the_terminal(
    name: str, width: str, *, verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    long = [text for text in lines(ALL[name], verbose=verbose) if cells(text) > int(width)]

    assert not [text for text in long if "tau " not in text and not text.startswith("  | ")]


@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [
        (StopReason.BUDGET, RunStatus.FAILED, "STOPPED"),
        (StopReason.TIME_LIMIT, RunStatus.FAILED, "STOPPED"),
        (StopReason.SIGNAL, RunStatus.PAUSED, "STOPPED"),
        (StopReason.ERROR, RunStatus.FAILED, "FAILED"),
        (StopReason.NOTHING_SCORED, RunStatus.FAILED, "NOTHING SCORED"),
        (StopReason.FINISHED, RunStatus.COMPLETED, "MEASURED"),
    ],
)
def test_a_run_that_only_measured_says_how_it_ended(
    reason: StopReason, status: RunStatus, word: str
) -> None:
    ended = report(status=status, stop_reason=reason, resumable=reason is StopReason.BUDGET)
    said = report_lines(ended, resume="tau run c.json")

    assert said[0].startswith(f"{word}   ")
    assert any("tau run c.json" in text for text in said) == ended.resumable
    assert "97 of 100 rollouts succeeded" in "\n".join(said)


def test_splits_are_drawn_with_what_is_missing() -> None:
    said = report_lines(report(binary=True, splits=(HALF, NONE)), resume="")

    assert "   optimize  ██████████░░░░░░░░░░  50 % (25 % to 75 %)" in said
    assert "             50 of 100 rows scored, 2 unscored, 3 failed" in said


@pytest.mark.parametrize("reason", [StopReason.BUDGET, StopReason.ERROR])
def test_a_search_that_was_stopped_decides_nothing(reason: StopReason) -> None:
    run = replace(RUN, status=RunStatus.FAILED, stop_reason=reason)
    verdict = account().verdict
    assert verdict is not None
    open_ = replace(account(), run=run, verdict=replace(verdict, decision=None, evidence={}))

    said = lines(open_, resumable=True, stop_reason=reason)

    assert re.match(r"(STOPPED|FAILED)   nothing is decided yet", said[0])
    assert any("tau optimize c.json" in text for text in said)


def test_attempts_made_again_are_told_apart_from_what_was_planned() -> None:
    said = "\n".join(lines(BETTER, spent=Spend(rollouts=400, calls=786), retries=386))

    assert "400 rollouts, 786 calls with 386 retries" in said


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("Answer.", "Answer.", (0, 0)),
        ("Be brief. Answer.", "Be brief.\nAnswer.\nUse kg.", (1, 0)),
        ("a\nb\nc", "a\nc\nd\ne", (2, 1)),
        ("", "one", (1, 0)),
        ("x\nx", "x", (0, 1)),
    ],
)
def test_rules_are_counted_not_characters(old: str, new: str, changed: tuple[int, int]) -> None:
    assert rules_changed(old, new) == changed


def test_a_plan_tells_what_will_be_noticed() -> None:
    assert "an improvement of 18 points or more four times out of five" in expectation(61, 0.18)
    assert "14 points" in expectation(73, 0.133), "never less than what it takes"
    assert "not decided" in expectation(3, None)
    assert "Without fresh rows" in expectation(0, None)
