"""The mistakes of one configuration: collected while reading, given their lines at the end."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from tau.errors import ConfigIssue

JsonPath = tuple[str | int, ...]
"""The way from a document's root to one of its values: keys and indexes."""

Locate = Callable[[Collection[JsonPath]], Mapping[JsonPath, int]]
"""Finds the lines of values; those it cannot find are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Something wrong with a value, whatever it stands for; `line` where it is known already."""

    steps: JsonPath
    message: str
    fix: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedText:
    """A text that was read: its value, what is wrong in it, and how to find lines in it."""

    value: Any
    issues: tuple[Issue, ...]
    locate: Locate


class ParseError(ValueError):
    """A text or file that nothing can be read from; `line` counts from 1."""

    def __init__(self, message: str, *, line: int | None = None, fix: str | None = None) -> None:
        """`message` starts in lower case and names no file."""
        super().__init__(message)
        self.message = message
        self.line = line
        self.fix = fix

    def problem(self, file: str) -> ConfigIssue:
        """The same as a problem of `file`."""
        return ConfigIssue(message=self.message, file=file, line=self.line, fix=self.fix)


class IssueReport:
    """Collects problems of one file, and of the files it refers to."""

    def __init__(self, file: str, *, strict: bool = False) -> None:
        """With `strict`, unknown keys are errors instead of warnings."""
        self.file = file
        self.strict = strict
        self._found: list[tuple[JsonPath | None, ConfigIssue]] = []

    @property
    def failed(self) -> bool:
        """Whether anything worse than a warning was reported."""
        return any(not problem.warning for _, problem in self._found)

    def error(
        self, steps: JsonPath, message: str, *, fix: str | None = None, line: int | None = None
    ) -> None:
        """Report a mistake at `steps`."""
        self._add(steps, message, fix=fix, line=line, warning=False)

    def warning(self, steps: JsonPath, message: str, *, fix: str | None = None) -> None:
        """Report something that is probably not meant."""
        self._add(steps, message, fix=fix, line=None, warning=True)

    def unknown(self, steps: JsonPath, name: str, known: Iterable[str]) -> None:
        """Report the key `name` of the object at `steps`, which nothing reads."""
        message = f"unknown training config field '{dotted((*steps, name))}'"
        fix = suggestion(name, known)
        if self.strict:
            self.error((*steps, name), message, fix=fix)
        else:
            self.warning((*steps, name), message, fix=fix)

    def issues(self, issues: Iterable[Issue]) -> None:
        """Report what is wrong with values of the file."""
        for issue in issues:
            named = not issue.steps or issue.message.startswith("key ")
            field = "" if named else f"training config field '{dotted(issue.steps)}': "
            self.error(issue.steps, field + issue.message, fix=issue.fix, line=issue.line)

    def of_model_flag(self, message: str, *, fix: str | None = None) -> None:
        """Report a mistake in the model that the command line names."""
        self.add(ConfigIssue(message=message, file="--model", fix=fix))

    def add(self, problem: ConfigIssue) -> None:
        """Take a problem of another file as it is."""
        self._found.append((None, problem))

    def problems(self, locate: Locate) -> tuple[ConfigIssue, ...]:
        """Everything reported, with lines: the file's own in its order, then those of others."""
        wanted = {
            steps for steps, problem in self._found if steps is not None and problem.line is None
        }
        lines = nearest(wanted, locate) if wanted else {}
        own, others = [], []
        for steps, problem in self._found:
            if steps is None:
                others.append(problem)
            elif problem.line is None:
                own.append(replace(problem, line=lines.get(steps)))
            else:
                own.append(problem)
        return (*sorted(own, key=lambda problem: problem.line or 0), *others)

    def _add(
        self, steps: JsonPath, message: str, *, fix: str | None, line: int | None, warning: bool
    ) -> None:
        problem = ConfigIssue(
            message=message,
            file=self.file,
            pointer=pointer(steps),
            line=line,
            fix=fix,
            warning=warning,
        )
        self._found.append((steps, problem))


def pointer(steps: JsonPath) -> str:
    """`steps` as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def dotted(steps: JsonPath) -> str:
    """`steps` as people write them: `graders[0].pattern`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """A question after the close name, or the list where it is short, or None."""
    names = list(dict.fromkeys(known))
    folded = {each.casefold(): each for each in names}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 20 else None


def nearest(wanted: Collection[JsonPath], locate: Locate) -> dict[JsonPath, int]:
    """Lines of `wanted`; what is not there (a missing field) has the line of what would hold it."""
    ways = {steps[:length] for steps in wanted for length in range(len(steps) + 1)}
    known = locate(ways)
    lines: dict[JsonPath, int] = {}
    for steps in wanted:
        for length in range(len(steps), -1, -1):
            line = known.get(steps[:length])
            if line is not None:
                lines[steps] = line
                break
    return lines
