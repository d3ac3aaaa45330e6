"""Targets that came from files and documents: what every version of them keeps."""

import sys
from pathlib import Path

import pytest

from tau.algorithms.front_matter import broken_front_matter
from tau.algorithms.pool import Candidate
from tau.algorithms.prompts import PromptParseError, proposed, shown, targets_of
from tau.algorithms.proposers import Proposers, Texts
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.text_source import TextSource
from tau.processes.text_check import failed_check

SKILL = '---\nname: pdf\ndescription: "Reads: files"\nlicense: MIT\n---\n# PDF {x}\n'
TOOLS: dict[str, Json] = {
    "tools": [{"name": "a/b", "description": "does {x}", "n": 1.0}, {"description": "two"}]
}
RESOURCES = Resources(values={"skill": SKILL, "tools": TOOLS, "code": "x = 1\n"})
SOURCES = {
    "skill": TextSource(path="s/SKILL.md", folder="s", filled=False),
    "tools": TextSource(pointers=("/tools/0/description", "/tools/1/description"), filled=False),
    "code": TextSource(path="rank.py", check=("python",), filled=False),
}


def check(name: str, text: str) -> str | None:
    return failed_check(
        [sys.executable, "-c", "compile(open('{file}').read(), 'rank.py', 'exec')"],
        text,
        file_name=f"{name}.py",
        cwd=Path.cwd(),
        environ={},
        time_limit_s=20,
    )


TARGETS = {one.name: one for one in targets_of(RESOURCES, None, sources=SOURCES, check=check)}


def made(name: str, text: str) -> Resources:
    return proposed(RESOURCES, TARGETS[name], text, max_chars=5000)


def test_every_string_is_a_target_of_its_own() -> None:
    names = {"skill", "code", "tools#/tools/0/description", "tools#/tools/1/description"}
    assert set(TARGETS) == names
    assert shown(RESOURCES, TARGETS["tools#/tools/0/description"]) == "does {x}"
    chosen = targets_of(RESOURCES, ["tools"], sources=SOURCES)
    assert [one.pointer for one in chosen] == ["/tools/0/description", "/tools/1/description"]


def test_only_the_string_changes() -> None:
    found = made("tools#/tools/1/description", "better {y}").values["tools"]
    first = {"name": "a/b", "description": "does {x}", "n": 1.0}
    assert found == {"tools": [first, {"description": "better {y}"}]}
    assert {"tools": [first, {"description": "two"}]} == TOOLS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# PDF", "missing at the top"),
        (SKILL.replace("name: pdf", "name: other"), "field 'name'"),
        (SKILL.replace("license: MIT\n", ""), "exactly these fields"),
        (SKILL.replace('"Reads: files"', "Reads: files"), "not YAML"),
        (SKILL.replace("Reads: files", "x" * 1025), "1024 are allowed"),
        (SKILL.replace("Reads: files", " "), "is no text"),
    ],
)
def test_front_matter_is_kept(text: str, said: str) -> None:
    with pytest.raises(PromptParseError, match=said):
        made("skill", text)


def test_a_description_and_a_body_may_change() -> None:
    text = SKILL.replace("Reads: files", "Reads and fills: forms").replace("# PDF {x}", "# {y}")
    assert made("skill", text).values["skill"] == text


def test_a_description_that_is_too_long_already_may_not_grow() -> None:
    old = SKILL.replace("Reads: files", "x" * 1100)
    assert broken_front_matter(old, old.replace("xx", "yy")) is None
    assert "1100 are allowed" in (broken_front_matter(old, old.replace("xx", "xxx")) or "")


def test_the_proposer_is_told_what_must_stay_and_where_a_string_stands() -> None:
    proposers = Proposers(texts=Texts(), targets=TARGETS, examples={}, max_chars=5000)
    parent = Candidate(resources=RESOURCES, origin="seed", generation=0)

    def asked(name: str) -> str:
        return proposers.paraphrase(parent, TARGETS[name]).messages[0]["content"]

    assert "only the field 'description'" in asked("skill")
    assert "checked by a program" in asked("code")
    assert '"name":"a/b"' in asked("tools#/tools/0/description")


def test_many_strings_do_not_flood_the_question() -> None:
    many: dict[str, Json] = {"tools": [{"description": "word " * 100} for _ in range(500)]}
    resources = Resources(values={"tools": many})
    pointers = tuple(f"/tools/{number}/description" for number in range(500))
    found = targets_of(resources, None, sources={"tools": TextSource(pointers=pointers)})
    proposers = Proposers(
        texts=Texts(), targets={one.name: one for one in found}, examples={}, max_chars=5000
    )
    parent = Candidate(resources=resources, origin="seed", generation=0)
    text = proposers.paraphrase(parent, found[0]).messages[0]["content"]
    assert len(text) < 20_000
    assert "others are left out" in text


def test_a_text_must_pass_its_checker() -> None:
    assert made("code", "y = {1: 2}").values["code"] == "y = {1: 2}\n"
    with pytest.raises(PromptParseError, match="SyntaxError"):
        made("code", "y = {1: 2")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sleep", "30"], "longer than 0.2 s"),
        (["/no/such/program"], "cannot be started"),
        (["sh", "-c", "echo no good; exit 3"], "no good"),
        (["sh", "-c", "exit 3"], "exit status 3"),
        (["sh", "-c", 'test -z "$SECRET" && test -f {file}'], None),
    ],
)
def test_checkers_are_bounded(command: list[str], said: str | None, tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin"}
    limit = 0.2 if command[0] == "sleep" else 20
    found = failed_check(
        command, "x", file_name="a.py", cwd=tmp_path, environ=environ, time_limit_s=limit
    )
    assert (found is None) if said is None else (said in (found or ""))
