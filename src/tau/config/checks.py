"""What only the plug-ins can find: missing keys and modules, bad patterns, unknown placeholders."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tau import plugins
from tau.config.report import IssueReport, JsonPath
from tau.config.rows import Written, check_rows
from tau.config.run_settings import GraderChoice, ModelChoice, RunConfig
from tau.domain.chat import Completion, ModelRequest
from tau.domain.dataset import Example
from tau.domain.spend import Usage
from tau.errors import AttemptError, InputError
from tau.models import prices
from tau.ports.executor import ExecutorContext
from tau.ports.grader import GraderContext

_MOST_ROWS = 20_000
"""Of more rows, the first ones are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model known by name only, for checks: nothing is connected yet, nothing may be called."""

    ref: str
    provider: str

    async def complete(self, request: ModelRequest) -> Completion:
        """Refuse: a check must not spend anything."""
        raise InputError("a check must not call the model")

    def price(self, usage: Usage) -> int | None:
        """Unknown."""
        return None

    async def aclose(self) -> None:
        """Nothing is open."""


_TRIED_ROWS = 1_000
_REFERENCES = (
    "answer", "reference", "label", "target", "ideal", "expected_output", "expected_answer",
    "ground_truth", "gold", "solution", "correct", "category", "class", "completion", "output",
)  # fmt: skip
"""Names by which other tools know what is 'expected' here."""


def check(config: RunConfig, report: IssueReport, written: Written) -> None:
    """Let every plug-in of `config` look for what cannot work; reports what they find.

    `written` has the names that the file uses for the splits.
    """
    rows = [row for rows in config.examples.values() for row in rows]
    checker = _Checker(
        config=config,
        report=report,
        example=max(rows, key=lambda row: (row.prompt is not None, len(row.fields)), default=None),
        rows=rows,
    )
    checker.check_model()
    context = checker.check_executor()
    check_rows(config, context, written, report)
    checker.check_graders(config.graders)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checker:
    """The checks of all plug-ins of one configuration.

    `example` is the row that has most to be executed with, if there is any; `rows` are those of all
    splits.
    """

    config: RunConfig
    report: IssueReport
    example: Example | None
    rows: Sequence[Example]

    def check_model(self) -> None:
        """Look for a missing key or address."""
        for steps, chosen in (
            (("model",), self.config.model),
            (("algorithm", "reflection_model"), self.config.reflection.model),
            *((("judge",), model) for model in self._other_judges()),
        ):
            if chosen is not None:
                plugin = plugins.load(plugins.MODELS, chosen.provider)
                connections = self.config.concurrency
                context = chosen.context(self.config.environ, max_connections=connections)
                at = None if chosen.by_flag else steps
                self._run(at, plugin.check, chosen.settings, context)
                self._check_prices(steps, chosen.provider)

    def _other_judges(self) -> list[ModelChoice]:
        """The models that graders ask, each once."""
        known = {self.config.model_ref}
        found = []
        for _, model in self.config.judges:
            if model.ref not in known:
                known.add(model.ref)
                found.append(model)
        return found

    def _check_prices(self, steps: JsonPath, provider: str) -> None:
        """A limit in dollars cannot hold while the list of prices is not installed."""
        fix = prices.unlisted_fix(provider)
        if fix is None:
            return
        said = f"what calls of '{provider}' cost is unknown: no list of prices is installed"
        if self.config.budget.cost_nano_usd is not None:
            self.report.error(("budget", "usd"), f"the limit cannot be kept: {said}", fix=fix)
        else:
            self.report.warning(steps, said, fix=fix)

    def check_executor(self) -> ExecutorContext:
        """Try the executor with the resources and one row."""
        config = self.config
        context = ExecutorContext(
            model=_named(config.model),
            params=config.params,
            base_dir=config.base_dir,
            concurrency=config.concurrency,
            environ=config.inherited(config.executor.settings),
            template=config.template,
            keep_reasoning=config.keep_reasoning,
        )
        plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
        settings = config.executor.settings
        self._run(("executor",), plugin.check, settings, context, config.resources, self.example)
        return context

    def check_graders(
        self, graders: Iterable[GraderChoice], steps: JsonPath = ("graders",)
    ) -> None:
        """Check every grader of the tree."""
        for grader in graders:
            here = steps if grader.position is None else (*steps, grader.position)
            context = GraderContext(
                name=grader.name,
                model=_named(self.config.judge_of(grader) or self.config.model),
                params={} if grader.judge is None else grader.judge.params,
                base_dir=self.config.base_dir,
                concurrency=self.config.concurrency,
                environ=self.config.inherited(grader.settings),
            )
            plugin = plugins.load(plugins.GRADERS, grader.type)
            sound = self._run(here, plugin.check, grader.settings, context, None)
            if sound:
                self._check_rows(here, plugin, grader, context)
            inner = "graders" if "graders" in grader.options else "grader"
            self.check_graders(grader.children, (*here, inner))

    def _run(self, steps: JsonPath | None, check: Any, *arguments: Any) -> bool:  # noqa: ANN401
        """Without `steps`, what is checked comes from the command line."""
        try:
            check(*arguments)
        except (InputError, AttemptError) as error:
            if steps is None:
                self.report.of_model_flag(error.summary, fix=error.fix)
            else:
                self.report.error(steps, error.summary, fix=error.fix)
            return False
        return True

    def _check_rows(
        self,
        steps: JsonPath,
        plugin: Any,  # noqa: ANN401
        grader: GraderChoice,
        context: GraderContext,
    ) -> None:
        """Rows that cannot be graded stay unscored: an error where the score has nothing else."""
        rows = self.rows[:_MOST_ROWS]
        if grader.implied:  # nobody asked for it: rows of a prompt alone are meant to be run only
            rows = [row for row in rows if row.expected is not None or _column(row) is not None]
        lost = list(_ungraded(plugin, grader, context, rows))
        if not lost:
            return
        row, failure = lost[0]
        fix = _column(row) or failure.fix
        if len(lost) == len(rows) and steps == ("graders", 0) and not grader.implied:
            said = f"'{grader.name}' can grade no row: {failure.summary}"
            self.report.error(steps, said, fix=fix)
            return
        place = 1 + self.config.examples[row.split].index(row)
        said = f"'{grader.name}' cannot grade {len(lost):,} of {len(rows):,} rows, which stay "
        said += f"unscored; row {place} of '{row.split}': {failure.summary}"
        self.report.warning(steps, said, fix=fix)


def _named(chosen: ModelChoice | None) -> NamedModel:
    # Whether a model is named at all is the caller's question; the rest can be checked anyway.
    if chosen is None:
        return NamedModel(ref="", provider="")
    return NamedModel(ref=chosen.ref, provider=chosen.provider)


def _ungraded(
    plugin: Any,  # noqa: ANN401
    grader: GraderChoice,
    context: GraderContext,
    rows: Sequence[Example],
) -> Iterator[tuple[Example, AttemptError | InputError]]:
    """The rows that the grader cannot grade, each with why."""
    check_rows = getattr(plugin, "check_rows", None)
    if check_rows is not None:
        yield from check_rows(grader.settings, context, rows)
        return
    for row in rows[:_TRIED_ROWS]:
        try:
            plugin.check(grader.settings, context, row)
        except (InputError, AttemptError) as error:
            yield row, error


def _column(row: Example) -> str | None:
    """Which column seems to hold the reference answer that a row lacks."""
    if row.expected is not None:
        return None
    found = next((name for name in _REFERENCES if row.fields.get(name) is not None), None)
    if found is None:
        return None
    where = f'set "map": {{"expected": "{found}"}} beside the rows\' file'
    return f"the column '{found}' seems to hold it: {where}, or rename it to 'expected'"
