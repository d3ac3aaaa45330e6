"""The result of a run in its three shapes, and the figures in them."""

import io
import json

import pytest

from tau.cli import figures, results
from tau.cli.report import print_report, scale
from tau.domain.run import RunStatus, StopReason
from tau.domain.spend import Budget, Spend
from unit.cli.looks import HALF, NONE, report

RESUME = "tau run c.json"


def test_the_contracts_line() -> None:
    assert results.contract_line(report()) == (
        "prompt optimization complete: model=openai/gpt-4o-mini store=my store.sqlite "
        "total=100 succeeded=97 failed=3 cancelled=0"
    )


def test_the_document_begins_with_the_contracts_fields_and_is_json() -> None:
    document = results.document(report())

    assert list(document)[:6] == [
        "model_ref", "store_path", "total_rollouts", "succeeded", "failed", "cancelled"
    ]  # fmt: skip
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["splits"][1] == {
        "split": "validate", "rows": 10, "scored": 0, "unscored": 0, "failed": 0, "cancelled": 0,
        "mean": None, "low": None, "high": None,
    }  # fmt: skip


def test_the_report_for_logs() -> None:
    lines = list(results.report_lines(report(caveats=("few rows\x1b[0m",)), resume=RESUME))

    assert lines == [
        "97 of 100 rollouts succeeded in 12 s",
        "",
        "split     score  95 % interval   scored     not scored",
        "optimize  0.500  0.250 to 0.750  50 of 100  2 unscored, 3 failed",
        "validate  -      -               0 of 10    -",
        "",
        "best       resources-1 (abababababab)",
        "used       100 calls, 2,000 tokens, $0.1230",
        "failures   rate_limit 2, server 1",
        "note       few rows\\x1b[0m",
        "run        run-1 in my store.sqlite",
        "",
        "next:",
        "  tau rollouts ls --run run-1 --status failed --store 'my store.sqlite'",
        "  tau rollouts ls --run run-1 --store 'my store.sqlite'",
        "  tau resources show abababababab --content --store 'my store.sqlite'",
        "  tau serve --store 'my store.sqlite'",
    ]


def test_a_stopped_run_says_why_and_how_it_goes_on() -> None:
    stopped = report(
        status=RunStatus.PAUSED,
        stop_reason=StopReason.BUDGET,
        stop_detail="the budget of calls is used up",
        resumable=True,
        cost_usd=None,
    )

    lines = list(results.report_lines(stopped, resume=RESUME))

    assert lines[:2] == [
        "stopped (budget): 97 of 100 rollouts succeeded in 12 s",
        "  the budget of calls is used up",
    ]
    assert results.next_commands(stopped, resume=RESUME)[0] == RESUME
    assert any("price unknown" in line for line in lines)


def test_a_terminal_gets_the_scores_drawn() -> None:
    stream = io.StringIO()

    print_report(report(model_ref="[red]m"), stream, resume=RESUME)

    assert "├" in stream.getvalue()
    assert "0.500 (0.250 to 0.750)" in stream.getvalue()
    assert "tau resources show" in stream.getvalue()


def test_the_scale_shows_mean_and_interval_in_place() -> None:
    assert scale(HALF, 9) == "··├─●─┤··"
    assert scale(NONE, 5) == "·····"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"), (0.34, "340 ms"), (0.9996, "1.0 s"), (4.12, "4.1 s"), (9.96, "10 s"),
        (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0.00"), (0.00001, "<$0.0001"), (0.0123, "$0.0123"), (1234.5, "$1,234.50")],
)
def test_money(usd: float, text: str) -> None:
    assert figures.money(usd) == text


def test_spending_shows_limits_where_there_are_any() -> None:
    spent = Spend(calls=1, tokens=1000, cost_nano_usd=10_000_000)

    assert figures.spending(spent) == ["1 call", "1,000 tokens", "$0.0100"]
    assert figures.spending(spent, Budget(tokens=5000, cost_nano_usd=NANO_USD)) == [
        "1 call", "1,000 tokens of 5,000", "$0.0100 of $1.00"
    ]  # fmt: skip
    assert figures.spending(Spend()) == []


NANO_USD = 1_000_000_000
