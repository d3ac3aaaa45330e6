"""From a validated configuration to the objects that do the work."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from tau import plugins
from tau.config.environment import overridden
from tau.config.run_settings import GraderChoice, ModelChoice, RunConfig
from tau.domain.claim import CostMeasure
from tau.domain.json import Json, canonical, content_hash
from tau.domain.reward import EXACT_MATCH
from tau.domain.spend import Budget, Usage
from tau.errors import InputError
from tau.executors.proposal import Proposer
from tau.models import prices
from tau.models.recording import RecordingModel
from tau.ports.algorithm import Algorithm, Plan, Planner, Problem
from tau.ports.clock import SystemClock
from tau.ports.executor import Executor, ExecutorContext
from tau.ports.grader import Grader, GraderContext
from tau.ports.model import Model
from tau.proxy.endpoint import LoopbackEndpoint
from tau.wiring.history import RunHistory
from tau.wiring.metric import rewarded
from tau.wiring.text_checks import check_baseline, sources_filled, text_check

_NONE = RunHistory()
_MOST_CALLS_AT_ONCE = 32
"""Of one rollout."""
_TEMPLATE_BYTES = 6_000
"""Of what a judge is told beside its settings; those who replace a template keep to about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeParts:
    """A model that a grader asks, its parameters, and the bytes of what it is told in any case."""

    model: Model
    params: Mapping[str, Json]
    told_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionParts:
    """What executes and grades rollouts."""

    model: Model | None
    executor: Executor
    graders: tuple[Grader, ...]
    proposer: Proposer | None
    endpoint: LoopbackEndpoint | None = None
    judges: tuple[JudgeParts, ...] = ()

    @property
    def calls_per_attempt(self) -> int:
        """The most model calls one attempt makes."""
        return self.executor.calls_per_attempt + sum(one.calls_per_attempt for one in self.graders)

    def tell_unseen(self, tell: Callable[[str], None]) -> None:
        """Tell of attempts that were to call the endpoint and did not."""
        if self.endpoint is not None and self.endpoint.complaint:
            tell(self.endpoint.complaint)

    @property
    def prices_known(self) -> bool:
        """Whether a price is known for every model that is called; nothing is free of charge."""
        one = Usage(input_tokens=1)
        return all(
            each is None or each.price(one) is not None
            for each in (self.model, self.proposer, *(judge.model for judge in self.judges))
        )


def build_parts(config: RunConfig, closing: AsyncExitStack) -> ExecutionParts:
    """Build them inside the running event loop; `closing` releases them, last built first."""
    model = _model(config, config.model)
    if model is not None:
        closing.push_async_callback(model.aclose)
    proposer = _proposer(config, model, closing)
    endpoint = None
    if model is not None:
        endpoint = LoopbackEndpoint(model, clock=SystemClock(), override=overridden)
        closing.push_async_callback(endpoint.aclose)
    executor = _executor(config, model, endpoint)
    closing.push_async_callback(executor.aclose)
    judges = _Judges(config, model, closing)
    graders = tuple(_grader(config, choice, judges, closing) for choice in config.graders)
    return ExecutionParts(
        model=model,
        executor=executor,
        graders=graders,
        proposer=proposer,
        endpoint=endpoint,
        judges=judges.parts(),
    )


def build_algorithm(
    config: RunConfig, parts: ExecutionParts, past: RunHistory = _NONE
) -> Algorithm:
    """Build it, complete; the same configuration gives the same algorithm.

    Raises:
        InputError: the problem cannot be worked on with these settings or parts.
    """
    plugin = plugins.load(plugins.ALGORITHMS, config.algorithm.type)
    plan = None if parts.proposer is not None else plan_of(config, parts)
    if plan is not None and plan.proposals:
        raise InputError(
            "no model writes the new prompts",
            where="algorithm.reflection_model",
            why=f"the rollouts call no model, and '{config.algorithm.type}' needs one",
            fix="name one as reflection_model: provider/model",
        )
    check_baseline(config)
    problem = problem_of(config, parts, past)
    return cast(Algorithm, plugin.build(config.algorithm.settings, problem))


def _check_claim(config: RunConfig, parts: ExecutionParts) -> None:
    """Refuse to compare money where no price is known: every saving would look like nothing."""
    if config.claim.minimize is CostMeasure.USD and not parts.prices_known:
        provider = config.model.provider if config.model else ""
        raise InputError(
            "dollars cannot be minimized: no price of the model is known",
            where="objective.minimize",
            fix=prices.unlisted_fix(provider)
            or "minimize output_tokens, latency or prompt_length, or give prices",
        )
    if config.claim.minimize is CostMeasure.USD and _free(parts.model):
        raise InputError(
            "dollars cannot be minimized: calls of the model are free",
            where="objective.minimize",
            why="no prompt can cost less than nothing",
            fix="minimize output_tokens, latency or prompt_length",
        )


def _free(model: Model | None) -> bool:
    """Whether tokens of the model cost nothing, in and out."""
    some = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    return model is not None and model.price(some) == 0


def check_dollars(config: RunConfig, budget: Budget) -> None:
    """Refuse to work under a limit in dollars where the list of prices is not installed.

    Raises:
        InputError: what is spent here could not be counted.
    """
    if budget.cost_nano_usd is None:
        return
    judges = (model for _, model in config.judges)
    for chosen in (config.model, config.reflection.model, *judges):
        fix = chosen and prices.unlisted_fix(chosen.provider)
        if fix:
            raise InputError(
                "the run has a limit in dollars, and no list of prices is installed here",
                fix=fix,
            )


def plan_of(config: RunConfig, parts: ExecutionParts, past: RunHistory = _NONE) -> Plan | None:
    """What the algorithm plans; None where it does not say."""
    plugin = plugins.load(plugins.ALGORITHMS, config.algorithm.type)
    if not isinstance(plugin, Planner):
        return None
    problem = problem_of(config, parts, past)
    return plugin.plan(config.algorithm.settings, problem)


def problem_of(config: RunConfig, parts: ExecutionParts, past: RunHistory = _NONE) -> Problem:
    """What the algorithm may know; `past` is what earlier runs left.

    Raises:
        InputError: money is to be minimized, and no price is known.
    """
    _check_claim(config, parts)
    return Problem(
        seed_resources=config.resources,
        examples=config.examples,
        budget=config.budget,
        calls_per_evaluation=parts.calls_per_attempt,
        seed=config.seed,
        graders=content_hash([_described(choice) for choice in config.graders]),
        model=content_hash([config.model_ref, dict(config.params)]),
        certified=past.certified,
        claim=config.claim,
        earlier=past.scores,
        template=config.template,
        purpose=config.purpose,
        varying=config.executor.type != "chat" or config.params.get("temperature") != 0,
        metric=tuple(rewarded(choice) for choice in config.graders),
        sources=sources_filled(config),
        check=text_check(config),
    )


def _proposer(config: RunConfig, model: Model | None, closing: AsyncExitStack) -> Proposer | None:
    """The reflection model: its own where one is named, else the model of the rollouts."""
    reflection = config.reflection
    if reflection.model is not None:
        model = _model(config, reflection.model)
        assert model is not None
        closing.push_async_callback(model.aclose)
    return None if model is None else Proposer(model, reflection.params)


def _model(config: RunConfig, choice: ModelChoice | None) -> Model | None:
    if choice is None:
        return None
    plugin = plugins.load(plugins.MODELS, choice.provider)
    # Graders may call the model while the next rollout of the same slot is already waiting.
    context = choice.context(config.environ, max_connections=2 * calls_at_once(config))
    model = cast(Model, plugin.build(choice.settings, context))
    return RecordingModel(model, config.base_dir / choice.record) if choice.record else model


def calls_at_once(config: RunConfig) -> int:
    """The most calls of one model under way: an agent may make several at a time."""
    calls = getattr(config.executor.settings, "calls", 1)
    return config.concurrency * min(max(calls, 1), _MOST_CALLS_AT_ONCE)


def _executor(
    config: RunConfig, model: Model | None, endpoint: LoopbackEndpoint | None
) -> Executor:
    plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
    context = ExecutorContext(
        model=model,
        params=config.params,
        base_dir=config.base_dir,
        concurrency=config.concurrency,
        environ=config.inherited(config.executor.settings),
        template=config.template,
        keep_reasoning=config.keep_reasoning,
        endpoint=endpoint,
        sources=config.sources,
    )
    return cast(Executor, plugin.build(config.executor.settings, context))


class _Judges:
    """The models that graders ask, each built once."""

    def __init__(self, config: RunConfig, task: Model | None, closing: AsyncExitStack) -> None:
        self._config = config
        self.task = task
        self._closing = closing
        self._built: list[tuple[ModelChoice, Model]] = []
        self._parts: list[JudgeParts] = []

    def model_for(self, choice: GraderChoice) -> Model | None:
        """The one that a grader of this choice is given."""
        if choice.judge is None:
            return self.task
        model = self.task if choice.judge.model is None else self._shared(choice.judge.model)
        if model is not None:
            told = len(canonical(dict(choice.options))) + _TEMPLATE_BYTES
            self._parts.append(JudgeParts(model=model, params=choice.judge.params, told_bytes=told))
        return model

    def parts(self) -> tuple[JudgeParts, ...]:
        """What is asked, for reservations."""
        return tuple(self._parts)

    def _shared(self, chosen: ModelChoice) -> Model:
        for known, built in self._built:
            if known == chosen:
                return built
        model = _model(self._config, chosen)
        assert model is not None
        self._closing.push_async_callback(model.aclose)
        self._built.append((chosen, model))
        return model


def _grader(
    config: RunConfig, choice: GraderChoice, judges: _Judges, closing: AsyncExitStack
) -> Grader:
    children = [_grader(config, child, judges, closing) for child in choice.children]
    plugin = plugins.load(plugins.GRADERS, choice.type)
    context = GraderContext(
        name=choice.name,
        children=children,
        model=judges.model_for(choice),
        params={} if choice.judge is None else choice.judge.params,
        base_dir=config.base_dir,
        concurrency=config.concurrency,
        environ=config.inherited(choice.settings),
    )
    grader = cast(Grader, plugin.build(choice.settings, context))
    closing.push_async_callback(grader.aclose)
    return grader


def _described(choice: GraderChoice) -> Json:
    said: list[Json] = [
        choice.name,
        choice.type,
        dict(choice.options),
        [*map(_described, choice.children)],
    ]
    if choice.judge is not None:
        asked = choice.judge.model
        said.append([None if asked is None else asked.ref, dict(choice.judge.params)])
    return said


def default_grader() -> Grader:
    """What grades rows with a string `expected` where no grader is configured."""
    plugin = plugins.load(plugins.GRADERS, EXACT_MATCH)
    return cast(Grader, plugin.build(plugin.Settings(), GraderContext(name=EXACT_MATCH)))
