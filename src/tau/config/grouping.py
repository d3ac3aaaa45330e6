"""Which rows belong together: by a column that the configuration names, or because they are equal.

Rows of one document, conversation or customer are not independent: a claim that counts them as if
they were errs far more often than its level says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from tau.config.report import IssueReport, suggestion
from tau.config.resemblance import resemblances
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example, Split
from tau.domain.json import Json, canonical, content_hash
from tau.domain.placeholders import placeholders

Columns = tuple[str, ...]

_GIVEN = ("prompt", "messages")
"""Columns that the executor `chat` sends whatever the prompt asks for."""


def columns_of(value: Mapping[str, Json], written: Mapping[Split, str]) -> dict[Split, Columns]:
    """The columns that name groups, by split: a dataset's own come before the common ones."""
    found = {}
    for split, name in written.items():
        dataset = value.get(name)
        own = dataset.get("group") if isinstance(dataset, Mapping) else None
        named = _columns(value.get("group") if own is None else own)
        if named and dataset:
            found[split] = named
    return found


def grouped(
    config: RunConfig,
    columns: Mapping[Split, Columns],
    *,
    written: Mapping[Split, str],
    report: IssueReport,
) -> dict[Split, tuple[Example, ...]]:
    """The same rows, each with its group and with what the model is given of it."""
    sent = _sent(config)
    made = {}
    for split, rows in config.examples.items():
        named = columns.get(split, ())
        made[split] = tuple(
            replace(row, group=_group(row, named), given=_given(row, sent)) for row in rows
        )
        if named:
            _check(made[split], named, written[split], report)
    return made


def notes(config: RunConfig) -> Iterator[str]:
    """What a claim does with rows that belong together, for those who look before they spend."""
    for split, rows in config.examples.items():
        equal = len(rows) - len({row.same for row in rows})
        if equal:
            belong = "" if config.groups.get(split) else ": equal rows count as one"
            yield (
                f"{equal:,} of {len(rows):,} rows of '{split}' ask the model the same as others"
                f"{belong}"
            )
    for earlier, later in combinations(Split, 2):
        yield from _divided(config, earlier, later)
    yield from resemblances(config)


def _divided(config: RunConfig, earlier: Split, later: Split) -> Iterator[str]:
    """Groups that two splits divide between them."""
    if not (config.groups.get(earlier) and config.groups.get(later)):
        return
    known = {row.unit for row in config.examples[earlier]}
    rows = [row for row in config.examples[later] if row.unit in known]
    if rows:
        units = {row.unit: row.group for row in rows}
        yield (
            f"{len(units):,} groups of '{later}' ({len(rows):,} of "
            f"{len(config.examples[later]):,} rows, as '{next(iter(units.values()))}') stand in "
            f"'{earlier}' too: a search leaves those rows of '{later}' out"
        )


def _columns(value: Json) -> Columns:
    """A name or several; anything else is reported by who validates it."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
        return tuple(str(one) for one in value)
    return ()


def _group(row: Example, columns: Columns) -> str | None:
    """The row's values as one text; None where it has none of them."""
    values = [row.fields.get(name) for name in columns]
    if not columns or all(value is None or value == "" for value in values):
        return None
    texts = [value if isinstance(value, str) else canonical(value).decode() for value in values]
    return texts[0] if len(texts) == 1 else canonical(texts).decode()


def _sent(config: RunConfig) -> frozenset[str] | None:
    """The columns that reach the model; None where that cannot be told."""
    if config.executor.type != "chat":
        return None
    texts = _texts(dict(config.resources.values))
    return frozenset(_GIVEN).union(*(placeholders(text, config.template) for text in texts))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)


def _given(row: Example, sent: frozenset[str] | None) -> str | None:
    if sent is None:
        return None
    fields = row.fields
    known = {name: fields[name] for name in sent if name in fields}
    return content_hash(known)[:32] if known else None


def _check(rows: Sequence[Example], columns: Columns, name: str, report: IssueReport) -> None:
    """Report columns that no row has, and rows that have no group."""
    for column in columns:
        if rows and not any(column in row.fields for row in rows):
            known = {key for row in rows for key in row.fields}
            report.error(
                (name,),
                f"no row of '{name}' has the column '{column}' that is to name its group",
                fix=suggestion(column, sorted(known)) or f"columns: {', '.join(sorted(known))}",
            )
            return
    without = sum(row.group is None for row in rows)
    if without:
        report.warning(
            (name,),
            f"{without:,} of {len(rows):,} rows of '{name}' have no value in "
            f"{' or '.join(repr(column) for column in columns)}: each counts as a group of its own",
        )
