"""`tau judge check`: what a judge's verdicts depend on besides the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tau.algorithms.evaluate import EvaluateSettings
from tau.cli import figures, sensed
from tau.cli.judge_runs import GivenOutput, JudgedOutputs, JudgeUnderTest, ask, run_place, settled
from tau.cli.judging import JudgeArguments, all_rows, keep, opened
from tau.cli.measuring import RunPlace, StoppedEarly, is_there
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.surface import Exit
from tau.config.identity import identified
from tau.config.run_settings import PluginChoice, RunConfig
from tau.domain.dataset import Split
from tau.domain.draws import uniform
from tau.errors import InputError, RunError
from tau.ports.store import Store
from tau.reports.account import gather
from tau.scores.judge_labels import LabelColumns, read_outputs
from tau.scoring.calibration import FEWEST_RATED
from tau.scoring.perturbations import Perturbation, perturbed
from tau.scoring.sensitivity import AlteredOutput, Sensitivity, sensitivity_of
from tau.wiring.reuse import PROBE


def check_judge(
    arguments: JudgeArguments,
    outputs: str | None,
    columns: LabelColumns,
    *,
    rows: int,
    gain: float | None,
    as_json: bool,
) -> int:
    """Ask the judge about outputs as they are, twice, and altered; tell what makes a difference.

    Raises:
        InputError: there are too few outputs; nothing was asked.
    """
    arguments, judge = opened(arguments)
    more = ("--outputs", outputs) if outputs is not None else ("--rows", str(rows))
    place = run_place(arguments.run, arguments.command("check", *more))
    try:
        given = _given(arguments, judge, outputs, columns, place, rows)
        twice = ask(judge, given, place, replicates=2, again=arguments.new)
        changes = list(_altered(given))
        altered = ask(judge, [one for _, _, one in changes], place, again=arguments.new)
    except StoppedEarly as stopped:
        return stopped.code
    known = gain if gain is not None else _known_gain(judge.config, place)
    found = sensed.CheckedJudge(
        grader=judge.grader.name,
        judge=judge.hash,
        model=judge.model,
        outputs=len(given),
        repeated=_repeated(given, twice),
        altered=tuple(_sensitivities(given, twice, changes, altered)),
        gain=known,
        runs=(twice.run_id, altered.run_id),
    )
    keep(arguments, judge, "check", len(given), sensed.fields(found), twice)
    if as_json:
        print_json(sensed.fields(found))
    else:
        print_lines(list(sensed.lines(found)))
    return Exit.OK


def _given(
    arguments: JudgeArguments,
    judge: JudgeUnderTest,
    outputs: str | None,
    columns: LabelColumns,
    place: RunPlace,
    rows: int,
) -> list[GivenOutput]:
    """The outputs of a file, else what the configuration's prompt answers."""
    if outputs is not None:
        read_ = read_outputs(outputs, all_rows(judge.config), columns)
        found = [GivenOutput(example=one.example, output=one.output) for one in read_]
    else:
        if len(all_rows(judge.config)) < FEWEST_RATED:
            raise _too_few(len(all_rows(judge.config)), "row", None)
        found = _answers(judge, place, rows, again=arguments.new)
    found = [one for one in found if one.output.strip()]
    if len(found) < FEWEST_RATED:
        raise _too_few(len(found), "output", outputs)
    return sorted(found, key=lambda one: uniform(0, "check", one.example.id, one.output))[:rows]


def _too_few(number: int, noun: str, where: str | None) -> InputError:
    return InputError(
        f"{figures.count(number, noun)} are too few to check a judge with",
        where=where,
        fix=f"give at least {FEWEST_RATED}, better 40",
    )


def _answers(
    judge: JudgeUnderTest, place: RunPlace, rows: int, *, again: bool
) -> list[GivenOutput]:
    """What the prompt answers to rows that do not certify, first ones by a hash."""
    splits = judge.config.examples
    some = [*splits[Split.OPTIMIZE], *splits[Split.VALIDATE]] or [*splits[Split.TEST]]
    chosen = {
        row.id: row for row in sorted(some, key=lambda row: uniform(0, "check", row.id))[:rows]
    }
    choice = PluginChoice(type="evaluate", settings=EvaluateSettings(), options={})
    kept = {split: tuple(r for r in splits[split] if r.id in chosen) for split in Split}
    config = identified(
        replace(
            judge.config, algorithm=choice, graders=(judge.grader,), examples=kept, replicates=1,
            purpose=PROBE,
        )
    )  # fmt: skip
    _, measured = settled(config, place, again=again)
    return [
        GivenOutput(example=chosen[one.measurement.example], output=one.result.output.text)
        for one in measured
        if one.result is not None and one.result.output is not None
    ]


def _altered(given: Sequence[GivenOutput]) -> Iterator[tuple[Perturbation, int, GivenOutput]]:
    """Every alteration of every output, with the place of the output."""
    for kind in Perturbation:
        for number, one in enumerate(given):
            anothers = _anothers(given, number)
            if kind is Perturbation.ANOTHERS and anothers is None:
                continue
            text = perturbed(kind, one.output, anothers=anothers or "")
            yield kind, number, GivenOutput(example=one.example, output=text)


def _anothers(given: Sequence[GivenOutput], number: int) -> str | None:
    """An output that answers something else: to another row, with another expected answer."""
    own = given[number]
    for step in range(1, len(given)):
        other = given[(number + step) % len(given)]
        differs = other.example.content != own.example.content and other.output != own.output
        expected = own.example.expected
        if differs and (expected is None or other.example.expected != expected):
            return other.output
    return None


def _repeated(given: Sequence[GivenOutput], twice: JudgedOutputs) -> Sensitivity:
    rows = [
        AlteredOutput(before=scores[0], after=scores[1], group=one.example.group)
        for one, scores in zip(given, twice.scores, strict=True)
        if scores[0] is not None and scores[1] is not None
    ]
    if len(rows) < FEWEST_RATED:
        raise RunError(
            f"the judge gave two verdicts on {len(rows):,} of {len(given):,} outputs",
            why="fewer than 10 say nothing about it",
            fix=f"see why: tau rollouts ls --run {twice.run_id}",
        )
    return sensitivity_of(None, rows)


def _sensitivities(
    given: Sequence[GivenOutput],
    twice: JudgedOutputs,
    changes: Sequence[tuple[Perturbation, int, GivenOutput]],
    altered: JudgedOutputs,
) -> Iterator[Sensitivity]:
    """What each alteration did, where there are verdicts enough."""
    for kind in Perturbation:
        rows = []
        for (which, number, _), after in zip(changes, altered.first, strict=True):
            before = twice.first[number]
            if which is kind and before is not None and after is not None:
                group = given[number].example.group
                rows.append(AlteredOutput(before=before, after=after, group=group))
        if len(rows) >= FEWEST_RATED:
            yield sensitivity_of(kind, rows)


def _known_gain(config: RunConfig, place: RunPlace) -> float | None:
    """What the last search of this configuration that certified anything has gained."""

    async def last(store: Store) -> float | None:
        for run in reversed(await store.runs.find(config.config_hash)):
            found = (await gather(store, run.id)).gain
            if found is not None:
                return found.difference
        return None

    return read(place.store, last) if is_there(place.store) else None
