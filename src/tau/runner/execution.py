"""What a worker does with a claim, by its kind."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Claim, Output, RolloutKind
from tau.errors import ExampleInvalid, ExecutorFailed
from tau.ports.executor import Executor
from tau.ports.obedience import obeys
from tau.ports.record import Recorder


class Performer(Protocol):
    """Does the work of one kind of rollout."""

    @property
    def obeys(self) -> bool:
        """See ports.obedience."""
        ...

    def perform(self, claim: Claim, resources: Resources, record: Recorder) -> Awaitable[Output]:
        """Produce the output; errors and cancellation as for an executor."""
        ...


Performers = Mapping[RolloutKind, Performer]


class Evaluation:
    """Performs evaluations by an executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.obeys = obeys(executor)

    def perform(self, claim: Claim, resources: Resources, record: Recorder) -> Awaitable[Output]:
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
        self.obeys = obeys(proposer)

    def perform(self, claim: Claim, resources: Resources, record: Recorder) -> Awaitable[Output]:
        """Ask for what the claim's proposal says."""
        return self._proposer.propose(claim.proposal, resources, record)


def performer_of(performers: Performers, claim: Claim) -> Performer:
    """What does the work of `claim`.

    Raises:
        ExecutorFailed: nothing was configured for its kind.
    """
    performer = performers.get(claim.kind)
    if performer is None:
        raise ExecutorFailed(
            f"no executor for '{claim.kind}' rollouts is configured",
            fix="start the worker with the configuration of the run",
        )
    return performer
