"""What could go wrong on this machine, found before it does."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tau import __version__
from tau.cli import figures
from tau.cli.databases import file_of
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.report import store_option
from tau.cli.surface import Exit
from tau.cli.text import facts
from tau.config.environment import is_secret, snapshot
from tau.domain.ids import short_run
from tau.errors import StoreError
from tau.models.providers import PROVIDERS
from tau.plugins import EXTRAS, is_installed, missing_fix
from tau.ports.insights import StoreFacts
from tau.wiring.crashes import stopped_without_a_word
from tau.wiring.stores import scheme_of

_PACKAGES = ("aiohttp", "apsw", "click", "orjson", "pydantic", "rich")
_LITTLE_SPACE = 1 << 30


_MARKS = {True: "ok", False: "PROBLEM", None: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """One thing looked at; `ok` is None where nothing can be wrong with it."""

    topic: str
    found: str
    ok: bool | None = None
    fix: str | None = None


def examine(store: str, *, as_json: bool) -> int:
    """Print every finding; exit code 1 where something is wrong."""
    findings = [*_versions(), *_extras(), *_store(store), *_environment(snapshot())]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        topics = max(len(one.topic) for one in findings)
        rows = [
            (
                f"{one.topic:{topics}}  {_MARKS[one.ok]}",
                f"{one.found}; {one.fix}" if one.fix else one.found,
            )
            for one in findings
        ]
        print_lines([*facts(rows), "", _summary(findings)])
    return Exit.FAILED if any(one.ok is False for one in findings) else Exit.OK


def _summary(findings: Sequence[DoctorCheck]) -> str:
    wrong = sum(one.ok is False for one in findings)
    return f"{figures.count(wrong, 'problem')} found" if wrong else "nothing is wrong"


def _versions() -> Iterator[DoctorCheck]:
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield DoctorCheck(topic="tau", found=__version__)
    yield DoctorCheck(topic="python", found=python, ok=sys.version_info >= (3, 11))
    for package in _PACKAGES:
        try:
            yield DoctorCheck(topic=package, found=version(package))
        except PackageNotFoundError:
            yield DoctorCheck(
                topic=package, found="not installed", ok=False, fix="install tau again"
            )


def _extras() -> Iterator[DoctorCheck]:
    """What was left out of the installation, and how to add it; nobody needs all of it."""
    missing: dict[str, str] = {}
    for module, extra in EXTRAS.items():
        if not is_installed(module):
            missing.setdefault(extra, missing_fix(module))
    for extra in dict.fromkeys(EXTRAS.values()):
        found = "not installed" if extra in missing else "installed"
        yield DoctorCheck(topic=f"extra {extra}", found=found, fix=missing.get(extra))


def _store(location: str) -> Iterator[DoctorCheck]:
    if scheme_of(location) != "sqlite":
        yield from _contents(location)
        return
    path = file_of(location)
    if any(Path(f"{path}{suffix}").exists() for suffix in ("", "-wal")):
        yield from _contents(location)
    else:
        yield DoctorCheck(topic="store", found=f"'{location}' is not there yet; a run makes it")
    folder = next(place for place in path.absolute().parents if place.exists())
    yield _writable(folder)
    yield _space(folder)


def _contents(location: str) -> Iterator[DoctorCheck]:
    try:
        found = read(location, lambda opened: opened.insights.facts())
    except StoreError as error:
        yield DoctorCheck(topic="store", found=error.summary, ok=False, fix=error.fix)
        return
    yield DoctorCheck(topic="store", found=_facts_text(found), ok=True)
    yield from _crashed(location)
    for name, value in found.details.items():
        yield DoctorCheck(topic=f"store {name}", found=value)


def _crashed(location: str) -> Iterator[DoctorCheck]:
    """Runs that nobody drives although they were never ended."""
    for run in read(location, stopped_without_a_word):
        yield DoctorCheck(
            topic="run",
            found=f"{short_run(run.id)} stopped without a word: its process is gone",
            ok=False,
            fix=f"go on with it: tau resume --run{store_option(location)}, or start it again as it "
            f"was started; end it for good: tau cancel{store_option(location)}",
        )


def _facts_text(found: StoreFacts) -> str:
    size = "" if found.size_bytes is None else f", {found.size_bytes / 1e6:,.1f} MB"
    return (
        f"{found.location}: {found.backend}, schema version {found.schema_version}, "
        f"{figures.count(found.runs, 'run')}, {figures.count(found.rollouts, 'rollout')}{size}"
    )


def _writable(folder: Path) -> DoctorCheck:
    writable = os.access(folder, os.W_OK | os.X_OK)
    return DoctorCheck(
        topic="folder",
        found=f"'{folder}' {'can' if writable else 'cannot'} be written to",
        ok=writable,
        fix=None if writable else "choose another --store, or change the folder's permissions",
    )


def _space(folder: Path) -> DoctorCheck:
    free = shutil.disk_usage(folder).free
    enough = free >= _LITTLE_SPACE
    return DoctorCheck(
        topic="disk",
        found=f"{free / 1e9:,.1f} GB free",
        ok=enough,
        fix=None if enough else "make space: a store that cannot grow makes runs wait",
    )


def _environment(environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Names only: a value may be a secret wherever it stands."""
    known = {name for provider in PROVIDERS.values() for name in provider.key_variables}
    keys = sorted(name for name in known if environ.get(name))
    yield DoctorCheck(topic="keys", found=f"set: {', '.join(keys)}" if keys else "none are set")
    ours = sorted(name for name in environ if name.startswith("TAU_") and not is_secret(name))
    if ours:
        yield DoctorCheck(topic="environment", found=f"options set by {', '.join(ours)}")
