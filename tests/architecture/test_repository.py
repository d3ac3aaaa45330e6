"""The repository says nothing about the machine it was written on."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PIN = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*==[\w.!+]+( ; .+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


@pytest.mark.parametrize("name", ["build.txt", "dev.txt", "runtime.txt"])
def test_pins_are_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    strange = [
        line
        for line in lines
        if line.strip() and not line.lstrip().startswith("#")
        if not PIN.fullmatch(line) and not HASH.fullmatch(line)
    ]

    assert strange == []


def pins(name: str) -> dict[str, set[str]]:
    """Package name -> versions; more than one where Python versions need different ones."""
    versions: dict[str, set[str]] = {}
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for package, version in re.findall(r"^(\S+)==(\S+)", text, re.M):
        versions.setdefault(package, set()).add(version)
    return versions


@pytest.mark.parametrize("name", ["build.txt", "runtime.txt"])
def test_development_set_up_extends_the_others(name: str) -> None:
    development = pins("dev.txt")

    assert {k: development.get(k) for k in pins(name)} == pins(name)


def test_no_tracked_file_names_a_package_index_or_a_home() -> None:
    pattern = r"https?://[^ ]+/(simple|packages/[0-9a-f]{2})/|/(home|root|Users)/[a-z]+/"
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    found = subprocess.run(
        ["git", "grep", "-nIE", pattern, "--", ".", ":!tests/architecture/test_repository.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.returncode == 1, found.stdout + found.stderr
