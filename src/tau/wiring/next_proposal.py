"""What the reflection model would be asked next, without asking it."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tau.config.run_settings import RunConfig
from tau.domain.ids import RunId
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.run import Run
from tau.ports.algorithm import Algorithm
from tau.ports.store import Store
from tau.trainer.waves import load
from tau.wiring.parts import build_algorithm, build_parts
from tau.wiring.stores import open_store

STAND_IN = "(what the application answers will stand here)"
_FEEDBACK = "(what the graders say of it will stand here)"
_MOST_WAVES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NextProposal:
    """The messages of the next request, as role and content.

    `run` is the unfinished run it belongs to, None before there is one. With `stand_ins`, examples
    whose evaluation comes first are shown as if they had failed: their outputs are not known yet.
    `model_ref` is the reflection model.
    """

    messages: tuple[Mapping[str, str], ...]
    run: RunId | None
    stand_ins: bool
    model_ref: str | None


async def next_proposal(config: RunConfig, *, store: str | None) -> NextProposal | None:
    """The next request of the newest unfinished run of `config`, or of one that is not begun.

    Nothing is called and nothing is written. None where the algorithm asks for no proposal any
    more.

    Raises:
        InputError: the configuration cannot be carried out.
        StoreError: the store cannot be read.
        RunError: the run's state belongs to another version.
    """
    async with AsyncExitStack() as closing:
        algorithm = build_algorithm(config, build_parts(config, closing))
        run = None
        if store is not None:
            opened = await closing.enter_async_context(await open_store(store, read_only=True))
            run = await _resumed(opened, config, algorithm)
    stand_ins = False
    for _ in range(_MOST_WAVES):
        wave = algorithm.ask()
        if not wave:
            return None
        asked = [one for one in wave if one.kind is RolloutKind.PROPOSE]
        if asked:
            model = config.reflection.model or config.model
            return NextProposal(
                messages=_messages(asked[0]),
                run=None if run is None else run.id,
                stand_ins=stand_ins,
                model_ref=None if model is None else model.ref,
            )
        algorithm.tell([_failed(one) for one in wave])
        stand_ins = True
    return None


async def _resumed(store: Store, config: RunConfig, algorithm: Algorithm) -> Run | None:
    """The newest unfinished run, its last state loaded into `algorithm`."""
    found = [run for run in await store.runs.find(config.config_hash) if not run.over]
    for run in found[:1]:
        last = await store.checkpoints.latest(run.id)
        if last is not None:
            load(algorithm, run, last)
            return run
    return None


def _messages(request: RolloutRequest) -> tuple[Mapping[str, str], ...]:
    proposal = request.proposal
    said = proposal.get("messages") if isinstance(proposal, Mapping) else None
    if not isinstance(said, Sequence) or isinstance(said, str):
        return ()
    return tuple(
        {"role": str(one["role"]), "content": str(one["content"])}
        for one in said
        if isinstance(one, Mapping)
    )


def _failed(request: RolloutRequest) -> RolloutResult:
    """As if the application had answered, and had been wrong."""
    return RolloutResult(
        request=request,
        rollout_id=None,
        status=RolloutStatus.SUCCEEDED,
        output=Output(text=STAND_IN),
        rewards=(Reward(name="score", score=0.0, passed=False, feedback=_FEEDBACK),),
        score=0.0,
        attempts=1,
    )
