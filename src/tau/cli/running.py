"""Running a configuration, for both programs."""

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from tau.cli import results
from tau.cli.beside import dashboard_beside
from tau.cli.displays import Display, EventsDisplay, PlainDisplay
from tau.cli.edge import drive
from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.streams import interactive, reserved_stdout
from tau.cli.surface import Exit, Surface, warn
from tau.config.environment import snapshot
from tau.config.loading import load
from tau.config.paths import DEFAULT_STORE
from tau.config.run_settings import RunConfig
from tau.domain.decision import Decision
from tau.domain.json import Json
from tau.domain.run import CAME_TO_NOTHING, RunStatus, StopReason
from tau.domain.spend import NANO, Budget
from tau.errors import StoreError, UsageError
from tau.models.providers import EXAMPLE_MODEL
from tau.stores.location import shown
from tau.trainer.report import RunReport
from tau.wiring.delivery import mark_delivered
from tau.wiring.session import SessionRequest

_STOPPED = frozenset({StopReason.BUDGET, StopReason.TIME_LIMIT, StopReason.OPERATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments:
    """What the command line says of a run; None where it says nothing.

    `store` None is what the configuration names, else the usual one; `placed` says which.
    `algorithm` is for a configuration that names none, `instead` comes before one it names.
    `budget` holds limits by their names in the configuration, each in place of the one there.
    """

    config: str
    store: str | None
    model: str | None = None
    state_dir: str | None = None
    run_id: str | None = None
    new: bool = False
    json: bool = False
    events: bool = False
    strict: bool = False
    fail_under: float | None = None
    workers: int | None = None
    concurrency: int | None = None
    algorithm: str | None = None
    instead: str | None = None
    budget: Mapping[str, float] = field(default_factory=dict)
    require_improvement: bool = False
    serve: str | None = None
    principal: str | None = None
    rbac_policy: str | None = None
    verbose: bool = False

    @property
    def location(self) -> str:
        """The store that is meant."""
        return DEFAULT_STORE if self.store is None else self.store

    def origin(self) -> dict[str, Json]:
        """What starts such a run again, from wherever one is."""
        kept = (
            "config", "store", "model", "state_dir", "strict", "workers", "concurrency",
            "algorithm", "instead",
        )  # fmt: skip
        values = {name: getattr(self, name) for name in kept}
        values["store"] = shown(self.location)  # a password is for the environment
        return {"folder": str(Path.cwd()), **values, "budget": dict(self.budget)}

    def command(self, surface: Surface) -> str:
        """The shell command that goes on with such a run."""
        given: tuple[tuple[str, str | None], ...]
        if surface.flat:
            words = [surface.program, "--prompt-optimization-config", self.config]
            words += ["--prompt-optimization-store-sqlite", shown(self.location)]
            given = (("--model", self.model),
                     ("--prompt-optimization-control-state-dir", self.state_dir))  # fmt: skip
        else:
            verb = "run" if self.algorithm is None else "optimize"
            words = [surface.program, verb, self.config]
            if self.location != DEFAULT_STORE:
                words += ["--store", shown(self.location)]
            limits = tuple(
                (f"--budget-{name}", f"{value:g}") for name, value in self.budget.items()
            )
            given = (
                ("--model", self.model), ("--state-dir", self.state_dir),
                ("--algorithm", self.instead), *limits,
                ("--principal", self.principal), ("--rbac-policy", self.rbac_policy),
            )  # fmt: skip
        words += [word for name, value in given if value for word in (name, value)]
        return shlex.join(words)


def run(arguments: RunArguments, surface: Surface) -> int:
    """Run to the end, print the result and return the exit code.

    Raises:
        TauError: whatever prevented it; nothing was run where it is an InputError.
    """
    if arguments.new and arguments.run_id is not None:
        raise UsageError("--new cannot be used with --run", fix="choose one of them")
    settings = loaded(arguments)
    arguments = placed(arguments, settings)
    store = arguments.location
    warn(settings.warnings)
    request = SessionRequest(
        config=settings,
        store=store,
        state_dir=Path(arguments.state_dir) if arguments.state_dir else None,
        run_id=arguments.run_id,
        new=arguments.new,
        origin=arguments.origin(),
        principal=principal(arguments.principal),
        policy=policy_file(arguments.rbac_policy),
    )
    resume = arguments.command(surface)
    with ExitStack() as stack:
        stay = None
        if arguments.serve is not None:
            place = (store, arguments.state_dir)
            stay = stack.enter_context(dashboard_beside(arguments.serve, *place))
        output = stack.enter_context(reserved_stdout())
        with _display(arguments, output) as display:
            report, signal_number = drive(request, display, resume=resume)
        if report is not None:
            resume = going_on(arguments, settings.budget, report, surface)
            _print(report, arguments, surface, output, resume)
            output.flush()
            _note_delivered(store, report)
            if stay is not None and signal_number is None:
                stay()
    if signal_number is not None:
        return 128 + signal_number
    return Exit.FAILED if report is None else _code(report, arguments, surface)


def going_on(arguments: RunArguments, budget: Budget, report: RunReport, surface: Surface) -> str:
    """The command that goes on with a run; where a limit ended it, with a larger one.

    Under the limit that ended it, a run would stop again at once.
    """
    limits = _larger(budget, report)
    if limits and not surface.flat and arguments.algorithm is not None:
        raised = replace(arguments, budget={**arguments.budget, **limits})
        return raised.command(surface)
    command = arguments.command(surface)
    if not limits:
        return command
    words = ", ".join(f"budget.{name} {value:g}" for name, value in limits.items())
    return f"{command}  # once {arguments.config} has a larger limit: {words}"


def _larger(budget: Budget, report: RunReport) -> dict[str, float]:
    """Each limit that ended a run, larger: the more so the less of it could be used."""
    if report.stop_reason not in (StopReason.BUDGET, StopReason.TIME_LIMIT):
        return {}
    spent = report.spent
    limits: tuple[tuple[str, float | None, float], ...] = (
        ("rollouts", budget.rollouts, spent.rollouts),
        ("calls", budget.calls, spent.calls),
        ("tokens", budget.tokens, spent.tokens),
        ("usd", budget.cost_nano_usd and budget.cost_nano_usd / NANO, spent.cost_usd),
        ("seconds", budget.seconds, report.active_s),
    )
    return {
        name: limit * (2 if used >= limit / 2 else 4 if used else 20)
        for name, limit, used in limits
        if limit and _ended_by(name, report.stop_detail or "")
    }


def _ended_by(name: str, detail: str) -> bool:
    """Whether a reason names this limit as one that is used up or too small."""
    said = r"usd\b|\$" if name == "usd" else rf"{name}\b"
    return re.search(rf"budget of [^:;]*(?:{said})", detail.partition("are left")[0]) is not None


def placed(arguments: RunArguments, settings: RunConfig) -> RunArguments:
    """`arguments` with the store that the configuration names, where they name none."""
    if arguments.store is not None or settings.store is None:
        return arguments
    store = settings.store
    return replace(arguments, store=store if "://" in store else str(settings.base_dir / store))


def loaded(arguments: RunArguments) -> RunConfig:
    """The configuration with what the command line overrides; it must name a model."""
    settings = load(
        arguments.config,
        environ=snapshot(),
        model=arguments.model,
        strict=arguments.strict,
        default_algorithm=arguments.algorithm or "evaluate",
        algorithm=arguments.instead,
    )
    if settings.model is None:
        raise UsageError(
            "no model is named",
            why=f"neither --model nor the field 'model' of '{arguments.config}' gives one",
            fix=f"add --model provider/model, for example --model {EXAMPLE_MODEL}",
        )
    return replace(
        settings,
        worker_count=arguments.workers or settings.worker_count,
        worker_concurrency=arguments.concurrency or settings.worker_concurrency,
        budget=_limited(settings.budget, arguments.budget),
    )


def _limited(budget: Budget, limits: Mapping[str, float]) -> Budget:
    """`budget` with the limits that the command line gives."""
    changes: dict[str, Any] = {
        name: value if name == "seconds" else int(value)
        for name, value in limits.items()
        if name != "usd"
    }
    if "usd" in limits:
        changes["cost_nano_usd"] = round(limits["usd"] * NANO)
    return replace(budget, **changes)


def _display(arguments: RunArguments, output: TextIO) -> Display:
    if arguments.events:
        return EventsDisplay(output)
    if interactive(sys.stderr, snapshot()):
        from tau.cli.live import LiveDisplay

        return LiveDisplay(sys.stderr)
    return PlainDisplay(sys.stderr)


def _print(
    report: RunReport, arguments: RunArguments, surface: Surface, output: TextIO, resume: str
) -> None:
    """The result on standard output, and on the flag surface why it is not complete."""
    if arguments.events:
        EventsDisplay(output).emit("finished", results.document(report))
    elif arguments.json:
        output.write(json.dumps(results.document(report), indent=2) + "\n")
    elif not surface.flat:
        _tell(report, output, resume, verbose=arguments.verbose)
    elif _delivered(report):
        output.write(results.contract_line(report) + "\n")
    if surface.flat and report.stop_reason in CAME_TO_NOTHING:
        sys.stderr.write(f"warning: {report.stop_detail}\n")
    elif surface.flat and report.status is not RunStatus.COMPLETED:
        sys.stderr.write("".join(f"{text}\n" for text in _unfinished(report, resume)))


def _tell(report: RunReport, output: TextIO, resume: str, *, verbose: bool) -> None:
    """The report for people, in colours where somebody is watching."""
    from tau.cli.report import print_report, report_lines

    if interactive(output, snapshot()):
        print_report(report, output, resume=resume, verbose=verbose)
    else:
        lines = report_lines(report, resume=resume, verbose=verbose)
        output.write("\n".join(lines) + "\n")


def _note_delivered(store: str, report: RunReport) -> None:
    """From now on the run is over: the next start of the same configuration is a new one."""
    try:
        asyncio.run(mark_delivered(store, report))
    except StoreError as error:
        sys.stderr.write(
            f"warning: the store does not know that the report was delivered: {error}\n"
            "  the next start delivers it again and runs nothing\n"
        )


def _unfinished(report: RunReport, resume: str) -> Iterator[str]:
    """Why there is no complete result; whoever sent a signal has been told how to go on."""
    if report.stop_reason is StopReason.SIGNAL:
        yield results.essence(report)
        return
    yield "Error: prompt-optimization run failed"
    yield f"  {results.essence(report)}"
    yield from (f"  {detail}" for detail in results.details(report))
    if report.resumable:
        yield f"  to go on: {resume}"


def _delivered(report: RunReport) -> bool:
    """Whether the flag surface has its result: failed rollouts are one, even if all failed."""
    return report.status is RunStatus.COMPLETED or report.stop_reason in CAME_TO_NOTHING


def _code(report: RunReport, arguments: RunArguments, surface: Surface) -> int:
    if report.stop_reason in _STOPPED and not _bought_nothing(report):
        return Exit.FAILED if surface.flat else Exit.STOPPED
    if surface.flat and _delivered(report):
        return Exit.OK
    if report.status is not RunStatus.COMPLETED:
        return Exit.FAILED
    if arguments.fail_under is not None and not _meets(report, arguments.fail_under):
        return Exit.GATE
    if arguments.require_improvement and report.decision != Decision.PROMOTE:
        sys.stderr.write(f"gate not met: the decision is {report.decision}, not promote\n")
        return Exit.GATE
    return Exit.OK


def _bought_nothing(report: RunReport) -> bool:
    """Whether a limit ended a run of which nothing could be scored: more would buy the same."""
    limited = report.stop_reason is StopReason.BUDGET and report.counts.settled > 0
    return limited and not any(split.scored for split in report.splits)


def _meets(report: RunReport, floor: float) -> bool:
    """Whether every split has a mean score of at least `floor`; says which has not."""
    below = [s for s in report.splits if s.rows and (s.mean is None or s.mean < floor)]
    for split in below:
        score = "no score" if split.mean is None else f"{split.mean:.4f}"
        sys.stderr.write(f"gate not met: {split.split} has {score}, below {floor:g}\n")
    return not below
