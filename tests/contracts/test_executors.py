"""The built-in executors, held to the suite for all."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tau.domain.chat import Completion, ModelRequest
from tau.domain.dataset import Example, Split, examples
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.spend import Usage
from tau.errors import ModelTimeout
from tau.executors.chat import ChatExecutor, ChatSettings
from tau.executors.command import CommandExecutor, CommandSettings
from tau.executors.python import PythonExecutor, PythonSettings
from tau.ports.executor import ExecutorContext
from tau.testing.executor import ExecutorCase, ExecutorContract

pytestmark = pytest.mark.contract


def row(value: Json) -> Example:
    return examples(Split.OPTIMIZE, [value])[0]


class Echo:
    """Answers with the last message; waits for ever on `endless`, fails on `failing`."""

    ref = "test/echo"
    provider = "test"

    async def complete(self, request: ModelRequest) -> Completion:
        text = request.messages[-1].content
        if text == "endless":
            await asyncio.Event().wait()
        if text == "failing":
            raise ModelTimeout("no answer")
        return Completion(text=text, finish_reason="stop", model="echo")

    def price(self, usage: Usage) -> int | None:
        return 0

    async def aclose(self) -> None:
        pass


class TestChat(ExecutorContract):
    def make(self, tmp_path: Path) -> ExecutorCase:
        return ExecutorCase(
            plugin=ChatExecutor,
            settings=ChatSettings(),
            context=ExecutorContext(model=Echo()),
            resources=Resources(values={"system_prompt": "Be brief about {prompt}."}),
            example=row("Ice"),
            text="Be brief about Ice.",
            unusable=ChatSettings(resource="missing"),
        )


class TestChatWithoutTemplate(ExecutorContract):
    def make(self, tmp_path: Path) -> ExecutorCase:
        return ExecutorCase(
            plugin=ChatExecutor,
            settings=ChatSettings(),
            context=ExecutorContext(model=Echo()),
            example=row({"prompt": "Ice"}),
            text="Ice",
            endless=row("endless"),
            failing=row("failing"),
            unusable=ChatSettings(resource="missing"),
        )


def answer(example: Mapping[str, Json], resources: Mapping[str, Json]) -> str:
    if example["prompt"] == "endless":
        time.sleep(1.5)  # as close to for ever as a thread that must not outlive the tests can be
    return str(example["prompt"]).upper() + str(resources.get("suffix", ""))


async def answer_async(example: Mapping[str, Json], resources: Mapping[str, Json]) -> str:
    if example["prompt"] == "endless":
        await asyncio.Event().wait()
    return answer(example, resources)


class TestPython(ExecutorContract):
    function = "answer"

    def make(self, tmp_path: Path) -> ExecutorCase:
        return ExecutorCase(
            plugin=PythonExecutor,
            settings=PythonSettings(function=f"{__file__}:{self.function}"),
            context=ExecutorContext(model=None, concurrency=4),
            resources=Resources(values={"suffix": "!"}),
            example=row("ice"),
            text="ICE!",
            endless=row("endless"),
            failing=row({"question": "no prompt: a KeyError"}),
            unusable=PythonSettings(function=f"{__file__}:anwser"),
        )


class TestPythonAsync(TestPython):
    function = "answer_async"


PROGRAM = """
import json, sys, time
row = json.load(sys.stdin)
if row["example"]["prompt"] == "endless":
    time.sleep(600)
json.dump({"text": row["example"]["prompt"].upper() + row["resources"]["suffix"]}, sys.stdout)
"""


class TestCommand(ExecutorContract):
    def make(self, tmp_path: Path) -> ExecutorCase:
        (tmp_path / "app.py").write_text(PROGRAM, encoding="utf-8")
        return ExecutorCase(
            plugin=CommandExecutor,
            settings=CommandSettings(command=(sys.executable, "-S", "app.py")),
            context=ExecutorContext(model=None, base_dir=tmp_path, concurrency=4),
            resources=Resources(values={"suffix": "!"}),
            example=row("ice"),
            text="ICE!",
            endless=row("endless"),
            failing=row({"question": "no prompt: a KeyError"}),
            unusable=CommandSettings(command=("no-such-program-anywhere",)),
        )
