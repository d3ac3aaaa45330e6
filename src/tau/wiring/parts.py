"""From a validated configuration to the objects that do the work."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from tau import plugins
from tau.config.run_settings import GraderChoice, ModelChoice, RunConfig
from tau.domain.claim import CostMeasure
from tau.domain.json import Json, content_hash
from tau.domain.reward import EXACT_MATCH
from tau.domain.spend import Budget, Usage
from tau.errors import InputError
from tau.executors.proposal import Proposer
from tau.models import prices
from tau.models.recording import RecordingModel
from tau.ports.algorithm import Algorithm, Plan, Planner, Problem
from tau.ports.executor import Executor, ExecutorContext
from tau.ports.grader import Grader, GraderContext
from tau.ports.model import Model
from tau.wiring.history import RunHistory
from tau.wiring.metric import rewarded
from tau.wiring.text_checks import check_baseline, sources_filled, text_check

_NONE = RunHistory()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionParts:
    """What executes and grades rollouts."""

    model: Model | None
    executor: Executor
    graders: tuple[Grader, ...]
    proposer: Proposer | None

    @property
    def calls_per_attempt(self) -> int:
        """The most model calls one attempt makes."""
        return self.executor.calls_per_attempt + sum(one.calls_per_attempt for one in self.graders)

    @property
    def prices_known(self) -> bool:
        """Whether a price is known for every model that is called; nothing is free of charge."""
        one = Usage(input_tokens=1)
        return all(
            each is None or each.price(one) is not None for each in (self.model, self.proposer)
        )


def build_parts(config: RunConfig, closing: AsyncExitStack) -> ExecutionParts:
    """Build them inside the running event loop; `closing` releases them, last built first."""
    model = _model(config, config.model)
    if model is not None:
        closing.push_async_callback(model.aclose)
    proposer = _proposer(config, model, closing)
    executor = _executor(config, model)
    closing.push_async_callback(executor.aclose)
    graders = tuple(_grader(config, choice, model, closing) for choice in config.graders)
    return ExecutionParts(model=model, executor=executor, graders=graders, proposer=proposer)


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


def check_dollars(config: RunConfig, budget: Budget) -> None:
    """Refuse to work under a limit in dollars where the list of prices is not installed.

    Raises:
        InputError: what is spent here could not be counted.
    """
    if budget.cost_nano_usd is None:
        return
    for chosen in (config.model, config.reflection.model):
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
    context = choice.context(config.environ, max_connections=2 * config.concurrency)
    model = cast(Model, plugin.build(choice.settings, context))
    return RecordingModel(model, config.base_dir / choice.record) if choice.record else model


def _executor(config: RunConfig, model: Model | None) -> Executor:
    plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
    context = ExecutorContext(
        model=model,
        params=config.params,
        base_dir=config.base_dir,
        concurrency=config.concurrency,
        environ=config.inherited(config.executor.settings),
        template=config.template,
        keep_reasoning=config.keep_reasoning,
        sources=config.sources,
    )
    return cast(Executor, plugin.build(config.executor.settings, context))


def _grader(
    config: RunConfig, choice: GraderChoice, model: Model | None, closing: AsyncExitStack
) -> Grader:
    children = [_grader(config, child, model, closing) for child in choice.children]
    plugin = plugins.load(plugins.GRADERS, choice.type)
    context = GraderContext(
        name=choice.name,
        children=children,
        model=model,
        base_dir=config.base_dir,
        concurrency=config.concurrency,
        environ=config.inherited(choice.settings),
    )
    grader = cast(Grader, plugin.build(choice.settings, context))
    closing.push_async_callback(grader.aclose)
    return grader


def _described(choice: GraderChoice) -> Json:
    return [choice.name, choice.type, dict(choice.options), [*map(_described, choice.children)]]


def default_grader() -> Grader:
    """What grades rows with a string `expected` where no grader is configured."""
    plugin = plugins.load(plugins.GRADERS, EXACT_MATCH)
    return cast(Grader, plugin.build(plugin.Settings(), GraderContext(name=EXACT_MATCH)))
