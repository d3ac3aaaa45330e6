"""From a configuration file to a validated value: everything is checked, all mistakes at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from tau.config import choices, claims, grouping, identity, judging
from tau.config import parsing as documents
from tau.config.checks import check
from tau.config.credentials import check_store, without_credentials
from tau.config.datasets import rows
from tau.config.fields import BudgetFields, RetriesFields, RetryFields, Scalars, given
from tau.config.report import IssueReport, ParsedText, ParseError, dotted
from tau.config.run_settings import RunConfig
from tau.config.text_sources import sourced
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.dataset import Example, Split, examples
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.spend import NANO, Budget
from tau.errors import ConfigError, ConfigIssue
from tau.runner.retry import Backoff, RetryPolicy
from tau.scoring.safety import SafetyPolicy

SECTIONS = (
    "$schema", "optimize", "validate", "test", "train", "val", "resources", "model", "params",
    "executor", "graders", "judge", "algorithm", "budget", "retries", "safety_reward",
    *claims.SECTIONS,
)  # fmt: skip
SCALARS = tuple(Scalars.__dataclass_fields__)
_ALIASES = {"train": "optimize", "val": "validate"}


def load(
    path: Path | str,
    *,
    environ: Mapping[str, str],
    model: str | None = None,
    strict: bool = False,
    default_algorithm: str = "evaluate",
    algorithm: str | None = None,
) -> RunConfig:
    """Read and validate the configuration at `path`; touches nothing but the files it names.

    `model` (`provider/model`) comes before the one in the file. `environ` is the environment, as
    `tau.config.environment.snapshot` gives it. `default_algorithm` is for files that name none;
    `algorithm` comes before one in the file, whose settings count where it is the same.

    Raises:
        ConfigError: with every problem found, warnings included.
    """
    path = Path(path)
    document = _document(path)
    value = documents.without(document.value, document.issues)
    if algorithm is not None:
        value = _with_algorithm(value, algorithm)
    report = IssueReport(str(path), strict=strict or value.get("strict") is True)
    report.issues(document.issues)
    config = _Reader(path, value, report, environ, default_algorithm).read(model)
    problems = report.problems(document.locate)
    if report.failed or config is None:
        raise _invalid(path, problems)
    return replace(config, warnings=problems)


def compose(
    value: Mapping[str, Any],
    *,
    base_dir: Path,
    environ: Mapping[str, str],
    default_algorithm: str = "evaluate",
) -> RunConfig:
    """Validate a configuration that a program has made, as if it stood in a file in `base_dir`.

    Raises:
        ConfigError: with every problem found.
    """
    path = base_dir / "configuration"
    report = IssueReport("configuration", strict=True)
    config = _Reader(path, value, report, environ, default_algorithm).read(None)
    problems = report.problems(lambda _: {})
    if report.failed or config is None:
        raise _invalid(Path("configuration"), problems)
    return replace(config, warnings=problems)


def _with_algorithm(value: Mapping[str, Json], name: str) -> dict[str, Json]:
    """`value` with another algorithm, whose settings in the file are kept where it is the same."""
    given = value.get("algorithm")
    known = given.get("type") if isinstance(given, Mapping) else given
    return dict(value) if known == name else {**value, "algorithm": {"type": name}}


class _Reader:
    """Reads the sections of one configuration into a value, reporting what is wrong."""

    def __init__(
        self,
        path: Path,
        value: Mapping[str, Any],
        report: IssueReport,
        environ: Mapping[str, str],
        default_algorithm: str,
    ) -> None:
        self._path = path
        self._base_dir = path.parent
        value = without_credentials(value, report)
        check_store(value.get("store"), report)
        self._value = {key: each for key, each in value.items() if each is not None}
        self._report = report
        self._environ = environ
        self._default_algorithm = default_algorithm
        for name in value:
            if name not in SECTIONS and name not in SCALARS:
                report.unknown((), name, (*SECTIONS, *SCALARS))

    def read(self, model_flag: str | None) -> RunConfig | None:
        """The configuration; None where something it cannot be without is missing or wrong."""
        value, report = self._value, self._report
        scalars = {name: value[name] for name in SCALARS if name in value}
        fixed = validated(Scalars, scalars, steps=(), report=report)
        splits = self._examples()
        chosen = choices.model(value.get("model"), model_flag, report)
        executor_choice = choices.executor(value.get("executor"), report)
        graders = choices.graders(value.get("graders"), report)
        algorithm_choice = choices.algorithm(
            value.get("algorithm"), value.get("replicates"), report, default=self._default_algorithm
        )
        reflection = choices.reflection(value.get("algorithm"), report)
        safety = self._safety()
        budget = self._budget()
        retries = self._retries(fixed.seed if fixed else 0)
        if fixed is None or executor_choice is None or algorithm_choice is None or safety is None:
            return None
        config = RunConfig(
            path=self._path,
            base_dir=self._base_dir,
            examples=splits,
            resources=Resources(values=self._object("resources")),
            model=chosen,
            params=self._object("params"),
            executor=executor_choice,
            graders=judging.judged(graders, value.get("judge"), chosen, report),
            safety=safety,
            algorithm=algorithm_choice,
            reflection=reflection,
            worker_count=fixed.worker_count,
            worker_concurrency=fixed.worker_concurrency,
            poll_interval_ms=fixed.poll_interval_ms,
            heartbeat_interval_ms=fixed.heartbeat_interval_ms,
            completion_poll_interval_ms=fixed.completion_poll_interval_ms,
            completion_timeout_s=fixed.completion_timeout_secs,
            rollout_time_limit_s=fixed.rollout_time_limit_secs,
            retries=retries,
            budget=budget,
            seed=fixed.seed,
            replicates=fixed.replicates,
            fail_fast=fixed.fail_fast,
            purpose=fixed.purpose.strip(),
            keep_reasoning=fixed.keep_reasoning,
            reuse=fixed.reuse,
            template=fixed.template,
            store=fixed.store,
            environ=self._environ,
            surroundings=self._environ,
        )
        return self._checked(config)

    def _checked(self, config: RunConfig) -> RunConfig:
        """`config` with its claim and its identity, after every plug-in has had a look."""
        written = {split: self._written(split.value) for split in Split}
        config = self._claiming(self._sourced(config), written)
        check(config, self._report, written)
        return identity.identified(config)

    def _sourced(self, config: RunConfig) -> RunConfig:
        """`config` with the texts that its resources name."""
        named = sourced(
            config.resources.values,
            base_dir=self._base_dir,
            environ=self._environ,
            report=self._report,
        )
        return replace(config, resources=Resources(values=named.values), sources=named.sources)

    def _claiming(self, config: RunConfig, written: Mapping[Split, str]) -> RunConfig:
        """`config` with what it claims, and its rows with what they belong to."""
        columns = grouping.columns_of(self._value, written)
        splits = grouping.grouped(config, columns, written=written, report=self._report)
        claim = claims.terms(self._value, config.graders, self._report)
        if claim is None:
            return replace(config, examples=splits, groups=columns)
        return replace(config, examples=splits, groups=columns, claim=claim)

    def _written(self, split: str) -> str:
        """The name that the file uses for the split."""
        names = (split, *(old for old, new in _ALIASES.items() if new == split))
        return next((name for name in names if name in self._value), split)

    def _examples(self) -> dict[Split, tuple[Example, ...]]:
        """The rows of every split, by the current names and the legacy ones."""
        for alias, name in _ALIASES.items():
            if alias in self._value and name in self._value:
                self._report.error(
                    (alias,),
                    f"training config fields '{name}' and '{alias}' are the same and both given",
                    fix=f"keep '{name}'",
                )
        made: dict[Split, tuple[Example, ...]] = {}
        for split in Split:
            name = self._written(split.value)
            value = self._value.get(name, [])
            found = rows(value, base_dir=self._base_dir, steps=(name,), report=self._report)
            made[split] = examples(split, found)
        given_any = any(self._value.get(name) for name in ("optimize", "validate", "train", "val"))
        if not given_any:
            self._report.error(
                (),
                f"prompt-optimization config '{self._path}' must contain at least one rollout in "
                "'optimize' or 'validate'",
                fix='add for example "optimize": [{"prompt": "What is 2 + 2?", "expected": "4"}]',
            )
        return made

    def _object(self, name: str) -> Mapping[str, Json]:
        value = self._value.get(name, {})
        if isinstance(value, Mapping):
            return value
        self._report.error(
            (name,), f"training config field '{name}' must be an object, not {describe(value)}"
        )
        return {}

    def _safety(self) -> SafetyPolicy | None:
        value = given(self._object("safety_reward"))
        made = validated(SafetyPolicy, value, steps=("safety_reward",), report=self._report)
        return cast(SafetyPolicy | None, made)

    def _budget(self) -> Budget:
        limits = validated(
            BudgetFields, given(self._object("budget")), steps=("budget",), report=self._report
        )
        if limits is None:
            return Budget()
        return Budget(
            rollouts=limits.rollouts,
            calls=limits.calls,
            tokens=limits.tokens,
            cost_nano_usd=None if limits.usd is None else round(limits.usd * NANO),
            seconds=limits.seconds,
        )

    def _retries(self, seed: int) -> RetryPolicy:
        value = given(self._object("retries"))
        found = validated(RetriesFields, value, steps=("retries",), report=self._report)
        if found is None:
            return RetryPolicy()
        policy = RetryPolicy(
            default=_backoff(found, found),
            classes={kind: _backoff(each, found) for kind, each in found.classes.items()},
            seed=seed,
        )
        for kind, each in (("", policy.default), *policy.classes.items()):
            if each.base_s > each.max_s:
                steps = ("retries", "classes", kind) if kind else ("retries",)
                self._report.error(
                    steps,
                    f"training config field '{dotted((*steps, 'backoff_ms'))}' must be at most "
                    "'max_backoff_ms'",
                )
        return policy


def _backoff(own: RetryFields | RetriesFields, common: RetriesFields) -> Backoff:
    """One class's backoff, with what it leaves open as for all classes."""
    attempts = own.max_attempts if own.max_attempts is not None else common.max_attempts
    base_ms = own.backoff_ms if own.backoff_ms is not None else common.backoff_ms
    most_ms = own.max_backoff_ms if own.max_backoff_ms is not None else common.max_backoff_ms
    return Backoff(max_attempts=attempts, base_s=base_ms / 1000, max_s=most_ms / 1000)


def _document(path: Path) -> ParsedText:
    """The parsed file, whose root is an object.

    Raises:
        ConfigError: with the essences the contract names.
    """
    try:
        text = documents.read(path)
    except ParseError as error:
        raise ConfigError(
            f"failed to read prompt-optimization config '{path}': {error.message}",
            problems=[error.problem(str(path))],
            fix=error.fix,
        ) from None
    try:
        document = documents.parse(text, path)
    except ParseError as error:
        raise ConfigError(
            f"failed to parse prompt-optimization config '{path}': {error.message}",
            problems=[error.problem(str(path))],
            fix=error.fix,
        ) from None
    if not isinstance(document.value, dict):
        message = f"expected JSON object, not {describe(document.value)}"
        raise ConfigError(
            f"failed to parse prompt-optimization config '{path}': {message}",
            problems=[ConfigIssue(message=message, file=str(path), line=1)],
        )
    return document


def _invalid(path: Path, problems: tuple[ConfigIssue, ...]) -> ConfigError:
    errors = [problem for problem in problems if not problem.warning]
    if len(errors) == 1:
        return ConfigError(errors[0].message, problems=problems, fix=errors[0].fix)
    return ConfigError(
        f"prompt-optimization config '{path}' has {len(errors)} problems", problems=problems
    )
