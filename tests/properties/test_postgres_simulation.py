"""The PostgreSQL store against the model: seeded simulation, Hypothesis, and planted faults."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from machinery.moves import MOVES
from machinery.simulation import NewStore, simulate
from machinery.world import Divergence, OpenStore
from pg_cluster import Cluster, cluster
from properties.store_machine import StoreMachine
from tau.ports.store import Store
from tau.stores import outcomes
from tau.stores.postgres import PostgresStore, schema
from tau.stores.postgres.statements import SQL
from tau.testing.clock import ManualClock, ManualProcesses

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def opener(server: Cluster) -> OpenStore:
    """A new store in a schema of its own."""
    url = server.url(f"model_{next(_numbers)}")

    async def open_store(clock: ManualClock, processes: ManualProcesses) -> Store:
        return await PostgresStore.open(url, clock=clock, processes=processes)

    return open_store


def new_stores(server: Cluster) -> NewStore:
    """Stores in schemas of their own."""
    return lambda: opener(server)


def machine(server: Cluster, *, examples: int, steps: int) -> None:
    """Let Hypothesis try."""

    class PostgresMachine(StoreMachine):
        shared = True

        def opener(self) -> OpenStore:
            return opener(server)

    run_state_machine_as_test(
        PostgresMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
async def test_1500_random_steps_agree_with_the_model(server: Cluster, seed: int) -> None:
    report = await simulate(new_stores(server), seed=seed, steps=1500, shared=True)

    assert report.steps == 1500
    assert set(report.actions) == set(MOVES), "every kind of step was taken"
    assert {"LeaseLost", "RunActive"} <= set(report.refusals)


@pytest.mark.timeout(240)
def test_what_hypothesis_chooses_agrees_with_the_model(server: Cluster) -> None:
    machine(server, examples=8, steps=20)


@pytest.mark.acceptance
@pytest.mark.timeout(7200)
async def test_100000_random_steps_agree_with_the_model(server: Cluster) -> None:
    report = await simulate(new_stores(server), seed=5, steps=100_000, shared=True)

    assert report.steps == 100_000


@pytest.mark.acceptance
@pytest.mark.timeout(3600)
def test_much_that_hypothesis_chooses_agrees_with_the_model(server: Cluster) -> None:
    machine(server, examples=200, steps=40)


PLANTED = {
    "claims are not fenced": [
        ("take", "state = 'live' AND ", ""),
        ("hold_live", "state = 'live' AND ", ""),
    ],
    "a heartbeat brings the dead back": [("beat_workers", "state = 'live' AND ", "")],
    "last in, first out": [
        ("take", "rollout >= open.low\n      ORDER BY rollout", "true ORDER BY rollout DESC"),
        ("ready_rollouts", "rollout >= $4\n    ORDER BY rollout", "$4 >= 0 ORDER BY rollout DESC"),
    ],
    "untried rollouts are passed over": [
        ("take", "rollout >= open.low", "rollout > open.low"),
        ("ready_rollouts", "rollout >= $4", "rollout > $4 + 1"),
    ],
    "retries do not wait": [
        ("take", "ready_ms <= ", "ready_ms <= 1e12 + "),
        ("ready_rollouts", "ready_ms <= $3", "ready_ms <= $3 + 1e12"),
    ],
    "claims are not counted": [
        ("take", "FROM placed\n  GROUP BY", "FROM placed WHERE false GROUP BY"),
    ],
    "runs with limits are not told apart": [
        ("take", "AND coalesce(limit_rollouts, limit_calls, limit_tokens, limit_cost) IS NULL", ""),
        ("take", "NOT EXISTS", "(1 = 1) OR EXISTS"),
    ],
    "successes of an earlier attempt count": [("complete", "AND h.n = g.n ", "")],
    "successes begin their span numbers anew": [("complete", "AND h.spans IS NULL", "")],
    "successes keep what was reserved": [("complete", "-sum(reserved_calls)", "0")],
    "requeueing keeps the count": [
        ("requeue_rollouts", "gone.attempts, 0, $2", "gone.attempts, gone.counted, $2")
    ],
    "one attempt more than allowed": [
        ("held_attempts", "run.max_attempts", "run.max_attempts + 1 AS max_attempts")
    ],
    "late spend is booked twice": [
        ("ended_attempts", "a.late_calls", "NULL::bigint AS late_calls")
    ],
    "span numbers begin anew": [("held_attempts", "h.spans AS", "NULL::bigint AS")],
    "what is reserved is forgotten": [
        ("add_to_tally", "t.reserved_calls + excluded.reserved_calls", "t.reserved_calls")
    ],
}
"""Mistakes somebody could make: in a statement, what it says, and what it would say."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", PLANTED)
async def test_the_simulation_finds(
    server: Cluster, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement, right, wrong in PLANTED[fault]:
        assert right in SQL[statement], f"{statement} does not say {right!r} any more"
        monkeypatch.setitem(SQL, statement, SQL[statement].replace(right, wrong))

    with pytest.raises(Divergence):
        await simulate(new_stores(server), seed=1, steps=4000, shorten=False, shared=True)


@pytest.mark.timeout(240)
async def test_the_simulation_finds_outcomes_that_are_not_fenced(
    server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "is_live", lambda *_: True)

    with pytest.raises(Divergence):
        await simulate(new_stores(server), seed=1, steps=4000, shorten=False, shared=True)


@pytest.mark.timeout(240)
async def test_the_simulation_finds_that_equal_submissions_are_not_recognized(
    server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = "UNIQUE INDEX rollout_evaluate"
    assert any(right in script for script in schema.SCRIPTS)
    monkeypatch.setattr(
        schema.migrate, "__kwdefaults__",
        {"scripts": tuple(each.replace(right, right[7:]) for each in schema.SCRIPTS)},
    )  # fmt: skip

    with pytest.raises(Divergence):
        await simulate(new_stores(server), seed=1, steps=4000, shorten=False, shared=True)
