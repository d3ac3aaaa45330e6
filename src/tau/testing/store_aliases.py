"""Part of the store suite: names for publications, verdicts of runs, measurements."""

import pytest

from tau.domain.decision import Decision, Verdict
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutStatus
from tau.domain.worker import WorkerRole
from tau.errors import InputError, LeaseLost, NotFound
from tau.testing.store_bench import (
    RUN,
    SEED,
    Bench,
    StoreCase,
    evaluation,
    failure,
    proposal,
    rows,
    success,
)

OTHER = Resources(values={"system_prompt": "Other."}, parent=SEED.hash)


class AliasContract(StoreCase):
    """Names for publications."""

    async def test_the_newest_pointing_counts_and_all_are_kept(self, bench: Bench) -> None:
        await bench.store.resources.publish(SEED, run_id=None)
        second = await bench.store.resources.publish(OTHER, run_id=None)
        aliases = bench.store.aliases
        await aliases.point("prod", 1, principal="local:ann")
        bench.clock.advance(1000)
        evidence: dict[str, Json] = {"decision": "promote", "difference": 0.1}
        made = await aliases.point(
            "prod", 2, principal="local:bob", reason="better", evidence=evidence
        )
        await aliases.point("canary", 2, principal="local:bob")

        assert (made.version, made.principal, made.reason) == (second, "local:bob", "better")
        assert (made.evidence, made.set_unix_ms) == (evidence, bench.clock.unix_ms())
        assert await aliases.find("prod") == made
        assert [each.name for each in await aliases.current()] == ["canary", "prod"]
        history = await aliases.history("prod")
        assert [each.version.number for each in history] == [2, 1]
        assert await aliases.history("prod", limit=1, offset=1) == history[1:]
        assert [each.name for each in await aliases.history()] == ["canary", "prod", "prod"]

    async def test_what_is_not_there_cannot_be_pointed_at(self, bench: Bench) -> None:
        await bench.store.resources.publish(SEED, run_id=None)
        with pytest.raises(NotFound):
            await bench.store.aliases.point("prod", 2, principal="local:ann")
        for name in ("", " ", "x" * 101):
            with pytest.raises(InputError):
                await bench.store.aliases.point(name, 1, principal="local:ann")
        with pytest.raises(NotFound):
            await bench.store.aliases.find("prod")
        assert await bench.store.aliases.history() == []


class PolicyContract(StoreCase):
    """The policy that a store carries."""

    async def test_the_newest_policy_holds(self, bench: Bench) -> None:
        policies = bench.store.policies
        assert await policies.current() is None
        first: dict[str, Json] = {"schema_version": 1, "team_mode": True, "unknown": ["ü", 1]}
        made = await policies.install(first, principal="local:ann", reason="to begin with")
        assert (made.number, made.document, made.reason) == (1, first, "to begin with")
        assert (made.principal, made.installed_unix_ms) == ("local:ann", bench.clock.unix_ms())
        assert await policies.current() == made
        bench.clock.advance(1000)
        second = await policies.install({"team_mode": False}, principal="local:bob")
        assert (second.number, second.document) == (2, {"team_mode": False})
        assert await policies.current() == second


class VerdictContract(StoreCase):
    """What runs recommended, and the measurements that it can be checked with."""

    async def test_the_last_word_counts(self, bench: Bench) -> None:
        await bench.run()
        trainer = await bench.driver()
        verdicts = bench.store.verdicts
        assert await verdicts.find(RUN) is None
        await verdicts.save(Verdict(run_id=RUN, resources=SEED), trainer=trainer)
        bench.clock.advance(1000)
        last = Verdict(
            run_id=RUN,
            resources=OTHER,
            decision=Decision.PROMOTE,
            evidence={"n": 20},
            caveats=("few rows",),
        )
        saved = await verdicts.save(last, trainer=trainer)
        found = await verdicts.find(RUN)

        assert found == saved
        assert found.reached_unix_ms == bench.clock.unix_ms()
        assert (found.resources, found.decision) == (OTHER, Decision.PROMOTE)
        assert (dict(found.evidence), found.caveats) == ({"n": 20}, ("few rows",))

    async def test_only_the_driver_gives_a_verdict(self, bench: Bench) -> None:
        await bench.run()
        stranger = await bench.worker("trainer", role=WorkerRole.TRAINER)
        with pytest.raises(LeaseLost):
            await bench.store.verdicts.save(Verdict(run_id=RUN, resources=SEED), trainer=stranger)
        assert await bench.store.verdicts.find(RUN) is None
        with pytest.raises(NotFound):
            await bench.store.verdicts.find(RunId("nobody"))

    async def test_measurements_by_run_and_by_resources(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        two = rows(2)
        await bench.store.queue.submit(
            RUN, [*map(evaluation, two), evaluation(two[0], resources=OTHER), proposal({})]
        )
        await bench.store.queue.submit(RunId("run-2"), [evaluation(two[0], replicate=3)])
        claims = await bench.claim(await bench.worker(), 2)
        await bench.store.work.complete(claims[0].attempt_id, success(0.5))
        await bench.store.work.complete(claims[1].attempt_id, failure())

        measured = bench.store.insights.measurements
        of_run = await measured(run=RUN)
        assert [(m.example, m.resources, m.score) for m in of_run] == [
            (two[0].id, SEED.hash, 0.5),
            (two[1].id, SEED.hash, None),
            (two[0].id, OTHER.hash, None),
        ]
        assert [m.status for m in of_run] == [
            RolloutStatus.SUCCEEDED, RolloutStatus.FAILED, RolloutStatus.QUEUING,
        ]  # fmt: skip
        assert await measured(run=RUN, resources=OTHER.hash) == of_run[2:]
        everywhere = await measured(resources=SEED.hash)
        assert sorted((m.run_id, m.replicate) for m in everywhere) == [
            (RUN, 0), (RUN, 0), ("run-2", 3),
        ]  # fmt: skip
        with pytest.raises(NotFound):
            await measured(run=RunId("nobody"))
        with pytest.raises(ValueError, match="by run"):
            await measured()
