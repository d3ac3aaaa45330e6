"""Asking a configuration's judge about given outputs, in a run of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tau import plugins
from tau.algorithms.evaluate import EvaluateSettings
from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.measuring import RunPlace, carry_out, is_there
from tau.cli.records.reading import read
from tau.cli.regrading import varies
from tau.cli.running import RunArguments
from tau.config.identity import grader_hash, identified
from tau.config.judge_identity import judge_identity
from tau.config.run_settings import GraderChoice, PluginChoice, RunConfig
from tau.domain.dataset import JUDGED_OUTPUT, Example, Split, examples
from tau.domain.ids import RunId
from tau.domain.json import Json, content_hash
from tau.domain.rollout import Output
from tau.domain.run import RunStatus
from tau.errors import InputError
from tau.executors.python import PythonSettings
from tau.ports.store import Store
from tau.reports.account import gather
from tau.reports.rows import EvaluationRow, evaluation_rows
from tau.scoring.safety import SafetyPolicy
from tau.wiring.reuse import PROBE


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeUnderTest:
    """A grader of the configuration, and the hash by which what is known of it is kept."""

    config: RunConfig
    grader: GraderChoice

    @property
    def hash(self) -> str:
        """Of everything that its verdicts depend on."""
        own = judge_identity(self.config, self.grader)
        return own if own is not None else grader_hash(self.config, self.grader)

    @property
    def model(self) -> str | None:
        """The model that is asked; None where the grader asks none that is known."""
        asked = self.config.judge_of(self.grader)
        return None if asked is None else asked.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOutput:
    """An output to be judged, and the row that it answers."""

    example: Example
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOutputs:
    """Scores in the order in which outputs were given, one per replicate; None: no verdict."""

    run_id: str
    scores: tuple[tuple[float | None, ...], ...]
    codes: tuple[tuple[str, ...], ...]
    spent_usd: float

    @property
    def first(self) -> tuple[float | None, ...]:
        """The first verdict on each."""
        return tuple(each[0] for each in self.scores)


def judge_of(config: RunConfig, name: str | None) -> JudgeUnderTest:
    """The grader of that name, else the first whose verdicts can vary, else the first.

    Raises:
        InputError: there is none.
    """
    if not config.graders:
        raise InputError("the configuration names no grader", fix="add a judge to 'graders'")
    if name is None:
        found = next((one for one in config.graders if varies(one)), config.graders[0])
        return JudgeUnderTest(config=config, grader=found)
    for one in config.graders:
        if one.name == name:
            return JudgeUnderTest(config=config, grader=one)
    known = ", ".join(f"'{one.name}'" for one in config.graders)
    raise InputError(f"there is no grader '{name}'", fix=f"the graders are {known}")


def run_place(arguments: RunArguments, resume: str) -> RunPlace:
    """Where the runs of a command about judges are kept."""
    return RunPlace(
        store=arguments.location,
        principal=principal(arguments.principal),
        policy=policy_file(arguments.rbac_policy),
        origin=arguments.origin(),
        resume=resume,
    )


def ask(
    judge: JudgeUnderTest,
    given: Sequence[GivenOutput],
    place: RunPlace,
    *,
    replicates: int = 1,
    again: bool = False,
) -> JudgedOutputs:
    """What the judge says to each output; what it has said before is read from the store.

    Raises:
        StoppedEarly: a signal, a limit or an error ended the run before.
    """
    rows = [{**one.example.fields, JUDGED_OUTPUT: one.output} for one in given]
    unique = examples(Split.TEST, {_key(row): row for row in rows}.values())
    config = _asking(judge, unique, replicates)
    found = settled(config, place, again=again)
    by_row: dict[str, dict[int, EvaluationRow]] = {}
    for one in found[1]:
        by_row.setdefault(one.measurement.example, {})[one.measurement.replicate] = one
    ids = {_key(row.fields): row.id for row in unique}
    own = [by_row.get(ids[_key(row)], {}) for row in rows]
    return JudgedOutputs(
        run_id=found[0],
        scores=tuple(
            tuple(_score(each.get(n), judge.grader.name) for n in range(replicates)) for each in own
        ),
        codes=tuple(_codes(each.values()) for each in own),
        spent_usd=sum(one.result.spent.cost_usd for one in found[1] if one.result is not None),
    )


def _asking(judge: JudgeUnderTest, rows: tuple[Example, ...], replicates: int) -> RunConfig:
    """A run whose answers are given, so that only the judge works."""
    target = plugins.offer(_given_output, "the outputs to be judged")
    executor = PluginChoice(
        type="python", settings=PythonSettings(function=target), options={"function": target}
    )
    measure = PluginChoice(
        type="evaluate", settings=EvaluateSettings(replicates=replicates),
        options={"replicates": replicates},
    )  # fmt: skip
    only = {split: rows if split is Split.TEST else () for split in Split}
    return identified(
        replace(
            judge.config, executor=executor, algorithm=measure, graders=(judge.grader,),
            examples=only, replicates=replicates, safety=SafetyPolicy(), purpose=PROBE,
        )
    )  # fmt: skip


async def _given_output(example: Mapping[str, Json], resources: Mapping[str, Json]) -> Output:
    return Output(text=str(example[JUDGED_OUTPUT]))


def settled(config: RunConfig, place: RunPlace, *, again: bool) -> tuple[str, list[EvaluationRow]]:
    """A run of this configuration and its evaluations: one that has ended, else a new one.

    Raises:
        StoppedEarly: it did not come to its end.
    """

    async def ended(store: Store) -> RunId | None:
        for run in await store.runs.find(config.config_hash):
            if run.status is RunStatus.COMPLETED:
                return run.id
        return None

    async def rows(store: Store) -> list[EvaluationRow]:
        account = await gather(store, run_id)
        return await evaluation_rows(store, run_id, account.measurements)

    known = None if again or not is_there(place.store) else read(place.store, ended)
    run_id = known or RunId(carry_out(config, place).run_id)
    return str(run_id), read(place.store, rows)


def _score(row: EvaluationRow | None, grader: str) -> float | None:
    if row is None or row.result is None:
        return None
    for reward in row.result.rewards:
        if reward.name == grader:
            return reward.score
    return None


def _codes(rows: Iterable[EvaluationRow]) -> tuple[str, ...]:
    found = (
        code
        for row in rows
        if row.result is not None and row.result.output is not None
        for code in row.result.output.reason_codes
    )
    return tuple(dict.fromkeys(found))


def _key(fields: Mapping[str, Json]) -> str:
    return content_hash(dict(fields))
