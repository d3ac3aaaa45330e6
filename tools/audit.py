"""Known vulnerabilities of the pinned packages: `audit.py PIP_AUDIT REQUIREMENTS...`.

Exit code 1 where one is known. Where no source of vulnerabilities can be reached nothing is known,
which is said and is no failure: a machine without a network must be able to run everything else.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

_PATIENCE_S = 300


def main(program: str, files: Sequence[str]) -> int:
    """Check each file; 1 where anything in it is known to be vulnerable."""
    worst = 0
    for file in files:
        found, trouble = _audited(program, file)
        if found is None:
            print(f"{file}: NOT CHECKED: {trouble}")
            continue
        lines = list(_vulnerable(found))
        print(f"{file}: {len(found)} packages, {len(lines) or 'no'} known vulnerabilities")
        print("".join(f"  {line}\n" for line in lines), end="")
        worst = max(worst, 1 if lines else 0)
    return worst


def _audited(program: str, file: str) -> tuple[list[dict[str, Any]] | None, str]:
    """What pip-audit tells of each package, or None and why it could not."""
    command = [
        program, "--disable-pip", "--require-hashes", "--requirement", file,
        "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
        return json.loads(done.stdout)["dependencies"], ""
    except OSError as error:
        return None, f"pip-audit cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return None, f"no answer within {_PATIENCE_S} s"
    except (ValueError, KeyError, TypeError):
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return None, said[-1].strip()[:300] if said else f"pip-audit exited with {done.returncode}"


def _vulnerable(packages: Sequence[dict[str, Any]]) -> Iterator[str]:
    for package in packages:
        for known in package.get("vulns", ()):
            fixed = ", ".join(known.get("fix_versions", ())) or "nothing yet"
            names = ", ".join([known["id"], *known.get("aliases", ())])
            yield f"{package['name']} {package['version']}: {names}; fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
