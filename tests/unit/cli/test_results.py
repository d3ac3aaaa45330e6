"""The result of a run in its three shapes, and the figures in them."""

import json

import pytest

from tau.cli import figures, results
from tau.domain.spend import Budget, Spend
from unit.cli.looks import report


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
    [
        (0, "$0.00"),
        (0.0000001, "<$0.000001"),
        (0.0000123, "$0.000012"),
        (0.0123, "$0.0123"),
        (0.5, "$0.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money(usd: float, text: str) -> None:
    assert figures.money(usd) == text


def test_spending_shows_limits_where_there_are_any() -> None:
    spent = Spend(calls=1, tokens=1000, cost_nano_usd=10_000_000)

    assert figures.spending(spent) == ["1 call", "1,000 tokens", "$0.01"]
    assert figures.spending(spent, Budget(tokens=5000, cost_nano_usd=NANO_USD)) == [
        "1 call", "1,000 tokens of 5,000", "$0.01 of $1.00"
    ]  # fmt: skip
    assert figures.spending(Spend()) == []


NANO_USD = 1_000_000_000
