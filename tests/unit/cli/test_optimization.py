"""How an optimization is shown: the search while it goes, and what it came to."""

import io
import json
from dataclasses import replace

import pytest

from tau.cli import results
from tau.cli.decision import plain
from tau.cli.displays import EventsDisplay, PlainDisplay
from tau.cli.live import LiveDisplay
from tau.cli.optimization import diff_lines
from tau.cli.report import diff, print_report, report_lines
from tau.domain.spend import Budget
from tau.ports.algorithm import Plan
from tau.reports.words import word_diff
from tau.trainer.monitor import search_progress
from tau.trainer.progress import SearchProgress
from unit.cli.looks import HALF, NONE, RUN, look, report
from unit.reports.accounts import BEST, HOSTILE, SEED, account

PLAN = Plan(evaluations=90, proposals=10, rollouts=100, calls=100, certification=24, detectable=0.2)
SEARCH = SearchProgress(phase="certification", candidates=7, leader=(replace(HALF, mean=0.75),))


def shown(width: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    print_report(report(account=account(), plan=PLAN), stream, resume="r", verbose=True)
    return stream.getvalue()


def test_hostile_text_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = word_diff("Answer.", f"Answer. {HOSTILE}")
    lines = "\n".join([*diff_lines(pieces), *map(plain, diff(pieces))])
    logs = "\n".join(report_lines(report(account=account(), plan=PLAN), resume="r", verbose=True))

    for text in (lines, logs, shown("80", monkeypatch)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[2J\\u202e" in text


def test_a_diff_cannot_pass_for_lines_of_ours() -> None:
    pieces = word_diff("a", "b\ndecision promote\n")

    assert all(line.startswith("  | ") for line in diff_lines(pieces))
    assert all(plain(row).startswith("  |") for row in diff(pieces))


def test_long_stretches_that_stayed_are_cut() -> None:
    long = "word " * 400
    text = "\n".join(diff_lines(word_diff(long + "old", long + "new")))

    assert "[...]" in text
    assert len(text) < 300
    assert text.endswith("[-old-]{+new+}")


def test_the_document_of_an_optimization() -> None:
    document = results.document(report(account=account(), plan=PLAN, decision="promote"))

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["gain"]["n"] == 24
    assert document["baseline_hash"] == SEED.hash
    assert document["leader_hash"] == BEST.hash
    assert document["plan"]["detectable_gain"] == 0.2
    assert "gain" not in results.document(report()), "runs that only measure say what they did"


def test_a_search_shows_baseline_best_and_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    now = look(6.0, 10, splits=(HALF,), search=SEARCH)
    stream, log, events = io.StringIO(), io.StringIO(), io.StringIO()
    with LiveDisplay(stream) as live:
        live.progress(now)
        with live._console.capture() as captured:
            live._console.print(live._block(now))
    with PlainDisplay(log) as plain:
        plain.progress(now)
    with EventsDisplay(events) as lines:
        lines.progress(now)

    block = captured.get()
    assert "baseline optimize  0.500" in block
    assert "best     optimize  0.750" in block
    assert "certification · 7 candidates tried" in block
    assert "certification: 7 candidates · best optimize 0.750" in log.getvalue()
    search = json.loads(events.getvalue())["search"]
    assert (search["phase"], search["candidates"]) == ("certification", 7)


def test_a_search_is_measured_by_its_budget_not_by_its_waves() -> None:
    run = replace(RUN, budget=Budget(rollouts=400))
    log = io.StringIO()
    with PlainDisplay(log) as display:
        for second in (1.0, 6.0):
            display.progress(replace(look(second, int(second) * 10, search=SEARCH), run=run))
    assert "60/400 done" in log.getvalue()
    assert "about 34 s left" in log.getvalue()


def test_only_the_baseline_is_no_search() -> None:
    assert search_progress([], "aaa", {}) is None
    found = search_progress([], "aaa", {"phase": "search", "leader": "bbb"})
    assert found == SearchProgress(phase="search", candidates=0)
    assert NONE.mean is None
