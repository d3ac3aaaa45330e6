import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tau.errors import PluginError
from tau.plugins import load_callable


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_of_a_module_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "my_graders.py").write_text("class Own:\n @staticmethod\n def score():\n  return 7")

    assert load_callable("my_graders:Own.score", tmp_path)() == 7


def test_a_module_beside_the_configuration_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("def rgb_to_hsv(*a):\n  return 'fooled'")

    assert load_callable("colorsys:rgb_to_hsv", tmp_path)(0, 0, 0) == (0, 0, 0)


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "f.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Box:\n  n: int = 0\n"
        "box = Box()\n"
        "def count():\n  box.n += 1\n  return box.n\n"
    )

    assert load_callable("sub/f.py:count", tmp_path)() == 1
    assert load_callable("./sub/../sub/f.py:count", tmp_path)() == 2
    assert load_callable(f"{folder / 'f.py'}:count", Path("/"))() == 3


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("score", "names no function"),
        ("mod:", "names no function"),
        (":score", "names no function"),
        ("missing.py:score", "no file"),
        ("no_such_module_anywhere:score", "ModuleNotFoundError"),
        ("..relative:score", "cannot be imported"),
        ("g.py:scor", "has no 'scor'"),
        ("g.py:score.inner", "has no 'score.inner'"),
        ("g.py:number", "int is no function"),
        ("broken.py:f", "ZeroDivisionError: division by zero"),
        ("syntax.py:f", "SyntaxError"),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, target: str, says: str) -> None:
    (tmp_path / "g.py").write_text("number = 3\ndef score():\n  return 1")
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "syntax.py").write_text("def f(:")

    with pytest.raises(PluginError, match=says) as failed:
        load_callable(target, tmp_path)

    assert failed.value.fix


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "g.py").write_text("def score():\n  return 1")

    with pytest.raises(PluginError) as failed:
        load_callable("g.py:scor", tmp_path)

    assert failed.value.fix == "did you mean score?"


def test_a_file_put_right_can_be_loaded_after_all(tmp_path: Path) -> None:
    file = tmp_path / "g.py"
    file.write_text("1 / 0")
    with pytest.raises(PluginError):
        load_callable("g.py:f", tmp_path)

    file.write_text("def f():\n  return 'put right'")

    assert load_callable("g.py:f", tmp_path)() == "put right"
