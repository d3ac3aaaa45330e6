import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tau.domain.dataset import Split, examples
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.run import RunStatus, StopReason
from tau.ports.insights import Shortfalls
from tau.reports.gain import certificate as certificate_of
from tau.reports.gain import of_evidence
from tau.reports.html import html
from tau.reports.junit import junit
from tau.reports.rows import EvaluationRow, as_csv, jsonl
from unit.reports.accounts import BEST, HOSTILE, ROWS, SEED, account, measured


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "style")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    return tags


def row(score: float | None, text: str = "answer", *, failed: bool = False) -> EvaluationRow:
    request = RolloutRequest(kind=RolloutKind.EVALUATE, resources=BEST, example=ROWS[0])
    result = RolloutResult(
        request=request,
        rollout_id=None,
        status=RolloutStatus.FAILED if failed else RolloutStatus.SUCCEEDED,
        output=None if failed else Output(text=text),
        rewards=(Reward(name="right", score=score, reason=f"because {HOSTILE}"),),
        score=score,
        failure=Failure(kind=FailureClass.SERVER, message=HOSTILE) if failed else None,
        duration_ms=1500,
    )
    found = measured(BEST, {0: score})[0]
    return EvaluationRow(measurement=found, result=result)


def failing(row: EvaluationRow) -> EvaluationRow:
    one = row.measurement
    failed = type(one)(
        **{name: getattr(one, name) for name in one.__slots__} | {"status": RolloutStatus.FAILED}
    )
    return EvaluationRow(measurement=failed, result=row.result)


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    page = html(account())
    tags = parsed(page)

    assert "script" not in tags.names
    assert tags.names.count("svg") >= 3
    assert tags.links == []
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_page_says_what_was_found() -> None:
    page = html(account())
    gain = account().gain
    assert gain is not None

    assert "Promote: the new prompt is better" in page
    assert f"{gain.difference:+.3f}" in page
    assert f"{len(gain.fixed)} fixed, {len(gain.broken)} broken" in page
    assert "<del>briefly</del><ins>well</ins>" in page
    assert "simulated" in page


def test_the_table_of_candidates_names_baseline_and_best() -> None:
    chosen = account()
    rows = tuple(replace(one, split=Split.VALIDATE) for one in chosen.measurements)
    chosen = replace(chosen, measurements=rows)
    page = html(chosen)
    assert f"<td>{SEED.hash[:12]}</td><td>baseline</td>" in page
    assert f"<td>{BEST.hash[:12]}</td><td>best</td>" in page
    kept = html(replace(chosen, best=SEED))
    assert f"<td>{BEST.hash[:12]}</td><td>best</td>" in kept, "ahead, not proved better: one word"
    assert "leader" not in kept


def test_candidates_beyond_twenty_are_folded_and_none_is_left_out() -> None:
    chosen = account()
    one = chosen.measurements[0]
    many = tuple(
        replace(one, resources=ResourcesHash(f"{n:064x}"), score=n / 100, split=Split.VALIDATE)
        for n in range(50)
    )
    page = html(replace(chosen, measurements=(*chosen.measurements, *many)))
    before, _, folded = page.partition("<details>")
    assert "30 candidates more" in folded or "29 candidates more" in folded
    assert f"<td>{'0' * 10}31</td>" not in before
    names = {f"{n:064x}"[:12] for n in range(50)}
    assert names == {name for name in names if name in page}


@pytest.mark.parametrize("content", [True, False])
def test_failing_examples_are_told_and_texts_only_with_leave(content: bool) -> None:
    rows = [row(0.0), row(1.0)]
    page = html(account(), rows, content=content)
    assert "1 evaluation of the best" in page
    assert ("answered" in page) is content
    assert ("--content" in page) is not content


@pytest.mark.parametrize("content", [True, False])
def test_a_plain_evaluation_shows_failing_rows_with_what_was_wanted(content: bool) -> None:
    (named,) = examples(
        Split.TEST, [{"id": "R4-7", "prompt": "which team?", "expected": "Billing"}]
    )
    wrong = row(0.0)
    assert wrong.result is not None
    request = RolloutRequest(kind=RolloutKind.EVALUATE, resources=SEED, example=named)
    measurement = replace(wrong.measurement, resources=SEED.hash)
    mine = EvaluationRow(measurement=measurement, result=replace(wrong.result, request=request))
    found = replace(account(), verdict=None, best=SEED, candidates=(), measurements=(measurement,))
    page = html(found, [mine], content=content)

    assert "1 evaluation \ndid not score 1" in page
    assert "of the best" not in page
    assert ">baseline<" not in page
    for text in ("R4-7", "which team?", "wanted", "Billing"):
        assert (text in page) is content


@pytest.mark.parametrize("part", [True, False])
def test_a_decision_on_part_of_the_rows_is_marked_in_the_headline(part: bool) -> None:
    evidence = dict(account().evidence)
    case: dict[str, Json] = {"decision": "keep_baseline", "low": -0.1, "high": 0.2}
    partial: dict[str, Json] = {"compared": 20, "missing": 4, "against": case, "in_favour": case}
    certificate = {**certificate_of(evidence), **({"partial": partial} if part else {})}
    page = html(account(evidence={**evidence, "certificate": certificate}))

    assert ('class="decision promote part"' in page) is part
    assert ("Promote, on 20 of 24 rows: the new prompt is better" in page) is part
    assert ("gone against the candidate, it would be keep baseline (-0.100" in page) is part


def test_a_run_without_a_score_says_so_and_why() -> None:
    lost = Shortfalls(unscored={"no field 'expected'": 5}, answers={"answer_cut": 2})
    run = replace(account().run, status=RunStatus.FAILED, stop_reason=StopReason.NOTHING_SCORED)
    page = html(
        replace(account(), run=run, verdict=None, measurements=(), candidates=(), shortfalls=lost)
    )

    assert "Nothing scored: no answer could be graded" in page
    assert "5 unscored: no field" in page
    assert "raise max_tokens" in page
    assert "Keep the baseline" not in page


def test_p_value_and_interval_say_the_same() -> None:
    gain = account().gain
    assert gain is not None
    assert gain.one_sided
    assert (gain.low > 0) == (gain.p_value <= gain.alpha / 2)
    assert "(one-sided)" in html(account())


def test_evidence_of_another_shape_is_no_gain() -> None:
    assert of_evidence({}) is None
    assert of_evidence({"certificate": "text"}) is None
    assert of_evidence({"certificate": {"comparison": None}}) is None
    assert html(account(evidence={"certificate": {"reason": "none"}}))


def test_junit_has_a_case_per_example_of_the_best() -> None:
    rows = [row(1.0), row(0.5), row(None), failing(row(None, failed=True))]
    suite = ET.fromstring(junit(account(), rows))[0]

    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "1")
    inner = [[child.tag for child in case] for case in suite]
    assert inner == [[], ["failure"], ["skipped"], ["error"]]
    assert "because" in (suite[1][0].text or "")
    assert suite[3][0].get("message") == "server"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1+1", "-A1", "-1;=1", "@x", "\t=1"])
def test_a_spreadsheet_calculates_nothing(start: str) -> None:
    table = list(csv.DictReader(io.StringIO(as_csv([row(1.0, start)], content=True))))

    assert table[0]["output"] == f"'{start}"
    assert table[0]["reward.right"] == "1.0"


@pytest.mark.parametrize("number", ["-5", "-0.25", "-1e9", "-12,5", "-3%"])
def test_a_plain_negative_number_stays_as_it_was_said(number: str) -> None:
    table = list(csv.DictReader(io.StringIO(as_csv([row(1.0, number)], content=True))))

    assert table[0]["output"] == number


def test_texts_are_exported_on_request_only() -> None:
    assert "answer" not in jsonl([row(1.0)], content=False)
    assert "answer" in jsonl([row(1.0)], content=True)
    assert "\x1b" not in jsonl([row(1.0, "\x1b[2J")], content=True)
