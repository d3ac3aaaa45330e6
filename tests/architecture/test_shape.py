"""The shape of the source: sizes and names that no other tool checks."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tau"
MACHINERY = ROOT / "tests" / "machinery"
"""What tests stand on is held to the same rules as what ships."""
FILES = [*sorted(SOURCE.rglob("*.py")), *sorted(MACHINERY.rglob("*.py"))]

FILE_LINES = 400
FUNCTION_LINES = 50

# path under src/tau -> why one file is the better reading
LONG_FILES: dict[str, str] = {
    "errors.py": "the whole error tree on one page, a few lines a class",
}

# "path::qualified.name" -> why it reads better in one piece
LONG_FUNCTIONS: dict[str, str] = {}

# A name that fits anything says nothing: name the noun instead.
EMPTY_NAMES = {
    "common", "helper", "helpers", "manager", "managers", "misc", "shared", "util", "utils"
}  # fmt: skip


def name_of(path: Path) -> str:
    """The path as this file lists it."""
    home = SOURCE if path.is_relative_to(SOURCE) else MACHINERY.parent
    return path.relative_to(home).as_posix()


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each function below `node` as (qualified name, lines of signature and body)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, code_lines(child)
            yield from functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            yield from functions(child, prefix)


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_there_is_something_to_check() -> None:
    assert FILES
    assert any(path.is_relative_to(MACHINERY) for path in FILES)


def test_files_stay_short() -> None:
    long = {
        name_of(path): lines
        for path in FILES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }

    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}
    assert sorted(set(LONG_FILES) - set(long)) == [], "exceptions that are no longer needed"


def test_functions_stay_short() -> None:
    long = {
        f"{name_of(path)}::{name}": lines
        for path in FILES
        for name, lines in functions(ast.parse(path.read_text(encoding="utf-8")))
        if lines > FUNCTION_LINES
    }

    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert sorted(set(LONG_FUNCTIONS) - set(long)) == [], "exceptions that are no longer needed"


def test_names_say_what_is_inside() -> None:
    empty = [
        name_of(path)
        for path in FILES
        for part in Path(name_of(path)).with_suffix("").parts
        if EMPTY_NAMES & set(part.split("_"))
    ]

    assert empty == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    pass\n", 2),
        ('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n', 2),
        ("@cache\ndef f(\n    a,\n):\n    return a\n", 4),
    ],
)
def test_length_leaves_out_docstring_and_decorators(source: str, lines: int) -> None:
    assert list(functions(ast.parse(source))) == [("f", lines)]
