"""What a configuration comes to once it has been read and found right."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tau.config.environment import child_environ
from tau.domain.claim import BETTER, ClaimTerms
from tau.domain.dataset import Example, Split
from tau.domain.json import Json
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.spend import Budget
from tau.domain.text_source import TextSource
from tau.errors import ConfigIssue
from tau.ports.model import ModelContext
from tau.runner.retry import RetryPolicy
from tau.scoring.safety import SafetyPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginChoice:
    """A plug-in by its entry-point name, with its own `Settings` object.

    `options` is the JSON the settings were made from, without `type`.
    """

    type: str
    settings: Any
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderChoice:
    """A grader; `name` is its reward's name, unique among the run's graders.

    `children` are what a combinator combines, in the order of its settings. `position` is where
    the configuration lists it, for messages. An `implied` one stands in for none being named.
    `judge` is what it asks, where it asks a model.
    """

    name: str
    type: str
    settings: Any
    options: Mapping[str, Json] = field(default_factory=dict)
    children: tuple["GraderChoice", ...] = ()
    position: int | None = None
    implied: bool = False
    judge: "JudgeChoice | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The model: `ref` is `provider/name` as written; the provider is the plug-in's name.

    `by_flag` means that the command line names it, not the configuration.
    """

    ref: str
    provider: str
    name: str
    settings: Any
    options: Mapping[str, Json] = field(default_factory=dict)
    base_url: str | None = None
    timeout_s: float = 120.0
    record: str | None = None
    by_flag: bool = False

    def context(self, environ: Mapping[str, str], *, max_connections: int) -> ModelContext:
        """What the plug-in is checked with and built from."""
        return ModelContext(
            provider=self.provider,
            name=self.name,
            environ=environ,
            base_url=self.base_url,
            timeout_s=self.timeout_s,
            max_connections=max_connections,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """The model that a grader asks: `model` None is the model of the rollouts."""

    model: ModelChoice | None = None
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """What proposals are asked of: `model` None is the model of the rollouts."""

    model: ModelChoice | None = None
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything a run needs to know, validated; making it touched nothing but the files read.

    `base_dir` is what relative paths in the file are relative to. `examples` has all three splits.
    `model` is None where neither the file nor the caller names one. `completion_timeout_s` None
    means the default of 30 s *without progress*; a number is literal, for the whole run.
    `groups` names the columns of each split that say which rows belong together, where any do.
    `purpose` says what the application is for. `sources` tell of resources that were read from
    files or documents what may be changed. `command` is not empty where a command runs
    something of its own (`probe`).
    `store` is the one that the file names, a path or URL. `environ` is what plug-ins of models read
    their keys from, `surroundings` what `inherited` picks from for child processes. `semantic` is
    what decides whether two configurations mean the same run, `config_hash` its hash: neither
    depends on workers, intervals, limits, budgets or paths.
    """

    path: Path
    base_dir: Path
    examples: Mapping[Split, tuple[Example, ...]]
    resources: Resources
    model: ModelChoice | None
    params: Mapping[str, Json]
    executor: PluginChoice
    graders: tuple[GraderChoice, ...]
    safety: SafetyPolicy
    algorithm: PluginChoice
    reflection: Reflection = field(default_factory=Reflection)
    worker_count: int = 2
    worker_concurrency: int = 1
    poll_interval_ms: int = 50
    heartbeat_interval_ms: int = 1000
    completion_poll_interval_ms: int = 60
    completion_timeout_s: int | None = None
    rollout_time_limit_s: float | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    replicates: int = 1
    fail_fast: bool = False
    claim: ClaimTerms = BETTER
    groups: Mapping[Split, tuple[str, ...]] = field(default_factory=dict)
    keep_reasoning: bool = False
    reuse: bool = True
    template: Template = Template.PYTHON
    purpose: str = ""
    sources: Mapping[str, TextSource] = field(default_factory=dict)
    command: str = ""
    store: str | None = None
    semantic: Mapping[str, Json] = field(default_factory=dict)
    config_hash: str = ""
    warnings: tuple[ConfigIssue, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    surroundings: Mapping[str, str] = field(default_factory=dict, repr=False)

    def inherited(self, settings: object) -> Mapping[str, str]:
        """The environment of child processes of a plug-in with these settings."""
        return child_environ(self.surroundings, getattr(settings, "env", ()))

    def judge_of(self, grader: GraderChoice) -> ModelChoice | None:
        """The model that `grader` asks; None where it asks none."""
        return None if grader.judge is None else grader.judge.model or self.model

    @property
    def judges(self) -> tuple[tuple[GraderChoice, ModelChoice], ...]:
        """Every grader that asks a model, however deep it stands, with the model."""
        found = []
        rest = list(self.graders)
        while rest:
            grader = rest.pop(0)
            rest += grader.children
            model = self.judge_of(grader)
            if model is not None:
                found.append((grader, model))
        return tuple(found)

    @property
    def model_ref(self) -> str | None:
        """`provider/model` as written, if there is a model."""
        return self.model.ref if self.model else None

    @property
    def max_attempts(self) -> int:
        """The most counted attempts any rollout may have."""
        classes = self.retries.classes.values()
        return max(self.retries.default.max_attempts, *(each.max_attempts for each in classes), 1)

    @property
    def concurrency(self) -> int:
        """The most rollouts in flight in one process."""
        return self.worker_count * self.worker_concurrency
