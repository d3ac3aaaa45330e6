"""Names are the field's, and each stands for one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tau"
COINED = (
    "bred|bystander|crews?|doorkeepers?|equipment|flaws?|heats?|obeys?|performer|postbox|purse"
    "|troop|wish(?:es)?|workplace"
)
"""Words of an earlier private language, most of them names of classes; they may not come back."""
_COINED = re.compile(rf"(?<![A-Za-z])({COINED})(?![a-z])", re.IGNORECASE)
_CAMEL = re.compile(rf"({'|'.join(word.capitalize() for word in COINED.split('|'))})(?=[A-Z])")
CATALOGUES = SOURCE / "sim" / "catalogue"
"""Texts of the simulated world, in the words of its letters."""


def public_classes() -> dict[str, list[str]]:
    found = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(SOURCE)))
    return found


def test_no_two_public_classes_have_one_name() -> None:
    twice = {name: places for name, places in public_classes().items() if len(places) > 1}

    assert not twice


@pytest.mark.parametrize("name", ["control", "settings", "serving", "documents"])
def test_files_of_one_name_tell_themselves_apart(name: str) -> None:
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob(f"{name}.py")}

    assert len({path for path in found if "/commands/" not in path}) <= 1


def written() -> list[Path]:
    """The product's text but for its history."""
    files = [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.sql"), *SOURCE.rglob("*.html")]
    files += [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"]
    files += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return [path for path in files if CATALOGUES not in path.parents]


def test_coined_words_do_not_come_back() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in written()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _COINED.search(line) or _CAMEL.search(line)
    }

    assert not found
