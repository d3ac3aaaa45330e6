"""The fields of a configuration: what is validated, published as a schema and documented."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from tau.domain.failure import FailureClass
from tau.domain.json import Json
from tau.domain.placeholders import Template

_DAY_MS = 86_400_000
_MOST = 2**63 - 1  # what a store can hold

Margin = Annotated[float, Field(gt=0, lt=1)]
Columns = (
    Annotated[str, Field(min_length=1)]
    | Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
)
Interval = Annotated[int, Field(gt=0, le=_DAY_MS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalars:
    """The fields of a configuration that are one value each."""

    worker_count: Annotated[
        int, Field(gt=0, le=10_000, description="How many workers claim rollouts.")
    ] = 2
    worker_concurrency: Annotated[
        int, Field(gt=0, le=100_000, description="Rollouts each worker has in flight.")
    ] = 1
    poll_interval_ms: Annotated[
        Interval,
        Field(description="How often a worker looks for work that nothing announced to it."),
    ] = 50
    heartbeat_interval_ms: Annotated[
        Interval,
        Field(description="How often workers show that they live; after three they are given up."),
    ] = 1000
    completion_poll_interval_ms: Annotated[
        Interval,
        Field(description="How often the trainer looks for results that nothing announced."),
    ] = 60
    completion_timeout_secs: Annotated[
        int | None,
        Field(
            gt=0,
            le=2**31,
            description="Limit of the whole run, literally. Unset: 30 seconds without progress.",
        ),
    ] = None
    rollout_time_limit_secs: Annotated[
        float | None,
        Field(
            gt=0, le=2**31, description="Limit of one attempt; its work is stopped. Unset: none."
        ),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=_MOST, description="What every random draw is derived from.")
    ] = 0
    replicates: Annotated[
        int, Field(gt=0, le=1000, description="Independent tries at each example.")
    ] = 1
    fail_fast: Annotated[
        bool,
        Field(
            description="Stop when several rollouts in a row fail for a cause that would fail all "
            "others too: the key, the credit, the model's name."
        ),
    ] = False
    group: Annotated[
        Columns | None,
        Field(
            description="Column, or columns, whose value says which rows belong together: a "
            "document, a conversation, a customer. No part of the rows divides a group, and the "
            "claim counts groups. Unset: only equal rows belong together.",
        ),
    ] = None
    purpose: Annotated[
        str,
        Field(
            max_length=4_000,
            description="What the application is for, in a sentence or two: the reflection model "
            "is told, whoever answers is not.",
        ),
    ] = ""
    keep_reasoning: Annotated[
        bool,
        Field(
            description="Graders, and functions that call the model, read reasoning that stands in "
            "an answer (`<think>...</think>` and its like) too. Else it is kept beside the answer "
            "only. Proposals are always read without it."
        ),
    ] = False
    reuse: Annotated[
        bool,
        Field(
            description="Whether evaluations that `tau probe` has paid for are taken over; those "
            "that certify are always made anew."
        ),
    ] = True
    template: Annotated[
        Template,
        Field(
            description="How prompts ask for a row's columns: `python` for `{column}`, `mustache` "
            "for `{{column}}`; see the guide on placeholders."
        ),
    ] = Template.PYTHON
    store: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The store, where neither an option nor the environment names one: a path "
            "relative to the configuration's folder, or a postgresql:// URL without a password.",
        ),
    ] = None
    strict: Annotated[bool, Field(description="Unknown fields are errors instead of warnings.")] = (
        False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFields:
    """Hard limits of the run; it stops before it would exceed one, and can be continued."""

    rollouts: Annotated[int | None, Field(gt=0, le=_MOST, description="Attempts at rollouts.")] = (
        None
    )
    calls: Annotated[int | None, Field(gt=0, le=_MOST, description="Model calls.")] = None
    tokens: Annotated[
        int | None, Field(gt=0, le=_MOST, description="Tokens in and out together.")
    ] = None
    usd: Annotated[
        float | None, Field(gt=0, le=9_000_000_000, description="Money, in US dollars.")
    ] = None
    seconds: Annotated[float | None, Field(gt=0, description="Time spent running.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryFields:
    """How one class of failures is retried; what is not given is as for all classes."""

    max_attempts: Annotated[
        int | None, Field(gt=0, le=1000, description="Attempts in all, the first included.")
    ] = None
    backoff_ms: Annotated[
        int | None, Field(ge=0, le=_DAY_MS, description="Wait before the second attempt.")
    ] = None
    max_backoff_ms: Annotated[
        int | None, Field(ge=0, le=_DAY_MS, description="The longest wait; it doubles up to it.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesFields:
    """Retries with exponential backoff and jitter; what a provider asks for is respected."""

    max_attempts: Annotated[
        int, Field(gt=0, le=1000, description="Attempts in all, the first included.")
    ] = 5
    backoff_ms: Annotated[
        int, Field(ge=0, le=_DAY_MS, description="Wait before the second attempt.")
    ] = 500
    max_backoff_ms: Annotated[
        int, Field(ge=0, le=_DAY_MS, description="The longest wait; it doubles up to it.")
    ] = 60_000
    classes: Annotated[
        Mapping[FailureClass, RetryFields],
        Field(
            description="Classes of failures that are retried differently. Not listed: transient "
            "ones (rate_limit, overloaded, server, timeout, connection, malformed, worker_lost) "
            "as above, all others not at all."
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFields:
    """What every model takes; each provider has settings of its own besides."""

    name: Annotated[str | None, Field(min_length=1, description="`provider/model`.")] = None
    base_url: Annotated[
        str | None,
        Field(pattern=r"^https?://[^\s]+$", description="Where to call it, instead of the usual."),
    ] = None
    timeout_s: Annotated[
        float, Field(gt=0, le=86_400, description="Limit of one call, connecting included.")
    ] = 120.0
    record: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Append every request and what came of it to this file, which the model "
            "`replay/FILE` answers from; relative to the configuration's folder.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFields:
    """Rows in a file."""

    file: Annotated[
        str, Field(min_length=1, description="Path, relative to the configuration's folder.")
    ]
    format: Annotated[
        Literal["jsonl", "json", "csv", "tsv", "yaml"] | None,
        Field(description="Unset: by the name's ending; `.gz` at its end is left out of account."),
    ] = None
    map: Annotated[
        Mapping[str, str],
        Field(description='Further names of columns, as {"prompt": "question"}.'),
    ] = field(default_factory=dict)
    group: Annotated[
        Columns | None,
        Field(description="As the field of this name beside the splits, for this split alone."),
    ] = None
    pointer: Annotated[
        str | None,
        Field(
            pattern=r"^(/.*)?$",
            description="JSON pointer to the list of rows in a JSON or YAML file. Unset: the whole "
            "file, or its `rows`.",
        ),
    ] = None
    offset: Annotated[int, Field(ge=0, description="Rows to leave out at the start.")] = 0
    limit: Annotated[int | None, Field(gt=0, description="Rows to take. Unset: all.")] = None
    max_mb: Annotated[
        int, Field(gt=0, le=1_000_000, description="The most MiB to read, unpacked.")
    ] = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFields:
    """What the winner must be proved to be, beside the baseline."""

    kind: Annotated[
        Literal["better", "not_worse", "cheaper_and_not_worse"],
        Field(
            description="`better`, or `not_worse` by the margin; `cheaper_and_not_worse` is what "
            "`objective` claims."
        ),
    ] = "better"
    margin: Annotated[
        Margin | None,
        Field(description="The loss from which a prompt counts as worse: 0.02 for two points."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveFields:
    """Something to have less of, as long as the score is proved not to be worse."""

    minimize: Annotated[
        Literal["usd", "latency", "output_tokens", "prompt_length"],
        Field(
            description="Per evaluation: dollars, seconds, tokens of the answer (executor `chat`), "
            "or the characters of the prompts."
        ),
    ]
    not_worse: Annotated[
        Margin,
        Field(description="The loss from which a prompt counts as worse: 0.02 for two points."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFields:
    """A grader beside the first whose score must not be worse."""

    grader: Annotated[str, Field(min_length=1, description="Name of its reward.")]
    margin: Annotated[Margin, Field(description="The loss from which it counts as worse.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFields:
    """The model that judges, where a grader asks one and names none of its own."""

    params: Annotated[
        Mapping[str, Json],
        Field(description="Passed to the judge with every call: temperature, max_tokens, ..."),
    ] = field(default_factory=dict)


def given(value: Mapping[str, Json]) -> dict[str, Json]:
    """`value` without nulls: an optional field may be null and is then unset."""
    return {name: each for name, each in value.items() if each is not None}
