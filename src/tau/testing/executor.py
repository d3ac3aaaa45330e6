"""The suite every executor must pass.

Subclass it in a test module, implement `make` and run pytest::

    class TestMine(ExecutorContract):
        def make(self, tmp_path):
            return ExecutorCase(plugin=MyExecutor, settings=MySettings(), context=..., ...)
"""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tau.domain.dataset import Example
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.spend import Spend
from tau.errors import AttemptError, ExecutorFailed, InputError, boundary
from tau.ports.clock import SystemClock
from tau.ports.executor import Executor, ExecutorContext
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder

_PROMPTLY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorCase:
    """One way to build the executor, and examples of each sort.

    `example` works with `resources` and gives `text`. `endless`, if there is one, is an example
    that takes longer than any test would wait; `failing` one that makes execution fail.
    """

    plugin: Any  # an ExecutorPlugin; type checkers match no class object with a ClassVar
    settings: Any
    context: ExecutorContext
    example: Example
    text: str
    resources: Resources = field(default_factory=lambda: Resources(values={}))
    endless: Example | None = None
    failing: Example | None = None
    unusable: Any = None
    """Settings that `check` must refuse, if there are any."""


def recorder(executor: Executor) -> SpanRecorder:
    """A record as the runner would hand to one attempt."""
    return SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=64),
        reserved=Spend(rollouts=1, calls=executor.calls_per_attempt),
    )


class ExecutorContract:
    """Subclass it and implement `make`."""

    def make(self, tmp_path: Path) -> ExecutorCase:
        """The case to test; called once per test, inside the event loop."""
        raise NotImplementedError

    @pytest.fixture
    async def case(self, tmp_path: Path) -> ExecutorCase:
        """What `make` returned."""
        return self.make(tmp_path)

    async def test_settings_are_a_frozen_dataclass(self, case: ExecutorCase) -> None:
        """Config validates them and writes their JSON Schema."""
        settings = case.plugin.Settings
        assert dataclasses.is_dataclass(settings)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(case.settings, dataclasses.fields(settings)[0].name, None)

    async def test_check_accepts_what_works(self, case: ExecutorCase) -> None:
        """And it may be asked without an example."""
        case.plugin.check(case.settings, case.context, case.resources, case.example)
        case.plugin.check(case.settings, case.context, case.resources, None)

    async def test_check_refuses_what_cannot_work(self, case: ExecutorCase) -> None:
        """Before anything starts, with a fix."""
        if case.unusable is None:
            pytest.skip("nothing can be wrong with these settings")
        with pytest.raises(InputError) as refused:
            case.plugin.check(case.unusable, case.context, case.resources, case.example)
        assert refused.value.fix

    async def test_it_produces_an_output_that_can_be_stored(self, case: ExecutorCase) -> None:
        """Text as expected, everything else JSON."""
        executor = case.plugin.build(case.settings, case.context)
        try:
            output = await executor.execute(case.example, case.resources, recorder(executor))
        finally:
            await executor.aclose()
        assert isinstance(output, Output)
        assert output.text == case.text
        canonical([output.value, output.finish_reason, dict(output.metadata)])

    async def test_it_makes_no_more_calls_than_it_declares(self, case: ExecutorCase) -> None:
        """The budget is reserved by this number; a call beyond it would be refused."""
        executor = case.plugin.build(case.settings, case.context)
        record = recorder(executor)
        try:
            await executor.execute(case.example, case.resources, record)
        finally:
            await executor.aclose()
        assert 0 <= record.spent.calls <= executor.calls_per_attempt

    async def test_one_object_serves_concurrent_rollouts(self, case: ExecutorCase) -> None:
        """Nothing of one leaks into another."""
        executor = case.plugin.build(case.settings, case.context)
        try:
            outputs = await asyncio.gather(
                *(
                    executor.execute(case.example, case.resources, recorder(executor))
                    for _ in range(8)
                )
            )
        finally:
            await executor.aclose()
        assert [output.text for output in outputs] == [case.text] * 8

    async def test_it_leaves_example_and_resources_alone(self, case: ExecutorCase) -> None:
        """They are shared with every other rollout."""
        executor = case.plugin.build(case.settings, case.context)
        before = canonical([case.example.value, dict(case.resources.values)])
        try:
            await executor.execute(case.example, case.resources, recorder(executor))
        finally:
            await executor.aclose()
        assert canonical([case.example.value, dict(case.resources.values)]) == before

    async def test_a_failure_is_an_error_of_the_attempt(self, case: ExecutorCase) -> None:
        """Whatever is raised has a class after the boundary, and the executor still works."""
        executor = case.plugin.build(case.settings, case.context)
        try:
            if case.failing is not None:
                with pytest.raises(AttemptError), boundary(ExecutorFailed, "the executor"):
                    await executor.execute(case.failing, case.resources, recorder(executor))
            output = await executor.execute(case.example, case.resources, recorder(executor))
        finally:
            await executor.aclose()
        assert output.text == case.text

    async def test_cancelling_stops_it_and_leaves_it_usable(self, case: ExecutorCase) -> None:
        """Time limits and shutdowns rely on it."""
        executor = case.plugin.build(case.settings, case.context)
        example = case.example if case.endless is None else case.endless
        try:
            work = asyncio.ensure_future(
                executor.execute(example, case.resources, recorder(executor))
            )
            await asyncio.wait([work], timeout=0.2)
            if case.endless is not None:
                assert not work.done(), "the endless example ended"
            work.cancel()
            await asyncio.wait([work], timeout=_PROMPTLY_S)
            assert work.cancelled() or case.endless is None
            output = await executor.execute(case.example, case.resources, recorder(executor))
        finally:
            await executor.aclose()
        assert output.text == case.text

    async def test_closing_twice_is_fine(self, case: ExecutorCase) -> None:
        """Whoever closes need not know whether it was closed."""
        executor = case.plugin.build(case.settings, case.context)
        await executor.aclose()
        await executor.aclose()
