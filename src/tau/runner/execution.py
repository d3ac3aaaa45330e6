"""What a worker does with a claim, by its kind."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import ClaimedRollout, Output, RolloutKind
from tau.errors import ExampleInvalid, ExecutorFailed
from tau.ports.cancellable import cancellable
from tau.ports.executor import Executor
from tau.ports.record import Recorder


class Handler(Protocol):
    """Does the work of one kind of rollout."""

    @property
    def cancellable(self) -> bool:
        """See ports.cancellable."""
        ...

    def perform(
        self, claim: ClaimedRollout, resources: Resources, record: Recorder
    ) -> Awaitable[Output]:
        """Produce the output; errors and cancellation as for an executor."""
        ...


Performers = Mapping[RolloutKind, Handler]


class EvaluationHandler:
    """Performs evaluations by an executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.cancellable = cancellable(executor)

    def perform(
        self, claim: ClaimedRollout, resources: Resources, record: Recorder
    ) -> Awaitable[Output]:
        """Run the claim's example with its resources."""
        if claim.example is None:
            raise ExampleInvalid("the rollout has no example to evaluate")
        return self._executor.execute(claim.example, resources, record)


class Proposing(Protocol):
    """Asks a model for better resources."""

    def propose(self, proposal: Json, resources: Resources, record: Recorder) -> Awaitable[Output]:
        """Produce what the model said."""
        ...


class Proposal:
    """Performs proposals."""

    def __init__(self, proposer: Proposing) -> None:
        self._proposer = proposer
        self.cancellable = cancellable(proposer)

    def perform(
        self, claim: ClaimedRollout, resources: Resources, record: Recorder
    ) -> Awaitable[Output]:
        """Ask for what the claim's proposal says."""
        return self._proposer.propose(claim.proposal, resources, record)


def handler_of(performers: Performers, claim: ClaimedRollout) -> Handler:
    """What does the work of `claim`.

    Raises:
        ExecutorFailed: nothing was configured for its kind.
    """
    handler = performers.get(claim.kind)
    if handler is None:
        raise ExecutorFailed(
            f"no executor for '{claim.kind}' rollouts is configured",
            fix="start the worker with the configuration of the run",
        )
    return handler
