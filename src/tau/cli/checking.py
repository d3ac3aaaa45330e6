"""Looking at a configuration without running it."""

import json
import sys
from typing import Any

from tau.cli.surface import Exit, warn
from tau.cli.text import facts, line
from tau.config.environment import snapshot
from tau.config.grouping import notes
from tau.config.judging import self_preferences
from tau.config.loading import load
from tau.config.run_settings import GraderChoice, RunConfig
from tau.domain.dataset import Split
from tau.errors import ConfigError, ConfigIssue
from tau.models.retirements import retirement_of


def check(path: str, *, model: str | None, strict: bool, as_json: bool) -> int:
    """Print what the configuration comes to, or every mistake in it.

    Raises:
        ConfigError: it cannot be used; with `as_json` the document says so instead.
    """
    try:
        settings = load(path, environ=snapshot(), model=model, strict=strict)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [_problem_fields(problem) for problem in error.problems]
        _print_json({"valid": False, "error": error.what, "problems": problems})
        return Exit.USAGE
    if as_json:
        _print_json({"valid": True, **_fields(settings)})
        return Exit.OK
    warn(settings.warnings)
    sys.stdout.write("\n".join(_lines(settings)) + "\n")
    found = [*notes(settings), *retiring(settings)]
    sys.stderr.writelines(f"note: {line(note)}\n" for note in found)
    return Exit.OK


def _fields(settings: RunConfig) -> dict[str, Any]:
    return {
        "config_hash": settings.config_hash,
        "model_ref": settings.model_ref,
        "examples": {str(split): len(rows) for split, rows in settings.examples.items()},
        "resources": list(settings.resources.values),
        "resources_hash": settings.resources.hash,
        "algorithm": settings.algorithm.type,
        "executor": settings.executor.type,
        "graders": [_grader_fields(grader) for grader in settings.graders],
        "concurrency": settings.concurrency,
        "seed": settings.seed,
        "problems": [_problem_fields(problem) for problem in settings.warnings],
        "claim": dict(settings.claim.to_json()),
        "groups": {
            str(split): {"columns": list(columns), "groups": _units(settings, split)}
            for split, columns in settings.groups.items()
        },
        "notes": [*notes(settings), *retiring(settings), *self_preferences(settings)],
    }


def retiring(settings: RunConfig) -> list[str]:
    """The models of a configuration that their provider takes away."""
    judges = [model for _, model in settings.judges]
    named = {
        one.ref: one
        for one in (settings.model, settings.reflection.model, *judges)
        if one is not None
    }
    return [
        f"{model.ref} is to be retired on {found.on} ({found.source}): measure the prompt with "
        "another model while this one still answers"
        for model in named.values()
        if (found := retirement_of(model.name)) is not None
    ]


def _units(settings: RunConfig, split: Split) -> int:
    return len({row.unit for row in settings.examples[split]})


def _grader_fields(grader: GraderChoice) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": grader.name, "type": grader.type}
    if grader.judge is not None and grader.judge.model is not None:
        fields["judge"] = grader.judge.model.ref
    if grader.children:
        fields["graders"] = [_grader_fields(child) for child in grader.children]
    return fields


def _problem_fields(problem: ConfigIssue) -> dict[str, Any]:
    return {
        "file": problem.file,
        "pointer": problem.pointer,
        "line": problem.line,
        "message": problem.message,
        "fix": problem.fix,
        "warning": problem.warning,
    }


def _lines(settings: RunConfig) -> list[str]:
    rows = [_rows_text(settings, split) for split in Split if settings.examples[split]]
    graders = ", ".join(_grader_text(grader) for grader in settings.graders)
    said = [
        ("rows", ", ".join(rows)),
        ("model", settings.model_ref or "none: give --model provider/model"),
        ("resources", ", ".join(settings.resources.values) or "none"),
        ("algorithm", settings.algorithm.type),
        ("executor", settings.executor.type),
        ("graders", graders),
        ("claim", line(settings.claim.words())),
        ("in flight", f"at most {settings.concurrency:,}"),
    ]
    lines = facts(said, indent="  ")
    return [f"{line(str(settings.path))} can be run", *lines]


def _rows_text(settings: RunConfig, split: Split) -> str:
    """`test 80`, with its groups where it has any."""
    text = f"{split} {len(settings.examples[split]):,}"
    grouped = split in settings.groups
    return f"{text} ({_units(settings, split):,} groups)" if grouped else text


def _grader_text(grader: GraderChoice) -> str:
    inner = ", ".join(_grader_text(child) for child in grader.children)
    name = grader.type if grader.name == grader.type else f"{grader.name} ({grader.type})"
    if grader.judge is not None and grader.judge.model is not None:
        name = f"{name} by {grader.judge.model.ref}"
    return f"{name} of [{inner}]" if inner else name


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
