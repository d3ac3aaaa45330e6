"""Runs of models that write their reasoning into their answers, against a provider on loopback."""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.domain.ids import RunId
from tau.domain.rollout import RolloutKind
from tau.ports.insights import RolloutFilter, RolloutView
from tau.reports.refused import unusable
from tau.testing.provider import Answer, LoopbackProvider, ProviderReply, ReceivedCall, completion
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.stores import open_store

MARK = "SHOUT"
FENCED = f"```\nAnswer. {MARK}\n```"
DRAFT = "```\nDraft BAD prompt. Answer.\n```"


class Silent:
    def started(self, *_: object, **__: object) -> None: ...

    def progress(self, *_: object) -> None: ...

    def notice(self, *_: object) -> None: ...


async def run(folder: Path, answer: Answer, **fields: Any) -> RunReport:  # noqa: ANN401
    async with LoopbackProvider(answer=answer) as provider:
        document = {
            "model": {"name": "openai/echo", "base_url": provider.base_url},
            "resources": {"system_prompt": "Answer."},
            "worker_concurrency": 4,
            **fields,
        }
        path = folder / "config.json"
        path.write_text(json.dumps(document))
        config = load(path, environ={"OPENAI_API_KEY": "sk-test"})
        request = SessionRequest(config=config, store=str(folder / "store.sqlite"))
        return await run_session(request, observer=Silent(), stop=StopRequest())


async def views(folder: Path, kind: RolloutKind) -> list[RolloutView]:
    async with await open_store(str(folder / "store.sqlite"), read_only=True) as store:
        where = RolloutFilter(kinds=frozenset({kind}))
        rows = await store.insights.rollouts(where, limit=1000)
        return [await store.insights.rollout(row.id) for row in rows]


def cut(call: ReceivedCall, text: str) -> Mapping[str, Any]:
    body = completion(call, text)
    body["choices"][0]["finish_reason"] = "length"
    return body


Said = str | Mapping[str, Any] | ProviderReply | Awaitable[ProviderReply]


def proposing(proposal: Callable[[ReceivedCall], Said]) -> Answer:
    """A task that is done right only with the mark in the prompt."""

    def answer(call: ReceivedCall) -> Said:
        if len(call.prompt) > 200:
            return proposal(call)
        system = call.body["messages"][0]["content"]
        return "<think>is it x?</think>\n" + ("right" if MARK in system else "wrong")

    return answer


ROWS = [{"prompt": f"q{n}", "expected": "right"} for n in range(24)]
SEARCH: dict[str, Any] = {
    "optimize": ROWS[:8],
    "validate": ROWS[8:16],
    "test": ROWS[16:],
    "algorithm": {"type": "reflect", "evaluations": 90, "proposals": 6, "certification": 8},
}


@pytest.mark.parametrize(
    "said",
    [
        f"<think>First\n{DRAFT}\nNo.</think>\n{FENCED}",
        f"First\n{DRAFT}\nNo.</think>\n{FENCED}",
        f"<think>First.</think>\n{FENCED}",
        f"<think>First.</think>\nAnswer. {MARK}",
    ],
)
async def test_the_proposal_is_what_stands_behind_the_reasoning(said: str, tmp_path: Path) -> None:
    kept = said.startswith("First")
    report = await run(tmp_path, proposing(lambda _: said), keep_reasoning=kept, **SEARCH)
    assert report.account is not None
    prompts = {one.resources.text("system_prompt") for one in report.account.candidates}
    assert f"Answer. {MARK}" in prompts
    assert not any("BAD" in str(one) for one in prompts)


@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_a_draft_in_reasoning_that_was_cut_is_no_candidate(
    reason: str, tmp_path: Path
) -> None:
    said = f"<think>First\n{DRAFT}\nHm, and then"
    report = await run(
        tmp_path,
        proposing(lambda call: cut(call, said) if reason == "length" else said),
        **SEARCH,
    )
    assert report.account is not None
    assert report.account.tried == 0
    reasons = report.evidence["unusable_answers"]
    assert isinstance(reasons, Mapping)
    (why,) = reasons
    assert ("token limit" if reason == "length" else "without an answer") in str(why)
    asked = await views(tmp_path, RolloutKind.PROPOSE)
    async with await open_store(str(tmp_path / "store.sqlite"), read_only=True) as store:
        refused = await unusable(store, RunId(report.run_id))
    assert {view.result.rollout_id for view in asked} == set(refused)
    assert report.evidence["failed_proposals"] == len(asked) // 2, "each was asked for once more"


async def test_each_reason_is_kept_and_counted(tmp_path: Path) -> None:
    said = ["I would rather not.", "```\nnever closed", "```\na\n```\n```\nb\n```", ""]

    def proposal(_: ReceivedCall) -> str:
        return said.pop(0)

    algorithm = {**SEARCH["algorithm"], "width": 1, "proposals": 4}
    fields = {**SEARCH, "algorithm": algorithm}
    report = await run(tmp_path, proposing(proposal), **fields)
    reasons = report.evidence["unusable_answers"]
    assert isinstance(reasons, Mapping)
    assert list(reasons.values()) == [1, 1, 1, 1]
    for word in ("no text", "not closed", "2 texts", "empty"):
        assert any(word in why for why in reasons), word


GRADED = [
    ({"type": "number"}, "42", "42"),
    ({"type": "exact"}, "42", "42"),
    ({"type": "is-json"}, '{"a": 7}', "42"),
    ({"type": "choice"}, "C", "C"),
    ({"type": "python", "function": "graders.py:grade"}, "42", "42"),
]


@pytest.mark.parametrize("opened", ["<think>", ""])
@pytest.mark.parametrize(("grader", "says", "expected"), GRADED)
async def test_an_answer_is_graded_without_its_reasoning(
    grader: dict[str, str], says: str, expected: str, opened: str, tmp_path: Path
) -> None:
    (tmp_path / "graders.py").write_text("def grade(example, output):\n    return output == '42'\n")
    said = f"{opened}7, or B, is {{it}}?</think>\n{says}"
    rows = [{"prompt": "p", "expected": expected}]
    report = await run(tmp_path, lambda _: said, validate=rows, graders=[grader])
    assert report.splits[0].mean == 1.0
    (view,) = await views(tmp_path, RolloutKind.EVALUATE)
    spans = json.dumps([dict(span.attributes) for span in view.attempts[0].spans])
    assert "is {it}?" in spans


async def test_reasoning_can_be_kept(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "expected": "<think>7</think>42"}]
    fields: dict[str, Any] = {"validate": rows, "graders": [{"type": "exact"}]}
    report = await run(tmp_path, lambda _: "<think>7</think>42", keep_reasoning=True, **fields)
    assert report.splits[0].mean == 1.0


async def test_reasoning_that_was_cut_is_an_empty_answer_and_counted(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "expected": "7"}]
    report = await run(
        tmp_path,
        lambda call: cut(call, "<think>surely 7"),
        validate=rows,
        graders=[{"type": "number"}],
    )
    assert report.splits[0].mean == 0.0
    (view,) = await views(tmp_path, RolloutKind.EVALUATE)
    assert view.result.output is not None
    assert view.result.output.text == ""
    assert {"answer_empty", "answer_cut"} <= set(view.result.output.reason_codes)


@pytest.mark.parametrize(("kept", "text"), [(False, "42"), (True, "<think>7</think>\n42")])
async def test_a_functions_call_gets_the_answer_alone(
    kept: bool, text: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(
        "async def app(example, resources, session):\n"
        "    said = await session.chat([{'role': 'user', 'content': 'q'}])\n"
        "    return {'text': 'got:' + said.text.replace('<', '[')}\n"
    )
    rows = [{"prompt": "p", "expected": "got:" + text.replace("<", "[")}]
    report = await run(
        tmp_path,
        lambda _: "<think>7</think>\n42",
        validate=rows,
        keep_reasoning=kept,
        executor={"type": "python", "function": "app.py:app", "calls": 1},
        graders=[{"type": "exact"}],
    )
    assert report.splits[0].mean == 1.0
    (view,) = await views(tmp_path, RolloutKind.EVALUATE)
    assert "<think>7" in json.dumps([dict(span.attributes) for span in view.attempts[0].spans])
