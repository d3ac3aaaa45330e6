"""The list of runtime dependencies is that of the pins, and auditing them says what it knows."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_list_is_that_of_the_pins_with_licences_as_declared() -> None:
    licences = tool("licences")
    assert licences.document() == licences.TARGET.read_text(encoding="utf-8"), "make licences"
    assert len(licences.listed()) == len(licences.pinned()) > 20
    told = {name: found[1] for name, found in licences.listed().items()}
    assert licences.UNKNOWN not in told.values()
    assert [name for name, words in told.items() if "GPL" in words.upper()] == []


VULNERABLE = {
    "dependencies": [
        {"name": "good", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [
            {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"]}]},
    ]
}  # fmt: skip
GOOD = [{"name": "good", "version": "1", "vulns": []}]
PROGRAMS = {
    "nothing known": (f"print('''{json.dumps({'dependencies': GOOD})}''')",
                      0, "1 packages, no known vulnerabilities"),
    "one known": (f"print('''{json.dumps(VULNERABLE)}'''); sys.exit(1)",
                  1, "bad 2: PYSEC-1, CVE-1; fixed in 2.1"),
    "no source": ("sys.stderr.write('Traceback\\nConnectionError: no route\\n'); sys.exit(1)",
                  0, "NOT CHECKED: ConnectionError: no route"),
    "nonsense": ("print('[]'); sys.exit(1)", 0, "NOT CHECKED"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_audit_fails_for_what_is_known_only(tmp_path: Path, name: str) -> None:
    source, code, said = PROGRAMS[name]
    program = tmp_path / "pip-audit"
    program.write_text(f"#!{sys.executable} -S\nimport sys\n{source}\n")
    program.chmod(0o755)
    done = audited(program)
    assert (done.returncode, said in done.stdout) == (code, True), done


def test_an_audit_without_the_program_is_no_failure(tmp_path: Path) -> None:
    done = audited(tmp_path / "nowhere")
    assert done.returncode == 0
    assert "NOT CHECKED: pip-audit cannot be run: No such file" in done.stdout


def audited(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", str(ROOT / "tools" / "audit.py"), str(program), "pins.txt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
