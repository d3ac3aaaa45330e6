"""What others may rely on: a change here is a change for them, and belongs in CHANGELOG.md."""

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import tau
import tau.errors
from tau.errors import TauError

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())

PUBLIC = ["RetryLater", "__version__", "certify", "evaluate", "optimize"]

ERRORS = """
TauError
  AttemptError
    BudgetRefused
    ExampleInvalid
    ExecutorFailed
    GraderFailed
    ModelError
      AnswerIncomplete
      AuthenticationFailed
      ConnectionFailed
        NotConnected
      ContentFiltered
      MalformedResponse
      ModelNotFound
      ModelTimeout
      Overloaded
      QuotaExhausted
      RateLimited
      RequestRejected
        ContextTooLong
      ServerFailed
    RetryLater
    SafetyRejected
    TimeLimitExceeded
  ClusterError
  ControlError
    AccessDenied
    PolicyInvalid
    RecoveryRefused
  FileError
  InputError
    ConfigError
    MissingKey
    PluginError
    UsageError
  RunError
    NothingScored
    RunStopped
    TrainerTimeout
  StoreError
    Conflict
    IllegalTransition
    LeaseLost
    NotFound
    RunActive
    StoreDamaged
    StoreFull
    StoreUnavailable
    StoreVersion
"""

GROUPS = ["tau.algorithms", "tau.executors", "tau.graders", "tau.models", "tau.stores"]


def tree(kind: type[TauError], depth: int = 0) -> Iterator[str]:
    """The shipped errors from `kind` down, one a line, indented by depth."""
    yield "  " * depth + kind.__name__
    for child in sorted(kind.__subclasses__(), key=lambda c: c.__name__):
        if child.__module__.partition(".")[0] == "tau":
            yield from tree(child, depth + 1)


def modules() -> list[str]:
    """Every module of the package."""
    return [m.name for m in pkgutil.walk_packages(tau.__path__, "tau.") if "__main__" not in m.name]


def test_package_names() -> None:
    assert sorted(tau.__all__) == PUBLIC
    assert re.fullmatch(r"\d+\.\d+\.\d+", tau.__version__)


def test_error_tree() -> None:
    for name in modules():
        importlib.import_module(name)

    assert list(tree(TauError)) == ERRORS.split("\n")[1:-1]


def test_error_tree_is_drawn_as_it_is() -> None:
    drawn = set(re.findall(r"^[ │├└─]+([A-Z]\w+)", tau.errors.__doc__ or "", re.M))

    assert drawn == {line.strip() for line in ERRORS.split()}


def test_entry_point_groups() -> None:
    assert sorted(PYPROJECT["project"]["entry-points"]) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_entry_points_load(group: str) -> None:
    for name, target in PYPROJECT["project"]["entry-points"][group].items():
        assert EntryPoint(name, target, group).load()
