"""Group commit: many callers, several loops, cancelled callers, other processes."""

import asyncio
import sys
import threading
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import apsw
import pytest

from machinery.disk import Effect, Event, HookedVfs
from tau.domain.ids import RunId
from tau.domain.resources import Resources
from tau.errors import Conflict, NotFound
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.maintenance import verify
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench, evaluation, rows, success
from unit.stores.stores import fill


async def bench_at(path: Path, vfs: str | None = None) -> Bench:
    clock, processes = ManualClock(), ManualProcesses()
    store = await SqliteStore.open(path, clock=clock, processes=processes, vfs=vfs)
    return Bench(store, clock, processes)


async def test_what_many_want_at_once_is_synced_once(tmp_path: Path) -> None:
    effects: Counter[Effect] = Counter()

    def count(event: Event) -> None:
        if event.suffix == "-wal":
            effects[event.effect] += 1

    vfs = HookedVfs(count)
    try:
        bench = await bench_at(tmp_path / "store.sqlite", vfs.vfs_name)
        async with bench.store:
            _, claims = await bench.held(200)
            before = effects[Effect.SYNC]
            work = bench.store.work
            await asyncio.gather(*(work.complete(c.attempt_id, success()) for c in claims))
            assert 1 <= effects[Effect.SYNC] - before <= 20
            before = effects[Effect.SYNC]
            for _ in range(5):
                await bench.submit(0)
                await bench.worker()
            assert effects[Effect.SYNC] - before == 5, "every acknowledgement was synced"
    finally:
        vfs.unregister()


async def hold_up() -> None:
    """Keep the loop from ending its turn, while other threads may run."""
    threading.Event().wait(0.05)


async def in_turn(number: int, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` so many turns of the loop later."""
    for _ in range(number):
        await asyncio.sleep(0)
    await work


@pytest.mark.parametrize("turn", [0, 1])
async def test_what_a_loop_wants_in_two_turns_is_one_commit(tmp_path: Path, turn: int) -> None:
    """The writer is not woken before the loop has run what was ready, and what that made ready."""
    synced: list[Event] = []

    def note(event: Event) -> None:
        if event.effect is Effect.SYNC and event.suffix == "-wal":
            synced.append(event)

    vfs = HookedVfs(note)
    try:
        clock, processes = ManualClock(), ManualProcesses()
        store = await SqliteStore.open(
            tmp_path / "store.sqlite",
            clock=clock,
            processes=processes,
            vfs=vfs.vfs_name,
            poll_interval_s=60,
        )
        bench = Bench(store, clock, processes)
        async with store:
            _, claims = await bench.held(100)
            synced.clear()
            first, *rest = [store.work.complete(claim.attempt_id, success()) for claim in claims]
            rest.insert(50, hold_up())
            await asyncio.gather(first, *(in_turn(turn, work) for work in rest))
            assert len(synced) == 1
    finally:
        vfs.unregister()


async def test_one_refusal_does_not_touch_its_neighbours(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        await bench.run()
        names = [RunId(f"run-{n}") for n in (2, 1, 3, 1, 4)]
        answers = await asyncio.gather(*map(bench.run, names), return_exceptions=True)
        kinds = [type(answer).__name__ for answer in answers]
        assert kinds == ["Run", "Conflict", "Run", "Conflict", "Run"]
        assert len(await bench.store.insights.runs()) == 4


async def test_one_failure_in_the_middle_does_not_touch_its_neighbours(tmp_path: Path) -> None:
    """An example id that means something else is found only after resources were stored."""
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        await bench.run()
        real = rows(1)[0]
        fake = type(real)(id=real.id, split=real.split, value="something else")
        new = Resources(values={"system_prompt": "stored before the refusal"})
        submit = bench.store.queue.submit
        answers = await asyncio.gather(
            submit(RUN, [evaluation(real)]),
            submit(RUN, [evaluation(rows(2)[1]), evaluation(fake, resources=new)]),
            submit(RUN, [evaluation(rows(3)[2])]),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [list, Conflict, list]
        assert await bench.counts() == {"queuing": 2}
        with pytest.raises(NotFound):
            await bench.store.insights.resources(new.hash)
    assert verify(tmp_path / "store.sqlite").ok


async def test_cancelled_callers_tear_nothing(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        _, claims = await bench.held(40)
        tasks = [
            asyncio.ensure_future(bench.store.work.complete(claim.attempt_id, success()))
            for claim in claims
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(answer) for answer in done[1::2]} == {type(None)}
    found = verify(tmp_path / "store.sqlite")
    assert found.ok
    async with await SqliteStore.open(tmp_path / "store.sqlite", read_only=True) as store:
        assert (await store.queue.counts(RUN)).settled >= 20


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    await bench.run()
    tasks = [
        asyncio.ensure_future(bench.store.queue.submit(RUN, [evaluation(row)])) for row in rows(30)
    ]
    await asyncio.sleep(0)
    await bench.store.aclose()
    assert len(await asyncio.gather(*tasks)) == 30
    async with await SqliteStore.open(tmp_path / "store.sqlite", read_only=True) as store:
        assert (await store.queue.counts(RUN)).total == 30


async def test_a_loop_that_is_gone_does_not_stop_the_writer(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        await bench.run()
        worker = await bench.worker()
        await bench.submit(20)

        def leave_early() -> None:
            async def claim_and_leave() -> None:
                asyncio.ensure_future(bench.claim(worker, 1))  # noqa: RUF006  (abandoned on purpose)
                await asyncio.sleep(0)

            with asyncio.Runner() as runner:
                runner.run(claim_and_leave())

        for _ in range(10):
            thread = threading.Thread(target=leave_early)
            thread.start()
            await asyncio.to_thread(thread.join)
        await bench.store.work.beat([worker])
        async with asyncio.timeout(60):
            while (found := await bench.store.queue.counts(RUN)).in_flight:
                await bench.store.work.beat([worker])
        assert found.waiting == 20


async def test_what_a_loop_closed_before_hearing_of_is_taken_back(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        await bench.run()
        worker = await bench.worker()
        await bench.submit(1)

        async def claimed() -> int:
            return (await bench.store.queue.counts(RUN)).in_flight

        async def claim() -> None:
            claiming.append(asyncio.ensure_future(bench.claim(worker, 1)))
            for _ in range(3):  # until it has rung for the writer
                await asyncio.sleep(0)

        claiming: list[asyncio.Future[object]] = []
        deaf = asyncio.new_event_loop()
        deaf.set_exception_handler(lambda _loop, _what: None)  # of the task that never ends
        await asyncio.to_thread(deaf.run_until_complete, claim())
        async with asyncio.timeout(60):
            while not await claimed():
                await bench.store.work.beat([worker])
            deaf.close()  # its answer lies there, unheard
            while await claimed():
                await bench.store.work.beat([worker])
        assert not claiming[0].done()
        claiming.clear()


async def test_what_a_loop_asked_for_before_it_stopped_is_done(tmp_path: Path) -> None:
    """It stops before it could wake the writer."""
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        await bench.run()

        def ask_and_stop() -> None:
            loop = asyncio.new_event_loop()

            def ask() -> None:
                submit = bench.store.queue.submit(RUN, [evaluation(row) for row in rows(3)])
                submit.send(None)
                loop.stop()

            loop.call_soon(ask)
            loop.run_forever()
            loop.close()

        await asyncio.to_thread(ask_and_stop)
        async with asyncio.timeout(60):
            while (await bench.counts()) != {"queuing": 3}:
                await bench.store.insights.counts()


SUBMIT = """
import asyncio, sys
from tau.stores.sqlite import SqliteStore
from tau.testing.store_bench import RUN, evaluation, rows

async def main():
    async with await SqliteStore.open(sys.argv[1]) as store:
        print("open", flush=True)
        sys.stdin.readline()
        await store.queue.submit(RUN, [evaluation(row) for row in rows(3)])

asyncio.run(main())
"""


async def test_what_another_process_submits_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        await bench.run()
        assert await store.work.wait_ready(timeout_s=0.01) is False
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SUBMIT, str(path), stdin=PIPE, stdout=PIPE
        )
        assert other.stdout is not None
        assert await other.stdout.readline() == b"open\n"
        waiting = asyncio.ensure_future(store.work.wait_ready(timeout_s=30))
        await other.communicate(b"go\n")
        assert await waiting
        assert len(await bench.claim(await bench.worker())) == 3


async def test_what_settled_between_looking_and_waiting_is_not_missed(tmp_path: Path) -> None:
    bench = await bench_at(tmp_path / "store.sqlite")
    async with bench.store:
        _, claims = await bench.held()
        assert (await bench.store.queue.counts(RUN)).settled == 0
        await bench.store.work.complete(claims[0].attempt_id, success())
        async with asyncio.timeout(60):
            assert await bench.store.queue.wait_settled(RUN, timeout_s=60)


async def test_the_log_is_emptied_when_nothing_happens(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    log = path.with_name("store.sqlite-wal")
    async with await SqliteStore.open(path, poll_interval_s=0.01) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        await bench.run()
        assert log.stat().st_size > 0
        async with asyncio.timeout(60):
            while log.stat().st_size:
                await store.insights.counts()
        assert path.stat().st_size > 50_000


async def test_reading_never_writes(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await fill(path)
    async with await SqliteStore.open(path) as store:
        database = store._database

        def write(statements: object) -> None:
            connection = statements.connection  # type: ignore[attr-defined]
            connection.execute("DELETE FROM result")

        with pytest.raises(Exception, match="readonly") as refused:
            await database.read(write)
        assert isinstance(refused.value.__cause__, apsw.ReadOnlyError)
