"""The workers of a run, from its configuration."""

from collections.abc import Sequence
from dataclasses import replace

from tau.config.run_settings import RunConfig
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind
from tau.domain.run import Run
from tau.ports.clock import SystemClock
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.runner.execution import EvaluationHandler, Proposal
from tau.runner.supervisor import Supervisor, WorkSpec
from tau.runner.worker_settings import RunnerSettings
from tau.scoring.detectors import unsafe_codes
from tau.wiring.parts import ExecutionParts, calls_at_once, default_grader


def supervisor(config: RunConfig, store: Store, parts: ExecutionParts, run: Run) -> Supervisor:
    """What runs the workers of a run."""
    job = WorkSpec(
        performers={
            RolloutKind.EVALUATE: EvaluationHandler(parts.executor),
            **({RolloutKind.PROPOSE: Proposal(parts.proposer)} if parts.proposer else {}),
        },
        graders=parts.graders,
        default_grader=default_grader(),
        safety=config.safety,
        detectors=(detect_unsafe,),
        retry=config.retries,
    )
    settings = runner_settings(config)
    return Supervisor(
        store, job, settings, run_id=run.id, clock=SystemClock(), processes=SystemProcesses()
    )


def runner_settings(config: RunConfig) -> RunnerSettings:
    """How many workers there are and how they behave."""
    settings = RunnerSettings(
        worker_count=config.worker_count,
        worker_concurrency=config.worker_concurrency,
        poll_interval_ms=config.poll_interval_ms,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
        keep_reasoning=config.keep_reasoning,
        fail_fast=config.fail_fast,
        calls_at_once=calls_at_once(config),
    )
    limit_s = config.rollout_time_limit_s
    return settings if limit_s is None else replace(settings, time_limit_s=limit_s)


def detect_unsafe(output: Output, resources: Resources) -> Sequence[str]:
    """Safety reason codes of an output, the system prompt at hand."""
    reasoning = output.metadata.get("reasoning")
    text = f"{reasoning}\n{output.text}" if isinstance(reasoning, str) else output.text
    return unsafe_codes(text, resources.text("system_prompt"))
