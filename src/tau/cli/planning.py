"""What a run would cost and could show, before anything is spent."""

import asyncio
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tau.cli import figures
from tau.cli.optimization import plan_fields
from tau.cli.records.reading import print_json, print_lines
from tau.cli.running import RunArguments, loaded, placed
from tau.cli.surface import Exit, warn
from tau.cli.text import columns, facts, line, wrapped
from tau.config.paths import DEFAULT_STORE
from tau.config.run_settings import RunConfig
from tau.domain.spend import Budget
from tau.errors import InputError
from tau.reports.outcome import expectation
from tau.stores.location import shown
from tau.wiring.planning import Forecast, forecast, insufficient
from tau.wiring.stores import scheme_of


def plan(arguments: RunArguments, *, as_json: bool) -> int:
    """Print the forecast of a configuration.

    Raises:
        InputError: it cannot be carried out, or its algorithm cannot plan.
    """
    settings = loaded(arguments)
    arguments = placed(arguments, settings)
    if not as_json:
        warn(settings.warnings)
    with asyncio.Runner() as runner:
        found = runner.run(forecast(settings, store=_existing(arguments.location)))
    if found is None:
        raise InputError(
            f"the algorithm '{settings.algorithm.type}' cannot say what it would do",
            why="it has no 'plan'",
            fix="its budget is a hard limit all the same: set one and run it",
        )
    if as_json:
        print_json(_fields(settings, found))
    else:
        print_lines(list(_lines(settings, found)))
        _next(arguments)
    return Exit.OK


def _existing(store: str) -> str | None:
    """The store, where there is one yet: planning makes none."""
    return store if scheme_of(store) != "sqlite" or Path(store).exists() else None


def _fields(settings: RunConfig, found: Forecast) -> dict[str, Any]:
    return {
        "model_ref": settings.model_ref,
        "algorithm": settings.algorithm.type,
        **plan_fields(found.plan),
        "tokens_at_most": found.most.tokens,
        "cost_usd_at_most": found.most.cost_usd if found.price_known else None,
        "budget": {
            "rollouts": found.budget.rollouts,
            "calls": found.budget.calls,
            "tokens": found.budget.tokens,
            "usd": _usd(found.budget),
            "seconds": found.budget.seconds,
        },
        "warnings": [*found.warnings],
    }


def _lines(settings: RunConfig, found: Forecast) -> Iterator[str]:
    plan = found.plan
    name = line(str(settings.path))
    yield from wrapped(
        f"{name}: {settings.algorithm.type} on {line(settings.model_ref or '')}", columns()
    )
    yield ""
    short = [*insufficient(settings, plan)]
    if short:  # it comes before what it costs
        yield from facts([("warning:", warning) for warning in short])
        yield ""
    said = [
        ("examples", ", ".join(
            f"{split} {len(rows):,}" for split, rows in settings.examples.items() if rows
        )),
        ("evaluations", f"at most {plan.evaluations:,}"),
        ("proposals", f"at most {plan.proposals:,}"),
        ("rollouts", f"at most {plan.rollouts:,}{_limit(found.budget.rollouts)}"),
        ("calls", f"at most {plan.calls:,}{_limit(found.budget.calls)}"),
        ("tokens", f"at most about {found.most.tokens:,}{_limit(found.budget.tokens)}"),
        ("cost", _cost(found)),
    ]  # fmt: skip
    if plan.proposals or plan.certification:
        said += [
            ("at least", _least(found)),
            ("claim", settings.claim.words()),
            ("decision", _certification(found)),
        ]
    yield from facts(said, indent="  ")
    if plan.proposals and settings.claim.usual:
        yield ""
        yield from wrapped(line(expectation(plan.certification, plan.detectable)), columns())
    others = [warning for warning in found.warnings if warning not in short]
    yield from facts([("warning:", warning) for warning in others])


def _least(found: Forecast) -> str:
    """What one candidate takes: with less, the run would be stopped before it compared any."""
    plan, most = found.plan, found.most
    share = plan.least_rollouts / max(1, plan.rollouts)
    parts = [figures.count(plan.least_rollouts, "rollout")]
    parts.append(f"at most about {round(most.tokens * share):,} tokens")
    if found.price_known and most.cost_nano_usd:
        parts.append(figures.money(most.cost_usd * share))
    return f"{', '.join(parts)}, to try one candidate and compare it"


def _limit(limit: int | None) -> str:
    return "" if limit is None else f", the limit is {limit:,}"


def _cost(found: Forecast) -> str:
    limit = _usd(found.budget)
    end = "" if limit is None else f", the limit is {figures.money(limit)}"
    if not found.price_known:
        return f"unknown: no price of this model is known{end}"
    if not found.most.cost_nano_usd:
        return f"nothing: calls are free{end}"
    return f"at most about {figures.money(found.most.cost_usd)}{end}"


def _usd(budget: Budget) -> float | None:
    return None if budget.cost_nano_usd is None else budget.cost_nano_usd / 1e9


def _certification(found: Forecast) -> str:
    rows = found.plan.certification
    if not rows:
        return "none: nothing can be promoted"
    fresh = figures.count(rows, "fresh example")
    times, most = "once", found.plan.certification_replicates
    if most > 1:
        times = f"up to {most} times, as the budget allows,"
    text = f"{fresh}, unused in the search, seen {times} by both prompts"
    if found.plan.groups == rows:
        return text
    return (
        f"{text}; in {figures.count(found.plan.groups, 'group')}, like about "
        f"{found.plan.independent:,} rows that have nothing in common"
    )


def _next(arguments: RunArguments) -> None:
    words = ["tau", "optimize", arguments.config]
    words += ["--model", arguments.model] if arguments.model else []
    words += ["--store", shown(arguments.location)] if arguments.location != DEFAULT_STORE else []
    for name, value in arguments.budget.items():
        words += [f"--budget-{name}", f"{value:g}"]
    sys.stderr.write(f"next:\n  {shlex.join(words)}\n")
