"""Graders that ask a model: what is sent, how the answer is read, what is never a zero."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinery.judging import ROW, by_output, context, judge_of, judged, record_of, saying, verdict
from tau.domain.chat import Completion, ToolCall
from tau.domain.rollout import Output
from tau.errors import AttemptError, GraderFailed, InputError, RateLimited
from tau.graders.judge import (
    ClosedQAJudge,
    FactualityJudge,
    FaithfulnessJudge,
    Judge,
    RefusalJudge,
    RelevanceJudge,
)
from tau.graders.judge_pairwise import PairwiseJudge
from tau.graders.judge_request import (
    TEMPLATE,
    JudgeMaterial,
    JudgeRubric,
    judge_hash,
    judge_request,
)
from tau.graders.judge_scale import (
    UnreadableVerdict,
    read_verdict,
    scale_of,
    verdict_schema,
)
from tau.testing.grader import graded_example

YES_NO = scale_of("yes-no")


def said(text: str, reason: str = "stop", **more: Any) -> Completion:  # noqa: ANN401
    return Completion(text=text, finish_reason=reason, model="judge", **more)


async def test_a_rubric_is_asked_and_the_answer_is_the_reward() -> None:
    model = saying(verdict("Yes", "it names the number"))
    grader = judge_of(Judge, model, {"temperature": 0}, rubric="Is it seven?", reference="expected")
    record = record_of(grader)
    reward = await judged(grader, "7", record)

    assert (reward.score, reward.passed) == (1.0, True)
    assert "it names the number" in reward.reason
    (request,) = model.asked
    system, user = request.messages
    assert "Is it seven?" in system.content
    assert "The reference (material):\n````\n7\n````" in user.content
    assert request.params["temperature"] == 0
    asked: Any = request.params["response_format"]
    schema = asked["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reason", "verdict"], "the reason comes first"
    assert (record.spent.calls, record.spent.tokens) == (1, 6)
    assert any(span.name.startswith("chat") for span in record.close())


async def test_criteria_are_weighed() -> None:
    answer = json.dumps({"reason": "r", "verdicts": {"polite": "good", "brief": "poor"}})
    grader = judge_of(
        Judge,
        saying(answer),
        criteria={"polite": "Is it polite?", "brief": "Is it brief?"},
        weights={"polite": 3.0},
        scale={"poor": 0.0, "fair": 0.5, "good": 1.0},
    )
    reward = await judged(grader, "7")
    assert reward.score == pytest.approx(0.75)
    assert reward.metrics == {"polite": 1.0, "brief": 0.0}


@pytest.mark.parametrize(("label", "score"), [(1, 0.0), ("2", 0.25), (3, 0.5), (5.0, 1.0)])
async def test_a_range_is_from_0_to_1(label: object, score: float) -> None:
    grader = judge_of(Judge, saying(verdict(label)), rubric="How good?", scale="1-5")
    assert (await judged(grader, "7")).score == score


@pytest.mark.parametrize(
    "scale", ["1-1", "5-1", "a-b", "yes", {"a": 1.0}, {"a": 0.0, "A": 1.0}, {"a": 0.0, "b": 2.0},
              {"a": 1.0, "b": 1.0}, {"": 0.0, "b": 1.0}, "1-500"],
)  # fmt: skip
def test_a_scale_that_tells_nothing_is_refused(scale: Any) -> None:  # noqa: ANN401
    with pytest.raises(InputError, match="scale"):
        judge_of(Judge, saying(""), rubric="?", scale=scale)


READABLE = {
    "plain": '{"reason": "r", "verdict": "yes"}',
    "blanks": '\n {"reason": "r",\n "verdict": " YES "}\n',
    "fenced": '```json\n{"reason": "r", "verdict": "yes"}\n```',
    "fenced without a name": '```\n{"reason": "r", "verdict": "yes"}\n```',
    "no reason": '{"verdict": "yes"}',
    "more fields": '{"reason": "r", "confidence": 0.1, "verdict": "yes", "score": 0}',
    "the other way round": '{"verdict": "yes", "reason": "no"}',
    "reasoning before": '<think>verdict: no {"verdict": "no"}</think>{"verdict": "yes"}',
    "a truth value": '{"reason": "r", "verdict": true}',
    "another verdict in the reason": '{"reason": "{\\"verdict\\": \\"no\\"}", "verdict": "yes"}',
}

UNREADABLE: dict[str, str] = {
    "empty": "",
    "blank": " \n",
    "prose": "Yes, that is right.",
    "a bare label": "yes",
    "a bare label in quotes": '"yes"',
    "prose before": 'Here you are: {"reason": "r", "verdict": "yes"}',
    "prose after": '{"reason": "r", "verdict": "yes"} I hope this helps.',
    "two objects": '{"verdict": "yes"}{"verdict": "no"}',
    "two objects on lines": '{"verdict": "yes"}\n{"verdict": "yes"}',
    "two fences": '```json\n{"verdict": "no"}\n```\n```json\n{"verdict": "yes"}\n```',
    "two verdicts": '{"reason": "r", "verdict": "no", "verdict": "yes"}',
    "verdict and verdicts": '{"verdict": "yes", "verdicts": {"a": "no"}}',
    "verdicts only": '{"reason": "r", "verdicts": {"a": "yes"}}',
    "verdict in the reason only": '{"reason": "the verdict is yes"}',
    "verdict one level down": '{"result": {"verdict": "yes"}}',
    "a list": '[{"verdict": "yes"}]',
    "wrong label": '{"reason": "r", "verdict": "maybe"}',
    "label with more": '{"reason": "r", "verdict": "yes, but no"}',
    "both labels": '{"reason": "r", "verdict": "yes/no"}',
    "a list of labels": '{"reason": "r", "verdict": ["yes"]}',
    "an object": '{"reason": "r", "verdict": {"label": "yes"}}',
    "null": '{"reason": "r", "verdict": null}',
    "a number": '{"reason": "r", "verdict": 1}',
    "not a number": '{"reason": "r", "verdict": NaN}',
    "reason is a list": '{"reason": ["r"], "verdict": "yes"}',
    "single quotes": "{'reason': 'r', 'verdict': 'yes'}",
    "trailing comma": '{"reason": "r", "verdict": "yes",}',
    "cut": '{"reason": "it is so because',
    "cut before the verdict": '{"reason": "r", "verd',
    "capital field": '{"reason": "r", "Verdict": "yes"}',
    "xml": "<verdict>yes</verdict>",
    "yaml": "reason: r\nverdict: yes",
    "deep": "[" * 100_000,
    "huge": '{"reason": "' + "x" * 300_000 + '", "verdict": "yes"}',
    "huge number": '{"verdict": ' + "9" * 5_000 + "}",
    "only reasoning": '<think>{"verdict": "yes"}',
    "a score": '{"score": 1.0}',
}


@pytest.mark.parametrize("text", READABLE.values(), ids=READABLE)
def test_a_verdict_is_read_from_its_field(text: str) -> None:
    assert read_verdict(text, YES_NO).labels == {"": "yes"}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_asked_for_once_more_and_is_never_a_zero(text: str) -> None:
    with pytest.raises(UnreadableVerdict):
        read_verdict(text, YES_NO)
    stubborn = saying(text)
    grader = judge_of(Judge, stubborn, rubric="?")
    with pytest.raises(GraderFailed, match="no verdict that can be read"):
        await judged(grader, "7")
    assert len(stubborn.asked) == 2 == grader.calls_per_attempt

    mending = saying(text, verdict("no"))
    reward = await judged(judge_of(Judge, mending, rubric="?"), "7")
    assert reward.score == 0.0
    assert "could not be read" in mending.asked[1].messages[-1].content


ODD: dict[str, Completion | Exception] = {
    "refusal": said("", refusal="I cannot judge this"),
    "refusal beside a verdict": said(verdict("yes"), refusal="no"),
    "tool call": said("", tool_calls=(ToolCall(id="1", name="judge", arguments="{}"),)),
    "cut at the limit": said('{"reason": "it', "length"),
    "filtered": said("", "content_filter"),
    "rate limit": RateLimited("slow down"),
}  # fmt: skip


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_an_odd_answer_is_an_error_of_the_attempt(answer: Completion | Exception) -> None:
    grader = judge_of(Judge, saying(answer), rubric="?")
    with pytest.raises(AttemptError):
        await judged(grader, "7")


async def test_a_cut_answer_is_not_paid_for_twice() -> None:
    model = saying(said('{"reason": "it', "length"))
    with pytest.raises(GraderFailed, match="token limit"):
        await judged(judge_of(Judge, model, rubric="?"), "7")
    assert len(model.asked) == 1


@given(st.text(), st.text(), st.text())
def test_nothing_in_the_material_ends_its_fence(asked: str, output: str, reference: str) -> None:
    rubric = JudgeRubric(rubric="?", scale=YES_NO)
    ticks = "`" * 9
    material = JudgeMaterial(
        input=asked, output=f"{output}\n{ticks}\n{output}", reference=reference
    )
    _, user = judge_request(rubric, material)
    fences = [line for line in user.content.split("\n") if line and set(line) == {"`"}]
    longest = max(fences, key=len)
    assert len(longest) > 9
    assert fences.count(longest) == 6, "two for each part, and none in between"


async def test_the_proposer_is_not_told_the_reference() -> None:
    row = graded_example({"prompt": "capital?", "expected": "Ulan Bator"})
    model = saying(verdict("no", "The reference says ulan  bator, the output does not."))
    grader = judge_of(FactualityJudge, model)
    reward = await grader.grade(row, Output(text="Lima"), record_of(grader))
    assert "bator" in reward.reason
    assert "bator" not in reward.feedback.lower()
    assert "the output does not" in reward.feedback


@pytest.mark.parametrize(
    "plugin", [FactualityJudge, ClosedQAJudge, FaithfulnessJudge, RelevanceJudge, RefusalJudge]
)
async def test_ready_rubrics_can_be_used_and_replaced(plugin: Any) -> None:  # noqa: ANN401
    model = by_output()
    assert (await judged(judge_of(plugin, model), "7")).score == 1.0
    own = by_output()
    await judged(judge_of(plugin, own, rubric="Is it mine?"), "7")
    assert "Is it mine?" in own.asked[0].messages[0].content
    assert "Is it mine?" not in model.asked[0].messages[0].content


async def test_a_column_that_is_missing_leaves_the_row_unscored_and_is_told_before() -> None:
    row = graded_example({"prompt": "p"})
    grader = judge_of(FaithfulnessJudge, by_output())
    with pytest.raises(GraderFailed, match="context"):
        await grader.grade(row, Output(text="7"), record_of(grader))
    with pytest.raises(InputError, match="context"):
        FaithfulnessJudge.check(FaithfulnessJudge.Settings(), context(by_output()), row)


async def test_a_template_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Judge {{harshly}}.\n{rubric}\n{format}\n")
    model = by_output()
    grader = judge_of(Judge, model, base_dir=tmp_path, rubric="{x} {format}?", template="t.txt")
    await judged(grader, "7")
    system = model.asked[0].messages[0].content
    assert system.startswith("Judge {harshly}.\n{x} {format}?\n{")


@pytest.mark.parametrize("text", ["{rubric}", "{format}", "{rubric} {format} {output}", ""])
def test_a_template_that_lacks_what_it_needs_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(InputError, match="template"):
        judge_of(Judge, by_output(), base_dir=tmp_path, rubric="?", template="t.txt")


@pytest.mark.parametrize(
    "settings", [{}, {"rubric": " "}, {"criteria": {"a": ""}},
                 {"rubric": "?", "weights": {"a": 1.0}}, {"rubric": "?", "template": "none.txt"}],
)  # fmt: skip
def test_a_judge_without_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        judge_of(Judge, by_output(), **settings)


def test_the_hash_is_of_whatever_could_change_a_verdict() -> None:
    rubric = JudgeRubric(rubric="?", scale=YES_NO)
    known = judge_hash("m", {"t": 0}, rubric)
    others = {
        judge_hash("n", {"t": 0}, rubric),
        judge_hash("m", {"t": 1}, rubric),
        judge_hash("m", {"t": 0}, JudgeRubric(rubric="!", scale=YES_NO)),
        judge_hash("m", {"t": 0}, JudgeRubric(rubric="?", scale=scale_of("1-5"))),
        judge_hash("m", {"t": 0}, JudgeRubric(rubric="?", scale=YES_NO, template=TEMPLATE + "!")),
        judge_hash("m", {"t": 0}, JudgeRubric(criteria={"a": "?"}, scale=YES_NO)),
    }
    assert len(others | {known}) == 7
    assert judge_hash("m", {"t": 0}, JudgeRubric(rubric="?", scale=scale_of("yes-no"))) == known


def test_the_schema_is_closed_and_names_every_criterion() -> None:
    schema: Any = verdict_schema(scale_of("1-5"), ["a", "b"])
    inner = schema["properties"]["verdicts"]
    assert inner["required"] == ["a", "b"]
    assert inner["additionalProperties"] is False


async def test_equal_outputs_are_judged_once_and_replicates_each_by_itself() -> None:
    model = by_output()
    grader = judge_of(Judge, model, rubric="?")
    for replicate in (0, 0, 1, 1, 0):
        await judged(grader, "7", record_of(grader, replicate))
    assert len(model.asked) == 2
    await judged(grader, "8")
    assert len(model.asked) == 3

    never = by_output()
    grader = judge_of(Judge, never, rubric="?", reuse="never")
    for _ in range(3):
        await judged(grader, "7")
    assert len(never.asked) == 3


async def test_a_verdict_that_was_not_given_is_not_kept() -> None:
    model = saying(RateLimited("slow down"), verdict("yes"))
    grader = judge_of(Judge, model, rubric="?")
    with pytest.raises(RateLimited):
        await judged(grader, "7")
    assert (await judged(grader, "7")).score == 1.0


PAIRS = [
    (("first", "second"), 1.0, 0.0),
    (("second", "first"), 0.0, 0.0),
    (("tie", "tie"), 0.5, 0.0),
    (("first", "first"), 0.5, 1.0),
    (("second", "second"), 0.5, 1.0),
    (("first", "tie"), 0.75, 0.0),
    (("tie", "first"), 0.25, 0.0),
]


@pytest.mark.parametrize(("labels", "score", "flipped"), PAIRS)
async def test_a_pair_is_judged_in_both_orders(
    labels: tuple[str, str], score: float, flipped: float
) -> None:
    model = saying(*map(verdict, labels))
    grader = judge_of(PairwiseJudge, model)
    reward = await judged(grader, "eight")
    assert (reward.score, reward.metrics["order_flipped"]) == (score, flipped)
    first, second = (request.messages[1].content for request in model.asked)
    assert first.index("eight") < first.index("````\n7\n")
    assert second.index("eight") > second.index("````\n7\n")


async def test_a_pair_without_its_other_half_is_no_loss() -> None:
    grader = judge_of(PairwiseJudge, saying(verdict("first")), against="other")
    with pytest.raises(GraderFailed, match="other"):
        await grader.grade(ROW, Output(text="7"), record_of(grader))
