"""Programs under the runner: what they get, what they may answer, that they really end."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tau.config.environment import overridden
from tau.domain.dataset import Split, examples
from tau.domain.failure import FailureClass
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutStatus
from tau.errors import AttemptError, BudgetRefused, ExecutorFailed, RateLimited, TimeLimitExceeded
from tau.executors.command import CommandExecutor, CommandSettings
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.ports.clock import SystemClock
from tau.ports.executor import ExecutorContext
from tau.ports.model import Model, ModelContext
from tau.proxy.endpoint import LoopbackEndpoint
from tau.runner.execution import EvaluationHandler
from tau.runner.supervisor import WorkSpec
from tau.testing.executor import recorder
from tau.testing.provider import LoopbackProvider
from unit.runner.working import bench, quick


def executor(folder: Path, source: str, **limits: float) -> CommandExecutor:
    (folder / "app.py").write_text(source, encoding="utf-8")
    settings = CommandSettings(
        command=(sys.executable, "-S", "app.py"),
        time_limit_s=limits.get("time_limit_s"),
        output_limit_bytes=int(limits.get("output_limit_bytes", 1_000_000)),
    )
    return CommandExecutor.build(settings, ExecutorContext(model=None, base_dir=folder))


async def run(made: CommandExecutor, value: Json = "q") -> Output:
    (example,) = examples(Split.OPTIMIZE, [value])
    resources = Resources(values={"system_prompt": "Be kind."})
    return await made.execute(example, resources, recorder(made))


async def test_it_reads_the_row_and_the_resources(tmp_path: Path) -> None:
    made = executor(
        tmp_path,
        "import json, sys, os\n"
        "got = json.load(sys.stdin)\n"
        "json.dump({'got': got, 'env': sorted(os.environ)}, sys.stdout)\n",
    )

    output = await run(made, {"prompt": "Hi", "n": 3})

    value = output.value
    assert isinstance(value, dict)
    got = value["got"]
    assert isinstance(got, dict)
    assert got["example"] == {"prompt": "Hi", "n": 3}
    assert got["resources"] == {"system_prompt": "Be kind."}
    assert got["split"] == "optimize"
    assert set(value["env"]) <= {"LC_CTYPE"}, "only what the context's environ holds"


@pytest.mark.parametrize(
    ("printed", "output"),
    [
        ('"just text"', Output(text="just text")),
        ('{"answer": 1}', Output(text='{"answer":1}', value={"answer": 1})),
        (
            '{"text": "t", "value": [1], "finish_reason": "stop", "reason_codes": ["x.y"],'
            ' "blocked_events": 2, "metadata": {"a": 1}, "extra": true}',
            Output(
                text="t",
                value=[1],
                finish_reason="stop",
                reason_codes=("x.y",),
                blocked_events=2,
                metadata={"a": 1, "extra": True},
            ),
        ),
    ],
)
async def test_answers(tmp_path: Path, printed: str, output: Output) -> None:
    assert await run(executor(tmp_path, f"print({printed!r})")) == output


@pytest.mark.parametrize(
    "printed",
    ["3", "[1]", "null", '{"text": 3}', '{"text": "t", "blocked_events": -1}',
     '{"text": "t", "reason_codes": "x"}', '{"text": "t", "metadata": []}',
     '{"text": "t", "finish_reason": 1}'],
)  # fmt: skip
async def test_wrong_shapes_fail_with_advice(tmp_path: Path, printed: str) -> None:
    with pytest.raises(ExecutorFailed) as failed:
        await run(executor(tmp_path, f"print({printed!r})"))

    assert failed.value.fix is not None
    assert "'text'" in failed.value.fix


async def test_exit_code_and_the_end_of_stderr_are_told(tmp_path: Path) -> None:
    made = executor(tmp_path, "import sys; sys.stderr.write('it broke'); sys.exit(7)")

    with pytest.raises(ExecutorFailed, match="it broke") as failed:
        await run(made)

    assert failed.value.status == 7


async def test_too_much_output_is_cut_off(tmp_path: Path) -> None:
    made = executor(tmp_path, "print('\"' + 'x' * 5000 + '\"')", output_limit_bytes=1_000)

    with pytest.raises(ExecutorFailed, match="more than 1000 bytes"):
        await run(made)


async def test_its_own_time_limit_is_a_time_limit(tmp_path: Path) -> None:
    made = executor(tmp_path, "import time; time.sleep(60)", time_limit_s=0.3)

    with pytest.raises(TimeLimitExceeded):
        await run(made)


FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
with open("grandchild", "w") as file:
    file.write(str(child.pid))
os.rename("grandchild", "grandchild.pid")
time.sleep(600)
"""


async def test_the_runners_time_limit_ends_grandchildren_too(tmp_path: Path) -> None:
    table = await bench()
    made = executor(tmp_path, FAMILY)
    job = WorkSpec(performers={RolloutKind.EVALUATE: EvaluationHandler(made)})

    (result,) = await table.done(job, "q", settings=quick(time_limit_s=4.0))
    await table.store.aclose()

    assert result.status is RolloutStatus.FAILED
    assert result.failure is not None
    assert result.failure.kind is FailureClass.TIME_LIMIT
    assert not running(int((tmp_path / "grandchild.pid").read_text(encoding="ascii")))


async def test_stopping_the_runner_ends_the_family_as_well(tmp_path: Path) -> None:
    table = await bench()
    made = executor(tmp_path, FAMILY)
    job = WorkSpec(performers={RolloutKind.EVALUATE: EvaluationHandler(made)})
    pid_file = tmp_path / "grandchild.pid"

    await table.submit("q")
    async with table.supervisor(job):
        async with asyncio.timeout(60):
            while not pid_file.exists():  # noqa: ASYNC110  (another process writes it)
                await asyncio.sleep(0.01)
    statuses = await table.statuses()
    await table.store.aclose()

    assert statuses == {RolloutStatus.REQUEUING: 1}
    assert not running(int(pid_file.read_text(encoding="ascii")))


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return stat.rpartition(")")[2].split()[0] not in "ZX"


AGENT = """
import json, os, sys, urllib.request
row = json.load(sys.stdin)
base, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
said = []
for _ in range(row["example"]["calls"]):
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    request = urllib.request.Request(f"{base}/chat/completions", body,
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        said.append(json.load(answer)["choices"][0]["message"]["content"])
json.dump({"text": " ".join(said), "value": sorted(os.environ)}, sys.stdout)
"""


def agent(folder: Path, calls: int, at: LoopbackEndpoint, model: Model) -> CommandExecutor:
    (folder / "app.py").write_text(AGENT, encoding="utf-8")
    settings = CommandSettings(command=(sys.executable, "-S", "app.py"), calls=calls)
    context = ExecutorContext(
        model=model, base_dir=folder, endpoint=at, environ={"http_proxy": "http://127.0.0.1:9"}
    )
    return CommandExecutor.build(settings, context)


@asynccontextmanager
async def endpoint(provider: LoopbackProvider) -> AsyncIterator[tuple[LoopbackEndpoint, Model]]:
    environ = {"OPENAI_COMPATIBLE_API_KEY": "sk-real-0123456789abcdef"}
    model = OpenAICompatible.build(
        Settings(),
        ModelContext(
            provider="openai-compatible", name="echo", environ=environ, base_url=provider.base_url
        ),
    )
    at = LoopbackEndpoint(model, clock=SystemClock(), override=overridden)
    yield at, model
    await at.aclose()
    await model.aclose()


async def test_its_own_client_finds_the_endpoint_and_never_the_key(tmp_path: Path) -> None:
    async with (
        LoopbackProvider(key="sk-real-0123456789abcdef") as provider,
        endpoint(provider) as (at, model),
    ):
        made = agent(tmp_path, 2, at, model)
        record = recorder(made)
        (example,) = examples(Split.OPTIMIZE, [{"calls": 2}])
        output = await made.execute(example, Resources(values={}), record)
    assert output.text == "Hi Hi"
    assert isinstance(output.value, list)
    names = {"OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"}
    assert names <= set(output.value)
    assert record.spent.calls == 2
    spans = record.close()
    assert [span.name for span in spans[1:]] == ["chat echo"] * 2
    assert {span.parent for span in spans[1:]} == {spans[0].sequence}
    assert spans[0].attributes["tau.endpoint.calls"] == 2


@pytest.mark.parametrize(
    ("fault", "calls", "kind"),
    [("all=status:status=429", 1, RateLimited), (None, 2, BudgetRefused)],
)
async def test_what_went_wrong_with_its_call_is_why_it_failed(
    tmp_path: Path, fault: str | None, calls: int, kind: type[AttemptError]
) -> None:
    async with (
        LoopbackProvider(faults=[fault] if fault else None) as provider,
        endpoint(provider) as (at, model),
    ):
        made = agent(tmp_path, 1, at, model)
        (example,) = examples(Split.OPTIMIZE, [{"calls": calls}])
        with pytest.raises(kind):
            await made.execute(example, Resources(values={}), recorder(made))
