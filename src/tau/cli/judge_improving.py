"""`tau judge improve`: a judge's rubric optimized against people's labels, as any prompt is."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tau import plugins
from tau.algorithms.parts import parted
from tau.algorithms.reflect import ReflectSettings
from tau.cli import figures
from tau.cli.judge_runs import JudgeUnderTest, run_place
from tau.cli.judging import JudgeArguments, all_rows, opened, usable_labels
from tau.cli.measuring import StoppedEarly, carry_out
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import columns as terminal_columns
from tau.cli.text import facts, line, wrapped
from tau.config.identity import identified
from tau.config.run_settings import GraderChoice, PluginChoice, RunConfig
from tau.domain.chat import Message
from tau.domain.claim import BETTER
from tau.domain.dataset import JUDGED_OUTPUT, Example, Split, examples
from tau.domain.decision import Decision
from tau.domain.ids import RunId
from tau.domain.json import Json, content_hash
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.errors import InputError
from tau.executors.python import PythonSettings, Session
from tau.files.atomic import atomic_write
from tau.graders.judge import Judge, rubric_of
from tau.graders.judge_material import material_of
from tau.graders.judge_request import JudgeRubric, judge_request
from tau.graders.judge_scale import UnreadableVerdict, read_verdict
from tau.graders.python import PythonGraderSettings
from tau.reports.account import Account, gather
from tau.scores.judge_labels import LabelColumns, LabelledOutput, read_labelled, scale_of
from tau.scoring.safety import SafetyPolicy

RUBRIC = "rubric"
HUMAN = "label_of_people"
_CERTIFY = 0.5
_FEWEST = 40
_AGREES = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovedRubric:
    """What the search came to; `rubric` is the new one only where it was proved better."""

    account: Account
    rubric: str
    proved: bool


def improve_judge(
    arguments: JudgeArguments,
    labels: str,
    columns: LabelColumns,
    *,
    out: str | None,
    as_json: bool,
) -> int:
    """Search for a rubric that agrees better with people; 3 where none was proved.

    Raises:
        InputError: the labels or the grader cannot be used; nothing was asked.
    """
    arguments, judge = opened(arguments)
    rubric = _rubric(judge)
    scale = scale_of(judge.grader.options)
    labelled = usable_labels(read_labelled(labels, all_rows(judge.config), columns, scale), labels)
    if len(labelled) < _FEWEST:
        raise InputError(
            f"{figures.count(len(labelled), 'labelled output')} are too few to improve a judge",
            where=labels,
            why="half of them are set aside to prove that a new rubric is better",
            fix=f"label at least {_FEWEST}, better 100",
        )
    config = _searching(judge, rubric, labelled)
    place = run_place(arguments.run, arguments.command("improve", "--labels", labels))
    try:
        run_id = RunId(carry_out(config, place).run_id)
    except StoppedEarly as stopped:
        return stopped.code
    account = read(place.store, lambda store: gather(store, run_id))
    proved = account.verdict is not None and account.verdict.decision is Decision.PROMOTE
    found = ImprovedRubric(account=account, rubric=str(account.best.values[RUBRIC]), proved=proved)
    if proved and out is not None:
        atomic_write(Path(out), found.rubric.encode("utf-8", "replace"))
    if as_json:
        print_json(_fields(found, out))
    else:
        print_lines(list(_lines(found, out)))
    return Exit.OK if proved else Exit.GATE


def _rubric(judge: JudgeUnderTest) -> JudgeRubric:
    """What is improved.

    Raises:
        InputError: the grader has no one text to judge by.
    """
    plugin = plugins.load(plugins.GRADERS, judge.grader.type)
    if judge.grader.judge is None or not issubclass(plugin, Judge):
        raise InputError(
            f"'{judge.grader.name}' asks no model by a rubric, so there is nothing to improve",
            fix="name a grader of type judge with --grader",
        )
    found = rubric_of(judge.grader.settings, plugin.ready, judge.config.base_dir)
    if not found.rubric or found.criteria:
        raise InputError(
            f"'{judge.grader.name}' judges by several criteria, not by one rubric",
            fix="give it a 'rubric' in place of 'criteria' to improve that",
        )
    return found


def _searching(
    judge: JudgeUnderTest, rubric: JudgeRubric, labelled: Sequence[LabelledOutput]
) -> RunConfig:
    """A search whose prompt is the rubric and whose task is to judge as people did."""
    searched, certified = _halves(labelled)
    config, grader = judge.config, judge.grader
    asked = config.judge_of(grader)
    ready = plugins.load(plugins.GRADERS, grader.type).ready
    name = f"judging as people did {judge.hash[:12]}"
    own = config.algorithm.settings
    known = own if isinstance(own, ReflectSettings) else ReflectSettings()
    search = replace(known, targets=None, templates={}, columns=(JUDGED_OUTPUT, HUMAN))
    ask = plugins.offer(_asking(rubric, grader.settings, ready), name)
    agree = plugins.offer(_agreeing, "agreement with people")
    return identified(
        replace(
            config,
            model=asked,
            params=dict(grader.judge.params) if grader.judge is not None else {},
            reflection=replace(config.reflection, model=config.reflection.model or config.model),
            resources=Resources(values={RUBRIC: rubric.rubric}),
            executor=PluginChoice(
                type="python",
                settings=PythonSettings(function=ask, calls=1),
                options={"function": ask, "calls": 1},
            ),
            graders=(
                GraderChoice(
                    name="agreement",
                    type="python",
                    settings=PythonGraderSettings(function=agree),
                    options={"function": agree},
                ),
            ),
            algorithm=PluginChoice(type="reflect", settings=search, options={}),
            examples={
                Split.OPTIMIZE: searched,
                Split.VALIDATE: (),
                Split.TEST: certified,
            },
            safety=SafetyPolicy(),
            claim=BETTER,
            groups={},
            replicates=1,
            template=Template.PYTHON,
        )
    )


def _halves(
    labelled: Sequence[LabelledOutput],
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Whole groups to search on, and those that certify."""
    rows = [{**one.example.fields, JUDGED_OUTPUT: one.output, HUMAN: one.human} for one in labelled]
    made = [
        replace(row, group=one.group)
        for row, one in zip(examples(Split.OPTIMIZE, rows), labelled, strict=True)
    ]
    searched, rest = parted(made, _CERTIFY)
    certified = examples(Split.TEST, [row.value for row in rest])
    return searched, tuple(
        replace(one, group=row.group) for one, row in zip(certified, rest, strict=True)
    )


def _asking(
    rubric: JudgeRubric,
    settings: Any,  # noqa: ANN401
    ready: str,
) -> Callable[..., Coroutine[Any, Any, Output]]:
    """The application: one output judged by the rubric under test."""

    async def ask(
        example: dict[str, Json], resources: Mapping[str, Json], session: Session
    ) -> Output:
        row = {key: value for key, value in example.items() if key != HUMAN}
        (shown,) = examples(Split.OPTIMIZE, [row])
        output = Output(text=str(example[JUDGED_OUTPUT]))
        material = material_of(shown, output, settings, ready)
        tried = replace(rubric, rubric=str(resources[RUBRIC]))
        said = await session.chat(list(map(_plain, judge_request(tried, material))))
        try:
            verdict = read_verdict(said.text, rubric.scale)
        except UnreadableVerdict as error:
            return Output(text=said.text, value={"unreadable": str(error)})
        label = verdict.labels[""]
        score = rubric.scale.values[label]
        return Output(text=f"{label}: {verdict.reason}", value={"score": score, "label": label})

    return ask


def _plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def _agreeing(example: dict[str, Json], output: str, details: Output) -> dict[str, Any]:
    """The closer to people the better; feedback says what they said."""
    human = float(str(example[HUMAN]))
    value = details.value if isinstance(details.value, Mapping) else {}
    said = value.get("score")
    shown = str(example[JUDGED_OUTPUT])[:300]
    if not isinstance(said, int | float):
        return {"score": 0.0, "feedback": "The verdict could not be read."}
    apart = abs(said - human)
    verdict = f"The judge gave {said:g} (0 worst, 1 best), people gave {human:g}"
    return {
        "score": 1 - apart,
        "passed": apart < _AGREES,
        "reason": verdict,
        "feedback": f"{verdict}, to the output: {shown}" if apart > _AGREES else "",
    }


def _lines(found: ImprovedRubric, out: str | None) -> list[str]:
    """For a terminal: what was proved, then the rubric."""
    account = found.account
    verdict = "a better rubric was proved" if found.proved else "no better rubric was proved"
    said = [*wrapped(line(f"{verdict}: {account.reason or 'see the run'}"), terminal_columns()), ""]
    rows = [("run", str(account.run.id)), ("tried", figures.count(account.tried, "rubric"))]
    gain = account.gain
    if gain is not None:
        between = f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        rows.append(("agreement", f"{between} on {gain.n:,} labels it never saw"))
    if found.proved:
        rows.append(("rubric", found.rubric))
        rows.append(("written", out if out is not None else "nowhere: name a file with --out"))
    return [*said, *facts(rows)]


def _fields(found: ImprovedRubric, out: str | None) -> dict[str, Json]:
    gain = found.account.gain
    return {
        "proved": found.proved,
        "decision": found.account.decision,
        "reason": found.account.reason,
        "run_id": str(found.account.run.id),
        "tried": found.account.tried,
        "rubric": found.rubric,
        "rubric_hash": content_hash(found.rubric),
        "written": out if found.proved else None,
        "gain": None if gain is None else {
            "difference": gain.difference, "low": gain.low, "high": gain.high, "rows": gain.n,
        },
    }  # fmt: skip
