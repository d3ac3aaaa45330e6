"""Code of others that the dashboard serves: named, licensed, and exactly what was published."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "src" / "tau" / "gateway" / "static"
LISTED = tomllib.loads((STATIC / "vendor" / "vendored.toml").read_text())["file"]


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: entry["name"])
def test_files_are_what_was_published(entry: dict[str, str]) -> None:
    content = (STATIC / "vendor" / entry["name"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    assert entry["licence"] in ("0BSD", "MIT")
    assert (STATIC / "vendor" / entry["licence_file"]).read_text().strip()


def test_nothing_else_is_vendored() -> None:
    known = {entry["name"] for entry in LISTED} | {entry["licence_file"] for entry in LISTED}
    assert {path.name for path in (STATIC / "vendor").iterdir()} == known | {"vendored.toml"}


def test_what_is_ours_asks_nobody_and_evaluates_nothing() -> None:
    ours = [path for path in STATIC.iterdir() if path.is_file()]
    ours += (STATIC.parent / "templates").iterdir()
    for path in ours:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert not re.search(r"\beval\(|new Function|innerHTML|\son[a-z]+=|style=|<style", text), (
            path
        )
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]* src=)", text), path
            assert text.count("|safe") == (path.name in ("body.html", "frame.html")), path


def test_assets_stay_light() -> None:
    sent = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".svg")]
    assert sum(path.stat().st_size for path in sent) < 90_000
