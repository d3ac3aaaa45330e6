"""What only the rows together with the prompts can show: rows that fail, rows that contradict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau import plugins
from tau.config.report import IssueReport
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example, Split
from tau.domain.json import Json, content_hash
from tau.domain.placeholders import Template, foreign, placeholders
from tau.errors import ExampleInvalid, InputError
from tau.ports.executor import ExecutorContext, TemplatedPlugin

Written = Mapping[Split, str]
"""The name that the file uses for each split."""

_ELSEWHERE = {
    "vars": "the row looks like a test of promptfoo: give a file with the objects under 'vars' as "
    "rows, with what 'assert' compares with as 'expected'",
    "ideal": "the row looks like a sample of openai-evals: add 'map: {expected: ideal}', and "
    "'messages: input' to it where 'input' is a list of messages, else 'prompt: input'",
    "inputs": "the row looks like an example of LangSmith or MLflow: give a file with the objects "
    "under 'inputs' as rows, with the reference as 'expected'",
}
"""What rows of other tools are known by, and how they become ours."""


def check_rows(
    config: RunConfig, context: ExecutorContext, written: Written, report: IssueReport
) -> None:
    """Report rows that cannot be sent, that contradict each other, or that splits share."""
    _check_templates(config, report)
    _check_sending(config, context, written, report)
    _check_references(config, written, report)
    _check_splits(config, written, report)


def columns_of(rows: Sequence[Example]) -> frozenset[str]:
    """All names of fields in `rows`."""
    return frozenset(name for row in rows for name in row.fields)


def _check_templates(config: RunConfig, report: IssueReport) -> None:
    """Warn of what asks for a column by the other habit, and would be sent as text."""
    plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
    if not isinstance(plugin, TemplatedPlugin):
        return
    names = columns_of([row for rows in config.examples.values() for row in rows])
    try:
        texts = plugin.templates(config.executor.settings, config.resources)
    except InputError:
        return  # the executor's own check reports it
    for where, text in texts.items():
        for name, found in foreign(text, names, config.template).items():
            report.warning(
                tuple(where.split(".")),
                f"'{found}' is sent as text, and not filled from the column '{name}'",
                fix=_habit(name, found, config.template),
            )


def _habit(name: str, found: str, template: Template) -> str:
    write = f"write '{template.written(name)}'"
    others = [each for each in Template if each is not template and placeholders(found, each)]
    return f"{write}, or set 'template: {others[0]}'" if others else write


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failing:
    """Rows of one split that cannot be sent; `first` counts from 1."""

    split: Split
    count: int
    of: int
    first: int
    row: Example
    error: ExampleInvalid


def _check_sending(
    config: RunConfig, context: ExecutorContext, written: Written, report: IssueReport
) -> None:
    """Warn of rows that the executor cannot send; that none can be is an error."""
    plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
    if not isinstance(plugin, TemplatedPlugin) or report.failed:
        return
    failing = [
        found
        for split, rows in config.examples.items()
        if rows and (found := _failing(plugin, config, context, split, rows)) is not None
    ]
    everything = sum(map(len, config.examples.values()))
    all_fail = bool(failing) and sum(each.count for each in failing) == everything
    for each in failing:
        say = report.error if all_fail else report.warning
        say(
            (written[each.split],),
            f"{each.count} of {each.of} rows of '{each.split}' {_cause(each)}, the first is row "
            f"{each.first}; their rollouts will fail",
            fix=_fix(each, config.template if all_fail else None),
        )


def _failing(
    plugin: TemplatedPlugin,
    config: RunConfig,
    context: ExecutorContext,
    split: Split,
    rows: Sequence[Example],
) -> _Failing | None:
    found: list[tuple[int, ExampleInvalid]] = []
    for number, row in enumerate(rows, start=1):
        try:
            plugin.check_row(config.executor.settings, context, config.resources, row)
        except ExampleInvalid as error:
            found.append((number, error))
    if not found:
        return None
    first, cause = found[0]
    return _Failing(
        split=split,
        count=len(found),
        of=len(rows),
        first=first,
        row=rows[first - 1],
        error=cause,
    )


def _cause(failing: _Failing) -> str:
    if failing.row.prompt is None and "messages" not in failing.row.fields:
        return "have no text 'prompt'"
    where = f" ({failing.error.where})" if failing.error.where else ""
    return f"cannot be sent: {failing.error.what}{where}"


def _fix(failing: _Failing, template: Template | None) -> str | None:
    """How to mend the rows; with `template`, where none can be sent, also how to do without."""
    row = failing.row
    if row.prompt is not None or "messages" in row.fields:
        return failing.error.fix
    if not isinstance(row.value, Mapping) or not row.value:
        return failing.error.fix
    for mark, hint in _ELSEWHERE.items():
        if mark in row.fields:
            return hint
    columns = [name for name in row.fields if name != "expected"] or list(row.fields)
    names = ", ".join(f"'{name}'" for name in columns)
    rename = f"rename one of {names} with 'map'"
    if template is None:
        return rename
    column = template.written(columns[0])
    return f"{rename}, or fill the system prompt from them, as '{column}'"


def _check_references(config: RunConfig, written: Written, report: IssueReport) -> None:
    """Warn of rows that ask the same and expect something else: one of them is always wrong."""
    for split, rows in config.examples.items():
        known: dict[str, tuple[int, Json]] = {}
        contrary: list[tuple[int, int]] = []
        for number, row in enumerate(rows, start=1):
            if row.expected is None:
                continue
            asked = content_hash({k: v for k, v in row.fields.items() if k != "expected"})
            first, expected = known.setdefault(asked, (number, row.expected))
            if expected != row.expected:
                contrary.append((first, number))
        if contrary:
            first, second = contrary[0]
            report.warning(
                (written[split],),
                f"{len(contrary)} rows of '{split}' are equal to an earlier one but for "
                f"'expected', the first are rows {first} and {second}",
                fix="keep the reference that is right: no answer can be right for both",
            )


def _check_splits(config: RunConfig, written: Written, report: IssueReport) -> None:
    """Warn of rows in several splits: what was seen in a search proves nothing afterwards."""
    places: dict[Split, dict[str, int]] = {
        split: {row.content: number for number, row in enumerate(rows, start=1)}
        for split, rows in config.examples.items()
    }
    splits = list(Split)
    for index, later in enumerate(splits):
        for earlier in splits[:index]:
            both = places[earlier].keys() & places[later].keys()
            if both:
                number = min(places[later][each] for each in both)
                report.warning(
                    (written[later],),
                    f"{len(both)} rows of '{later}' are in '{earlier}' too, the first is row "
                    f"{number}",
                    fix="leave them out of one: what a search has seen proves nothing of it",
                )
