"""Write docs/reference/dependencies.md: every pinned runtime package with its licence.

Licences are read from what is installed. Of a package that this machine does not need (another
system, another Python) the line that is there already is kept.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINS = ROOT / "requirements" / "runtime.txt"
TARGET = ROOT / "docs" / "reference" / "dependencies.md"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_ROW = re.compile(r"^\| ([A-Za-z0-9._-]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
UNKNOWN = "not told"
ELSEWHERE = "not installed where this was written"
_HEAD = """\
# Runtime dependencies

What `make setup` installs, with the licence that each package declares. Written by `make licences`
from `requirements/runtime.txt`; a test holds it to that file. Known vulnerabilities: `make audit`.

| package | version | licence |
|---|---|---|
"""


def pinned() -> dict[str, str]:
    """Versions by package."""
    return dict(_PIN.findall(PINS.read_text(encoding="utf-8")))


def listed() -> dict[str, tuple[str, str]]:
    """Version and licence by package, as the document has them."""
    if not TARGET.exists():
        return {}
    rows = _ROW.findall(TARGET.read_text(encoding="utf-8"))
    return {name: (found, licence) for name, found, licence in rows if name != "package"}


def licence(package: str) -> str | None:
    """What the installed package declares; None where it is not installed."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return None
    if expression := told.get("License-Expression"):
        return str(expression)
    kinds = [
        text.rpartition(" :: ")[2]
        for text in told.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    words = str(told.get("License") or "").strip()
    return words if words and "\n" not in words else " / ".join(sorted(kinds)) or UNKNOWN


def document() -> str:
    """The whole document."""
    known = listed()
    rows = []
    for package, number in sorted(pinned().items()):
        kept = known.get(package, ("", ELSEWHERE))[1]
        rows.append(f"| {package} | {number} | {licence(package) or kept} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET.relative_to(ROOT)}\n")
