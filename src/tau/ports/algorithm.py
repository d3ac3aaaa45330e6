"""Algorithms: what chooses what to try next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from tau.domain.claim import BETTER, ClaimTerms
from tau.domain.dataset import Example, Split
from tau.domain.decision import Decision
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutRequest, RolloutResult
from tau.domain.spend import Budget
from tau.domain.text_source import TextCheck, TextSource

CERTIFICATION_SET = "certification_set"
CERTIFICATION_KEYS = "certification_keys"
CERTIFIED_BEFORE = "certified_before"
LIMITED_BY = "limited_by"
UNANSWERED_PROPOSALS = "unanswered_proposals"
"""Keys of evidence, see `Recommendation`."""


EarlierScores = Mapping[str, Mapping[ResourcesHash, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Everything an algorithm may know, complete at construction.

    `examples` are in dataset order per split. `graders` and `model` are hashes of how outputs are
    made and graded. `calls_per_evaluation` is the most model calls that one takes. `certified`
    counts the earlier claims that a row carried, by `Example.row_keys`. `claim` is what is to be
    proved. `earlier` is what runs that ended before this one began measured with the same model
    and graders: by the content of a row, mean scores by candidate. It is empty for plug-ins that
    do not say `uses_history`. `template` is how the prompts ask for the fields of an example.
    `purpose` says in words what the application is for, `metric` what each grader rewards. Where it
    is not `varying`, the same prompt and row always give the same output. `sources` say what
    may be changed of resources that came from files and documents; `check` says why a new text for
    one of them cannot be used.
    """

    seed_resources: Resources
    examples: Mapping[Split, Sequence[Example]]
    budget: Budget = field(default_factory=Budget)
    calls_per_evaluation: int = 1
    seed: int = 0
    graders: str = ""
    model: str = ""
    certified: Mapping[str, int] = field(default_factory=dict)
    claim: ClaimTerms = BETTER
    earlier: EarlierScores = field(default_factory=dict)
    template: Template = Template.PYTHON
    purpose: str = ""
    metric: tuple[str, ...] = ()
    varying: bool = True
    sources: Mapping[str, TextSource] = field(default_factory=dict)
    check: TextCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What the algorithm would use now. `evidence` is JSON for reports, `caveats` for people.

    `decision` is None where the algorithm decides nothing, or not yet. With `promote`, a finished
    run publishes the resources as the latest version.

    Reports and displays know these keys of `evidence`, each of which may be absent: `phase` (one
    word: what the search is at), `leader` (hash of the candidate that is ahead, proved or not),
    `candidates` (how many were tried), `certificate` (`scoring.certify.Certificate.to_json`),
    `certification_set` (a hash of the rows set aside for the claim), `certification_keys` (the
    `Example.row_keys` of those that carried it, one after another), `certified_before` (how many
    claims the most-used of them had carried), `claim` (`ClaimTerms.to_json`, where more than a
    better score is claimed), `front` (see `algorithms.economy`), `stopped` (one sentence: why the
    search ended) and `limited_by` (the limits of the budget that ended it before anything was
    compared: the run goes on with larger ones), `unusable_answers` and `noted_answers` (how many
    answers to proposals could not be used, or were used with a note, by reason),
    `unanswered_proposals` (how many of them failed before there was an answer).
    """

    resources: Resources
    decision: Decision | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()


class Algorithm(Protocol):
    """Chooses what to try next. Deterministic given settings, seed and what it was told."""

    def ask(self) -> Sequence[RolloutRequest]:
        """The next wave; empty when finished. The same state asks for the same wave."""
        ...

    def tell(self, results: Sequence[RolloutResult]) -> None:
        """Take the results of the wave last asked for, in its order.

        Telling the same wave twice changes nothing. Failures are results.

        Raises:
            ValueError: results that are not those of the wave, with the fix.
        """
        ...

    def best(self) -> Recommendation:
        """Valid at any time; the baseline where nothing was proved better."""
        ...

    def state_dict(self) -> Mapping[str, Json]:
        """The whole state as JSON; a copy.

        `origins`, where there are any, is shown by displays: how each candidate was made (reflect,
        merge ...), by the first 16 digits of its hash. So is `proposals`: its `unusable` says, by
        the id of a rollout, why the answer could not be used.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        """Continue from `state`; it asks for the same next wave as the one that saved it.

        Raises:
            ValueError: a state of another version, algorithm or problem; nothing was changed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an algorithm would do with a problem, before anything is spent.

    At most so many `evaluations` (certification included) and `proposals`, which take at most
    so many `rollouts` and `calls`, retries aside. `certification` rows meet the winner and the
    baseline, `certification_replicates` times at most, at this `level`; of true gains,
    `detectable` (0..1) is the smallest that would be promoted in 4 of 5 runs, None where none
    would be; the rows are `groups`, and tell about as much as `independent` rows that have
    nothing to do with each other. With fewer than `least_rollouts` no candidate would be tried
    and compared. Demonstrations add up to `shown_bytes` to a candidate's prompt.
    """

    evaluations: int
    proposals: int
    rollouts: int
    calls: int
    certification: int = 0
    detectable: float | None = None
    groups: int = 0
    independent: int = 0
    certification_replicates: int = 1
    level: float | None = None
    shown_bytes: int = 0
    least_rollouts: int = 0
    caveats: tuple[str, ...] = ()


@runtime_checkable
class Planner(Protocol):
    """A plug-in that can say beforehand what it would do; pure."""

    @classmethod
    def plan(cls, settings: Any, problem: Problem) -> Plan:  # noqa: ANN401
        """The plan `build` would follow.

        Raises:
            InputError: the problem cannot be worked on with these settings.
        """
        ...


@runtime_checkable
class UsesHistory(Protocol):
    """A plug-in that makes use of `Problem.earlier`, where `uses_history` is true."""

    uses_history: bool


class AlgorithmPlugin(Protocol):
    """What the entry-point group `tau.algorithms` holds; `Settings` is a frozen dataclass."""

    Settings: ClassVar[type[Any]]

    @classmethod
    def build(cls, settings: Any, problem: Problem) -> Algorithm:  # noqa: ANN401
        """Make the algorithm, complete.

        Raises:
            InputError: the problem cannot be worked on with these settings.
        """
        ...
