"""A store as version 3 left it, with something in every state, gets the tables of version 4."""

import itertools
from collections.abc import Iterator

import asyncpg
import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from tau.domain.ids import AttemptId, RunId
from tau.domain.rollout import RolloutStatus
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Budget, Spend
from tau.errors import StoreVersion
from tau.stores.postgres import PostgresStore, schema
from tau.stores.postgres.address import parse
from tau.stores.postgres.maintenance import verify
from tau.stores.transfer import TABLES as ALL_TABLES
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench, failure, proposal, success

LATER = {"reported", "assumed_tokens", "assumed_cost"}
TABLES = {
    name: tuple(column for column in columns if column not in LATER)
    for name, columns in ALL_TABLES.items()
    if name not in ("policy", "desired_state")
}
"""Those that version 3 knew; policies, deliveries and assumed spend came later."""

OTHER = RunId("run-2")
HELD = AttemptId("run-1-r5:attempt-1")
"""What a worker of the version before still has, with two spans."""
BEFORE = schema.SCRIPTS[:3]
MORE = {"rollout": ("live", "ready_ms"), "worker": ("heartbeat_ms", "state"), "tally": ("slot",)}
TALLY = ", reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def names() -> tuple[str, str]:
    """Of a schema of this version, and of one that is to be as version 3 left it."""
    number = next(_numbers)
    return f"now_{number}", f"before_{number}"


def columns(table: str) -> str:
    names = (*TABLES[table], *MORE.get(table, ()))
    return ", ".join(names) + (TALLY if table == "tally" else "")


def rows(server: Cluster, name: str, table: str) -> list[str]:
    return sorted(server.sql(f"SELECT {columns(table)} FROM {name}.{table}").splitlines())


def span(number: int) -> Span:
    return Span(
        sequence=number, parent=None, name="call", kind=SpanKind.STEP, start_unix_ns=1,
        end_unix_ns=2, attributes={},
    )  # fmt: skip


async def everything(bench: Bench) -> None:
    """Rollouts in every state, with attempts that ended in every way."""
    store = bench.store
    await bench.run(budget=Budget(calls=1000))
    await bench.submit(12, reserve=Spend(rollouts=1, calls=2, tokens=3))
    await store.queue.submit(RUN, [proposal({"a": 1})])
    worker = await bench.worker(lease_ms=60_000)
    one, two, three, four, five, six, _, eight = await bench.claim(worker, 8)
    await store.work.complete(one.attempt_id, success(spent=Spend(calls=1, tokens=5)))
    await store.work.complete(two.attempt_id, failure())
    await store.work.complete(three.attempt_id, failure(retry_in_s=3600.0))
    await store.work.complete(four.attempt_id, failure(retry_in_s=0.0))
    await store.work.append_spans(five.attempt_id, [span(1), span(2)])
    await store.work.release([six.attempt_id], spent=Spend(calls=1))
    again = await bench.claim(worker, 2)
    await store.work.complete(again[0].attempt_id, success(0.25))
    await store.queue.requeue_failed(RUN, [two.rollout_id])
    await store.work.complete(eight.attempt_id, failure())
    await bench.run(OTHER)
    await bench.submit(3, OTHER)
    late = await bench.claim(worker, 1, OTHER)
    await store.queue.cancel(OTHER, in_flight=True)
    with pytest.raises(Exception, match="over"):
        await store.work.complete(late[0].attempt_id, success(spent=Spend(calls=9)))


async def as_before(server: Cluster, now: str, before: str) -> None:
    """Fill the tables of version 3 with what is in those of this one."""
    url = server.url(before)
    connection = await asyncpg.connect(
        server.url("x").partition("?")[0], server_settings={"search_path": before}
    )
    await schema.migrate(connection, parse(url), scripts=BEFORE)
    await connection.close()
    for table in TABLES:
        listed = columns(table)
        server.sql(
            f"INSERT INTO {before}.{table} ({listed}) OVERRIDING SYSTEM VALUE "
            f"SELECT {listed} FROM {now}.{table}"
        )
        if TABLES[table][0] == "key":
            server.sql(
                f"SELECT setval(pg_get_serial_sequence('{before}.{table}', 'key'), "
                f"greatest(max(key), 1)) FROM {before}.{table}"
            )


@pytest.fixture
async def before(server: Cluster, names: tuple[str, str]) -> str:
    """The schema of a store that version 3 has left, its leases being over."""
    clock = ManualClock()
    async with await PostgresStore.open(
        server.url(names[0]), clock=clock, processes=ManualProcesses()
    ) as store:
        await everything(Bench(store, clock, ManualProcesses()))
    await as_before(server, *names)
    server.sql(f"UPDATE {names[1]}.worker SET heartbeat_ms = 0")
    server.sql(f"UPDATE {names[0]}.worker SET heartbeat_ms = 0")
    return names[1]


async def test_everything_is_there_afterwards(
    server: Cluster, names: tuple[str, str], before: str
) -> None:
    old = {table: rows(server, before, table) for table in TABLES}
    statuses = set(server.sql(f"SELECT DISTINCT status FROM {before}.rollout").split())
    assert statuses == {str(status) for status in RolloutStatus} - {"preparing"}

    clock = ManualClock()
    async with await PostgresStore.open(
        server.url(before), clock=clock, processes=ManualProcesses()
    ) as store:
        assert {table: rows(server, before, table) for table in TABLES} == old
        assert faults(server, before) == []
        assert (await verify(server.url(before))).problems == ()
        bench = Bench(store, clock, ManualProcesses())
        worker = await bench.worker("next", lease_ms=60_000)
        for claim in await bench.claim(worker):
            await store.work.complete(claim.attempt_id, success())
        assert (await bench.counts())["requeuing"] == 1, "the one whose retry is in an hour"
        await store.work.complete(HELD, success())
        assert await bench.submit(2) == await bench.submit(2), "known by their keys"
        assert faults(server, before) == []


async def test_it_is_refused_while_others_hold_leases(server: Cluster, before: str) -> None:
    server.sql(
        f"UPDATE {before}.worker SET heartbeat_ms = extract(epoch FROM clock_timestamp()) * 1000"
    )
    with pytest.raises(StoreVersion, match="in use by programs of the Tau before") as told:
        await PostgresStore.open(server.url(before))
    assert "leases have run out" in (told.value.fix or "")
    assert server.sql(f"SELECT value FROM {before}.schema_meta WHERE name = 'version'") == "3\n"


OLD = (
    "INSERT INTO rollout (run, kind, resources, example, ordinal, reserve_rollouts, reserve_calls,"
    " reserve_tokens, reserve_cost, created_unix_ms, updated_unix_ms)"
    " VALUES (1, 'evaluate', 1, 1, 99, 1, 0, 0, 0, 1, 1)",
    "SELECT r.key FROM rollout AS r WHERE r.run = 1 AND r.status IN ('queuing', 'requeuing')"
    " ORDER BY r.key FOR NO KEY UPDATE OF r SKIP LOCKED",
    "SELECT key FROM rollout WHERE key = ANY('{1,5}') ORDER BY key FOR NO KEY UPDATE",
    "UPDATE rollout SET status = 'running', live = 1 WHERE key = 7",
    "INSERT INTO attempt (rollout, n, worker, status, started_unix_ms, reserved_rollouts,"
    " reserved_calls, reserved_tokens, reserved_cost) VALUES (9, 1, 1, 'running', 1, 1, 0, 0, 0)",
    "UPDATE attempt SET status = 'failed' WHERE rollout = 5 AND n = 1",
    "INSERT INTO result (rollout, output, rewards, digest) VALUES (5, NULL, '[]', '')",
    "DELETE FROM result WHERE rollout = 1",
)
"""What programs of version 3 say to change the queue."""


@pytest.mark.parametrize("statement", OLD)
async def test_a_program_of_the_version_before_can_change_nothing(
    server: Cluster, before: str, statement: str
) -> None:
    async with await PostgresStore.open(server.url(before)):
        pass
    old = {table: rows(server, before, table) for table in TABLES}
    connection = await asyncpg.connect(
        server.url("x").partition("?")[0], server_settings={"search_path": before}
    )
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(statement)
    await connection.close()
    assert {table: rows(server, before, table) for table in TABLES} == old
    assert server.sql(f"SELECT value FROM {before}.schema_meta WHERE name = 'oldest'") == "4\n"


async def test_who_could_work_before_can_afterwards(server: Cluster, before: str) -> None:
    role = f"worker_{before}"
    server.sql(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {before} TO {role}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {before} TO {role}; "
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {before} TO {role}"
    )
    async with await PostgresStore.open(server.url(before)):
        pass
    low = server.url(before).replace("postgres@", f"{role}@")
    async with await PostgresStore.open(low, processes=ManualProcesses()) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        worker = await bench.worker("next", lease_ms=60_000)
        claims = await bench.claim(worker, 3)
        assert len(claims) == 3
        for claim in claims:
            await store.work.complete(claim.attempt_id, success())
        assert (await store.insights.rollout(claims[0].rollout_id)).result is not None
