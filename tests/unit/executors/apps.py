"""Functions that a configuration could name."""

import asyncio
import threading
from collections.abc import Mapping, Sequence

from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.executors.python import BlockingSession, Session

Row = Mapping[str, Json]
RELEASE = threading.Event()
SEEN_OVER: list[bool] = []
STUCK: list[bool] = []
THREADS: set[str] = set()


def plain(example: Row, resources: Row) -> str:
    THREADS.add(threading.current_thread().name)
    return f"{resources['system_prompt']} {example['prompt']}"


def stuck(example: Row, resources: Row, session: BlockingSession) -> str:
    if example["prompt"] == "stuck":
        STUCK.append(True)
        RELEASE.wait(30)
        SEEN_OVER.append(session.over)
    return "returned"


def messages(example: Row) -> Sequence[Mapping[str, str]]:
    return [{"role": "user", "content": str(example["prompt"])}]


def asks(example: Row, resources: Row, session: BlockingSession) -> Output:
    with session.tool("search", query="ice"):
        text = session.chat(messages(example), temperature=0.3).text
    session.reason("custom.code")
    return Output(text=text)


async def asks_async(example: Row, resources: Row, session: Session) -> dict[str, Json]:
    with session.step("think"):
        both = await asyncio.gather(
            session.chat(messages(example)), session.chat(messages(example))
        )
    session.blocked("tool: rm")
    return {"text": " ".join(answer.text for answer in both)}


def asks_on_and_on(example: Row, resources: Row, session: BlockingSession) -> str:
    try:
        while True:
            session.chat(messages(example))
    finally:
        SEEN_OVER.append(session.over)


def optional(example: Row, resources: Row, session: BlockingSession | None = None) -> str:
    return type(session).__name__


def verbose(example: Row, resources: Row, verbose: bool = False) -> str:
    return str(verbose)


def changes(example: dict[str, Json], resources: dict[str, Json]) -> str:
    example["prompt"] = resources["system_prompt"] = "changed"
    return "done"


def number(example: Row, resources: Row) -> int:
    return 4


def leaves(example: Row, resources: Row) -> str:
    raise SystemExit(3)


def runs_out(example: Row, resources: Row) -> str:
    return next(iter(()))


def one_argument(example: Row) -> str:
    return ""


def hidden(example: Row, resources: Row) -> object:
    return asks_nothing()


async def asks_nothing() -> str:
    return "awaited"
