"""Workers on a Ray cluster: long-lived actors, each of which hosts the workers of a process.

Ray places them and starts them again; what they do comes from the store alone. Imported only when
it is asked for, as Ray is an extra. What an actor is told and tells are JSON values, so that a node
with another Tau can say so. Nothing secret is among them: Ray keeps and shows what passes by.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import ray
from ray.exceptions import ActorDiedError, RayError

from tau import __version__
from tau.config.environment import snapshot
from tau.config.loading import load
from tau.domain.json import Json
from tau.domain.run import StopReason
from tau.errors import ClusterError, ConfigError, TauError
from tau.trainer.stop import StopRequest
from tau.wiring.worker import WorkerListener, WorkerReport, WorkerRequest, run_worker

_PATIENCE_S = 20.0
"""So long an actor may wait for a place before people are told."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LAST_WORDS_S = 10.0
"""So long actors may take to give back what they hold, once nobody wants to wait."""
_SAID = 300

Host = Any
"""A handle of an actor that runs a TauWorker: Ray's handles have no types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What each actor works on. Paths are paths on the nodes; `store` holds no password."""

    store: str
    configs: tuple[str, ...] = ()
    model: str | None = None
    concurrency: int = 1
    base_dir: str = "."
    trust_store: bool = False
    once: bool = False
    strict: bool = False
    principal: str | None = None


async def place_workers(
    placement: Placement, *, actors: int, observer: WorkerListener, stop: StopRequest
) -> WorkerReport:
    """Have `actors` of them work until asked to stop; then what is in flight is recorded.

    The report leaves out what actors did that died.

    Raises:
        ClusterError: none of them could begin.
    """
    return await _RayWorkers(placement, actors, observer, stop).work()


class TauWorker:
    """What runs in an actor; Ray's own displays show this name."""

    def __init__(self) -> None:
        """Idle until it is told what to work on."""
        self._stop = StopRequest()

    async def work(self, version: str, told: Mapping[str, Any]) -> AsyncIterator[dict[str, Json]]:
        """Work until told to leave: notices as they come, then what was done or is wrong."""
        lines = _Lines()
        working = asyncio.ensure_future(_worked(version, told, lines, self._stop))
        working.add_done_callback(lines.end)
        async for text in lines:
            yield {"notice": text}
        yield await working

    async def drain(self) -> None:
        """Finish what is in flight."""
        self._stop.set(StopReason.SIGNAL, "told by who placed it")

    async def hurry(self) -> None:
        """Give back what is in flight."""
        self._stop.now()


async def _worked(
    version: str, told: Mapping[str, Any], lines: "_Lines", stop: StopRequest
) -> dict[str, Json]:
    """In an actor: the report, or an error as data."""
    try:
        if version != __version__:
            raise ClusterError(
                f"this node has Tau {__version__}, not {version}",
                fix="install the same version on every node",
            )
        report = await run_worker(_request(Placement(**told)), observer=lines, stop=stop)
    except TauError as error:
        problems = error.problems if isinstance(error, ConfigError) else ()
        why = "; ".join(map(str, problems)) or error.why
        return {"error": error.what, "where": error.where, "why": why, "fix": error.fix}
    return {"completed": report.completed, "failed": report.failed}


def _request(placement: Placement) -> WorkerRequest:
    """Keys come from the environment of the node."""
    environ = snapshot()
    return WorkerRequest(
        store=placement.store,
        environ=environ,
        configs=[
            load(path, environ=environ, model=placement.model, strict=placement.strict)
            for path in placement.configs
        ],
        concurrency=placement.concurrency,
        base_dir=Path(placement.base_dir),
        trust_store=placement.trust_store,
        once=placement.once,
        principal=placement.principal,
    )


class _Lines:
    """Notices on their way to whoever listens."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def notice(self, text: str) -> None:
        """One line for people."""
        self._queue.put_nowait(text)

    def end(self, _: object) -> None:
        """There are no more."""
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Each line, as it comes."""
        while (text := await self._queue.get()) is not None:
            yield text


class _RayWorkers:
    """All actors of a placement, as seen from the process that asked for them."""

    def __init__(
        self, placement: Placement, actors: int, observer: WorkerListener, stop: StopRequest
    ) -> None:
        self._told = asdict(placement)
        self._observer = observer
        self._stop = stop
        self._members = [_Member(number) for number in range(1, actors + 1)]

    async def work(self) -> WorkerReport:
        """Until every actor has left."""
        following = [asyncio.ensure_future(self._follow(member)) for member in self._members]
        others = [
            asyncio.ensure_future(self._remind()),
            asyncio.ensure_future(self._send_home(following)),
        ]
        try:
            await asyncio.wait(following)
        finally:
            for task in (*following, *others):
                task.cancel()
            await asyncio.wait((*following, *others))
        self._raise_if_none_began(following)
        return WorkerReport(
            completed=sum(member.completed for member in self._members),
            failed=sum(member.failed for member in self._members),
        )

    def _raise_if_none_began(self, following: Sequence[asyncio.Future[None]]) -> None:
        """Raise what kept all of them from working."""
        failures = [task.exception() for task in following if not task.cancelled()]
        for failure in failures:
            if failure is not None and not any(member.begun for member in self._members):
                raise failure

    async def _follow(self, member: "_Member") -> None:
        """Have one actor work, again and again should it die, until it has been sent home."""
        pause_s = _FIRST_PAUSE_S
        while True:
            heard = member.heard
            trouble = await self._trouble(member)
            if trouble is None or self._stop.reason is not None:
                return
            self._note(member, f"{trouble}; it is started again")
            pause_s = _FIRST_PAUSE_S if member.heard > heard + 1 else pause_s * 2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause_s, _LONGEST_PAUSE_S)):
                    await self._stop.wait()
                    return

    async def _trouble(self, member: "_Member") -> ClusterError | None:
        """What ended an actor's work, if anything did.

        Raises:
            ClusterError: it could not begin, and trying again would not help.
        """
        try:
            await self._listen(member)
        except ClusterError as error:
            if not member.begun:
                self._give_up(member, error)
            return error
        except RayError as error:
            if isinstance(error, ActorDiedError):  # Ray has given it up
                member.host = None
                if not member.begun:
                    self._give_up(member, _died(error))
            return _died(error)
        return None

    def _give_up(self, member: "_Member", trouble: ClusterError) -> NoReturn:
        if len(self._members) > 1:
            self._note(member, f"gave up: {trouble}")
        raise trouble

    async def _listen(self, member: "_Member") -> None:
        """What an actor says from the beginning of its work to the end.

        Raises:
            ClusterError: it can't work.
            RayError: it is not there any more.
        """
        if member.host is None:
            member.host = _actor()
        async for reference in member.host.work.remote(__version__, self._told):
            said = await reference
            member.heard += 1
            if "error" in said:
                raise ClusterError(
                    said["error"], where=said["where"], why=said["why"], fix=said["fix"]
                )
            if "notice" in said:
                member.begun = True
                self._note(member, said["notice"])
            else:
                member.completed += said["completed"]
                member.failed += said["failed"]

    async def _remind(self) -> None:
        """Say once who has no place."""
        await asyncio.sleep(_PATIENCE_S)
        waiting = [str(member.number) for member in self._members if not member.heard]
        if waiting:
            self._observer.notice(
                f"waiting for Ray to place {', '.join(waiting)} of {len(self._members)} actors; "
                "each needs a free CPU to be placed: see `ray status`"
            )

    async def _send_home(self, following: Sequence[asyncio.Future[None]]) -> None:
        """Drain when asked to, and more when nobody wants to wait."""
        await self._stop.wait()
        for member, task in zip(self._members, following, strict=True):
            if member.begun and member.host is not None:
                member.host.drain.remote()
            else:
                task.cancel()  # it holds nothing, and goes when we do
        await self._stop.wait_now()
        for member in self._members:
            if member.begun and member.host is not None:
                member.host.hurry.remote()
        await asyncio.sleep(_LAST_WORDS_S)
        for task in following:
            task.cancel()

    def _note(self, member: "_Member", text: str) -> None:
        self._observer.notice(f"actor {member.number}: {text}")


@dataclass(slots=True)
class _Member:
    """One actor: `begun` once it had opened the store, `heard` counts what it said."""

    number: int
    host: Host | None = None
    begun: bool = False
    heard: int = 0
    completed: int = 0
    failed: int = 0


def _actor() -> Host:
    """Ask for an actor: one CPU to be placed, none while it waits for models, on any node."""
    return ray.remote(TauWorker).options(max_restarts=-1, scheduling_strategy="SPREAD").remote()


def _died(error: RayError) -> ClusterError:
    """The last line of what Ray says, which is the cause; before it come tracebacks."""
    lines = [text.strip() for text in str(error).splitlines() if text.strip()]
    return ClusterError(
        "the actor died",
        why=lines[-1][:_SAID] if lines else type(error).__name__,
        fix="look at the node's logs; every node needs tau with its extra ray",
    )
