"""What only the plug-ins can find: missing keys and modules, bad patterns, unknown placeholders."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tau import plugins
from tau.config.report import Report, Steps
from tau.config.settings import GraderChoice, RunConfig
from tau.domain.chat import Completion, ModelRequest
from tau.domain.dataset import Example
from tau.domain.spend import Usage
from tau.errors import AttemptError, InputError, TauError
from tau.ports.executor import ExecutorContext
from tau.ports.grader import GraderContext


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


def check(config: RunConfig, report: Report) -> None:
    """Let every plug-in of `config` look for what cannot work; reports what they find."""
    rows = [row for rows in config.examples.values() for row in rows]
    checker = _Checker(
        config=config,
        report=report,
        example=next((row for row in rows if row.prompt is not None), None),
        rows=rows[:_TRIED_ROWS],
    )
    checker.check_model()
    checker.check_executor()
    checker.check_graders(config.graders)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checker:
    """The checks of all plug-ins of one configuration.

    `example` is a row that can be executed, if there is one; graders are tried on `rows`.
    """

    config: RunConfig
    report: Report
    example: Example | None
    rows: Sequence[Example]

    def check_model(self) -> None:
        """Look for a missing key or address."""
        for steps, chosen in (
            (("model",), self.config.model),
            (("algorithm", "reflection_model"), self.config.reflection.model),
        ):
            if chosen is not None:
                plugin = plugins.load(plugins.MODELS, chosen.provider)
                connections = self.config.concurrency
                context = chosen.context(self.config.environ, max_connections=connections)
                at = None if chosen.by_flag else steps
                self._run(at, plugin.check, chosen.settings, context)

    def check_executor(self) -> None:
        """Try the executor with the resources and one row."""
        config = self.config
        context = ExecutorContext(
            model=self._named_model(),
            params=config.params,
            base_dir=config.base_dir,
            concurrency=config.concurrency,
            environ=config.child_environ,
        )
        plugin = plugins.load(plugins.EXECUTORS, config.executor.type)
        settings = config.executor.settings
        self._run(("executor",), plugin.check, settings, context, config.resources, self.example)

    def check_graders(self, graders: Iterable[GraderChoice], steps: Steps = ("graders",)) -> None:
        """Check every grader of the tree."""
        for grader in graders:
            here = steps if grader.position is None else (*steps, grader.position)
            context = GraderContext(
                name=grader.name,
                model=self._named_model(),
                base_dir=self.config.base_dir,
                concurrency=self.config.concurrency,
                environ=self.config.child_environ,
            )
            plugin = plugins.load(plugins.GRADERS, grader.type)
            sound = self._run(here, plugin.check, grader.settings, context, None)
            if sound:
                try_row = partial(plugin.check, grader.settings, context)
                self._try_rows(here, grader, try_row, primary=here == ("graders", 0))
            inner = "graders" if "graders" in grader.options else "grader"
            self.check_graders(grader.children, (*here, inner))

    def _named_model(self) -> NamedModel:
        # Whether a model is named at all is the caller's question; the rest can be checked anyway.
        chosen = self.config.model
        if chosen is None:
            return NamedModel(ref="", provider="")
        return NamedModel(ref=chosen.ref, provider=chosen.provider)

    def _run(self, steps: Steps | None, check: Any, *arguments: Any) -> bool:  # noqa: ANN401
        """Without `steps`, what is checked comes from the command line."""
        try:
            check(*arguments)
        except (InputError, AttemptError) as error:
            if steps is None:
                self.report.of_model_flag(_sentence(error), fix=error.fix)
            else:
                self.report.error(steps, _sentence(error), fix=error.fix)
            return False
        return True

    def _try_rows(
        self,
        steps: Steps,
        grader: GraderChoice,
        check: Callable[[Example], object],
        *,
        primary: bool,
    ) -> None:
        """Rows that cannot be graded stay unscored: an error where the score has nothing else.

        The first row with a reference answer and the first without stand for the others.
        """
        rows = self.rows
        given = next((row for row in rows if row.expected is not None), None)
        bare = next((row for row in rows if row.expected is None), None)
        if grader.implied and bare is not None and _column(bare) is None:
            bare = None  # nobody asked for the default grader: rows may be meant to be run only
        wrong = [
            error for row in (given, bare) if row is not None and (error := _tried(check, row))
        ]
        if not wrong:
            return
        lost = [row for row in rows if _tried(check, row)]
        said, fix = _sentence(wrong[0]), _column(lost[0]) or wrong[0].fix
        if primary and not grader.implied and len(lost) == len(rows):
            self.report.error(steps, f"'{grader.name}' can grade no row: {said}", fix=fix)
        else:
            few = f"'{grader.name}' cannot grade {len(lost):,} of {len(rows):,} rows"
            self.report.warning(steps, f"{few}, which stay unscored: {said}", fix=fix)


def _tried(check: Callable[[Example], object], row: Example) -> TauError | None:
    try:
        check(row)
    except (InputError, AttemptError) as error:
        return error
    return None


def _column(row: Example) -> str | None:
    """Which column seems to hold the reference answer that a row lacks."""
    if row.expected is not None:
        return None
    found = next((name for name in _REFERENCES if row.fields.get(name) is not None), None)
    if found is None:
        return None
    where = f'set "map": {{"expected": "{found}"}} beside the rows\' file'
    return f"the column '{found}' seems to hold it: {where}, or rename it to 'expected'"


def _sentence(error: TauError) -> str:
    where = f" ({error.where})" if error.where else ""
    why = f": {error.why}" if error.why else ""
    return f"{error.what}{where}{why}"
