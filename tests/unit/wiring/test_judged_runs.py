"""Runs whose answers a model judges: counted, within the budget, told before, repeated alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.config.judging import self_preferences
from tau.config.run_settings import RunConfig
from tau.domain.ids import RunId
from tau.errors import ConfigError
from tau.ports.insights import RolloutFilter
from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.planning import forecast
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.snapshots import as_configuration
from tau.wiring.stores import open_store
from unit.graders.test_judge import UNREADABLE
from unit.wiring.test_session import Watcher

VERDICT = '{"reason": "it is", "verdict": "yes"}'
ROW = {"prompt": "q", "expected": "a"}
ENVIRON = {"OPENAI_API_KEY": "sk-test-canary-key"}


def configured(folder: Path, base_url: str, **fields: Any) -> RunConfig:  # noqa: ANN401
    document = {
        "validate": [{"prompt": f"q{n}", "expected": "a"} for n in range(12)],
        "model": {"name": "openai/gpt-4o-mini", "base_url": base_url},
        "judge": {"model": "openai/gpt-4o", "params": {"max_tokens": 50}},
        "graders": [{"type": "factuality"}],
        "params": {"max_tokens": 10},
        "retries": {"backoff_ms": 1, "max_backoff_ms": 2, "max_attempts": 2},
        "poll_interval_ms": 5,
        "fail_fast": False,
        **fields,
    }
    document["judge"] = {**document["judge"], "model": {"name": document["judge"]["model"],
                                                        "base_url": base_url}}  # fmt: skip
    path = folder / "config.json"
    path.write_text(json.dumps(document))
    return load(path, environ=ENVIRON)


async def run(config: RunConfig, folder: Path, store: str = "store.sqlite") -> RunReport:
    request = SessionRequest(config=config, store=str(folder / store))
    return await run_session(request, observer=Watcher(), stop=StopRequest())


def judging(answer: str | ProviderReply) -> Any:  # noqa: ANN401
    def said(call: ReceivedCall) -> str | ProviderReply:
        return answer if call.body["model"] == "gpt-4o" else "a"

    return said


async def test_a_judge_is_counted_traced_and_asked_with_its_own_parameters(tmp_path: Path) -> None:
    async with LoopbackProvider(answer=judging(VERDICT)) as provider:
        report = await run(configured(tmp_path, provider.base_url), tmp_path)
        assert provider.calls == 24
        assert report.spent.calls == 24
        assert [split.mean for split in report.splits] == [1.0]
        asked = [call.body for call in provider.seen if call.body["model"] == "gpt-4o"]
    assert {body["max_tokens"] for body in asked} == {50}
    assert all(body["response_format"]["type"] == "json_schema" for body in asked)
    async with await open_store(str(tmp_path / "store.sqlite"), read_only=True) as store:
        where = RolloutFilter(run=RunId(report.run_id))
        first = (await store.insights.rollouts(where, limit=1))[0]
        view = await store.insights.rollout(first.id)
        spans = {span.sequence: span for span in view.attempts[-1].spans}
        judged = [one for one in spans.values() if one.name == "chat gpt-4o"]
        assert len(judged) == 1
        assert spans[judged[0].parent or 0].name == "grade factuality"


ODD: dict[str, str | ProviderReply] = {
    **{name: text for name, text in UNREADABLE.items() if len(text) < 10_000},
    "500": ProviderReply(status=500, body=b"{}"),
    "400": ProviderReply(status=400, body=b'{"error": {"message": "no"}}'),
    "no JSON": ProviderReply(body=b"oops"),
    "no choices": ProviderReply(headers={"Content-Type": "application/json"}, body=b"{}"),
    "no usage": ProviderReply(
        headers={"Content-Type": "application/json"},
        body=b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}',
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_a_budget_holds_whatever_a_judge_says(tmp_path: Path, name: str) -> None:
    limits = {"calls": 20, "usd": 0.05}
    async with LoopbackProvider(answer=judging(ODD[name])) as provider:
        report = await run(configured(tmp_path, provider.base_url, budget=limits), tmp_path)
        asked = [call.body["model"] for call in provider.seen]
    assert len(asked) <= 20
    assert report.spent.calls <= 20
    assert report.spent.cost_nano_usd <= 50_000_000
    assert [split.scored for split in report.splits] in ([0], []), "and nothing is a zero"
    assert len([one for one in asked if one == "gpt-4o-mini"]) <= 12, "no answer is paid twice"


async def test_a_plan_counts_the_judge(tmp_path: Path) -> None:
    fields = {
        "optimize": [{"prompt": f"o{n}", "expected": "a"} for n in range(20)],
        "algorithm": {"type": "reflect"},
        "resources": {"system_prompt": "Say."},
        "budget": {"rollouts": 60},
    }
    plain = configured(tmp_path, "http://127.0.0.1:1/v1", **fields, graders=["exact_match"])
    judged = configured(tmp_path, "http://127.0.0.1:1/v1", **fields)
    without, with_judge = await forecast(plain), await forecast(judged)
    assert without is not None
    assert with_judge is not None
    evaluations = with_judge.plan.evaluations
    assert with_judge.most.calls == 3 * evaluations + with_judge.plan.proposals
    assert with_judge.most.cost_nano_usd > 5 * without.most.cost_nano_usd, "gpt-4o is dearer"


async def test_what_a_run_keeps_is_its_configuration_again(tmp_path: Path) -> None:
    async with LoopbackProvider(answer=judging(VERDICT)) as provider:
        config = configured(tmp_path, provider.base_url)
        report = await run(config, tmp_path)
    async with await open_store(str(tmp_path / "store.sqlite"), read_only=True) as store:
        kept = as_configuration(await store.runs.get(RunId(report.run_id)), {"validate": [ROW]})
    path = tmp_path / "again.json"
    path.write_text(json.dumps(kept))
    again = load(path, environ=ENVIRON)
    assert again.semantic["graders"] == config.semantic["graders"]


async def test_a_recorded_run_is_replayed_alike(tmp_path: Path) -> None:
    record = {"model": "openai/gpt-4o"}
    async with LoopbackProvider(answer=judging(VERDICT)) as provider:
        config = configured(tmp_path, provider.base_url, judge=record)
        document = json.loads((tmp_path / "config.json").read_text())
        document["model"]["record"] = "task.jsonl"
        document["judge"]["model"]["record"] = "judge.jsonl"
        (tmp_path / "config.json").write_text(json.dumps(document))
        config = load(tmp_path / "config.json", environ=ENVIRON)
        first = await run(config, tmp_path)
    document["model"] = {"name": f"replay/{tmp_path / 'task.jsonl'}"}
    document["judge"]["model"] = {"name": f"replay/{tmp_path / 'judge.jsonl'}"}
    (tmp_path / "config.json").write_text(json.dumps(document))
    again = await run(load(tmp_path / "config.json", environ=ENVIRON), tmp_path, "other.sqlite")
    assert [split.mean for split in again.splits] == [split.mean for split in first.splits] == [1.0]


def test_a_judge_that_judges_itself_is_told(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/v1"
    assert self_preferences(configured(tmp_path, url)) == []
    same = configured(tmp_path, url, judge={"model": "openai/gpt-4o-mini"})
    (said,) = self_preferences(same)
    assert said.startswith("self_preference: 'factuality'")
    own = [{"type": "relevance", "model": "openai/gpt-4o-mini"}, {"type": "refusal"}]
    (said,) = self_preferences(configured(tmp_path, url, graders=own))
    assert "'relevance'" in said


def test_a_grader_of_its_own_model_keeps_the_address_of_the_provider(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/v1"
    nested = {"type": "not", "grader": {"type": "refusal", "model": "openai/gpt-5.4-mini"}}
    config = configured(tmp_path, url, graders=[nested])
    ((_, model),) = config.judges
    assert (model.ref, model.base_url) == ("openai/gpt-5.4-mini", url)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"graders": [{"type": "judge"}]}, "nothing to judge by"),
        ({"graders": [{"type": "judge", "rubric": "?", "scale": "1-1"}]}, "scale"),
        ({"graders": [{"type": "judge", "rubric": "?", "model": "gpt"}]}, "provider/model"),
        ({"graders": [{"type": "faithfulness", "context": "passages"}]}, "passages"),
        ({"graders": [{"type": "jury", "graders": [{"type": "refusal"}]}]}, "one vote"),
    ],
)
def test_mistakes_are_told_before_anything_is_spent(
    tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        configured(tmp_path, "http://127.0.0.1:1/v1", **fields)
