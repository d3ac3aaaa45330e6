"""The core does its work without any extra, and names the extra where one is missing."""

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import orjson
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tau import plugins
from tau.cli.demonstration import configuration
from tau.domain.dataset import Split
from tau.errors import PluginError
from tau.sim.world import World

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
CORE = [re.split(r"[><=; ]", each)[0] for each in PYPROJECT["project"]["dependencies"]]
MOST_DISTRIBUTIONS = 26
MOST_BYTES = 46_000_000
EXTRAS = PYPROJECT["project"]["optional-dependencies"]

# What the extras bring must be found by nobody; a child that knows it is then like a core install.
CHILD = """
import json, os, sys, tempfile

class Without:
    def __init__(self, finder, hidden):
        self._finder, self._hidden = finder, hidden
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self._hidden:
            return None
        return self._finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self._finder, name)

hidden, commands = json.loads(sys.argv[1])
sys.meta_path[:] = [Without(finder, hidden) for finder in sys.meta_path]
import tau
from tau.cli import main
said = []
for words in commands:
    sys.argv = ["tau", *words]
    files = [tempfile.TemporaryFile("w+") for _ in (1, 2)]
    kept = [os.dup(1), os.dup(2)]
    for number, file in enumerate(files, 1):
        os.dup2(file.fileno(), number)
    try:
        main.tau()
    except SystemExit as end:
        sys.stdout.flush(), sys.stderr.flush()
        for number, file in enumerate(kept, 1):
            os.dup2(file, number)
        said.append([end.code, *(file.seek(0) or file.read() for file in files)])
names = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([said, sorted(names & set(hidden))]))
"""


@dataclass(frozen=True)
class Said:
    """What one command printed."""

    code: int
    out: str
    err: str


class Core:
    """A folder in which commands run with the core alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What the libraries of the extras bring with them is not there either.
        self.hidden = [*plugins.EXTRAS, "httpx2", "httpcore2", "h11", "anyio", "starlette"]

    def config(self, name: str, **fields: Any) -> str:  # noqa: ANN401
        rows = {split.value: list(World(4).examples(split, 20)) for split in Split}
        made = {**configuration(), **rows, "budget": {"rollouts": 150}, **fields}
        (self.folder / name).write_bytes(orjson.dumps(made))
        return name

    def ask(self, *commands: list[str]) -> list[Said]:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps([self.hidden, commands])],
            cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
            env={"OPENAI_API_KEY": "sk-none", "COLUMNS": "80"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said, imported = json.loads(done.stdout)
        assert imported == []
        return [Said(*one) for one in said]


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return Core(tmp_path)


def test_an_optimization_runs_on_the_core_alone(core: Core) -> None:
    core.config("sim.json")

    optimized, shown, models, graders, schema = core.ask(
        ["optimize", "sim.json", "--json"],
        ["runs"],
        ["models", "list"],
        ["graders", "list"],
        ["schema", "config"],
    )

    assert optimized.code in {0, 3}, optimized.err
    assert json.loads(optimized.out)["decision"]
    assert shown.code == models.code == 0
    assert "json-schema" in graders.out, "a grader is listed whether or not it can be used"
    assert "json-schema" in schema.out, "editors know it, too"


def test_a_grader_without_its_extra_names_it_before_anything_is_spent(core: Core) -> None:
    core.config("graded.json", graders=[{"type": "json-schema", "schema": {"type": "object"}}])

    checked, ran = core.ask(["check", "graded.json"], ["optimize", "graded.json"])

    for said in (checked, ran):
        assert said.code == 2
        told = " ".join(said.err.split())
        assert "the grader 'json-schema' needs the package 'jsonschema_rs'" in told
        assert "pip install 'tau[schema]'" in told
    assert not list(core.folder.glob("**/*.sqlite"))


def test_without_a_price_list_costs_are_unknown_and_limits_in_dollars_refused(core: Core) -> None:
    free, limited = {"model": "openai/gpt-5.4-mini"}, {"budget": {"usd": 1.0}}
    core.config("unknown.json", **free)
    core.config("limited.json", **free, **limited)
    core.config("cheaper.json", **free, objective={"minimize": "usd", "not_worse": 0.02})
    core.config("offline.json", **limited)

    unknown, planned, refused, cheaper, offline = core.ask(
        ["check", "unknown.json"], ["plan", "unknown.json"], ["check", "limited.json"],
        ["plan", "cheaper.json"], ["check", "offline.json"],
    )  # fmt: skip

    assert unknown.code == 0
    told = " ".join(unknown.err.split())
    assert "warning" in told
    assert "what calls of 'openai' cost is unknown" in told
    assert "pip install 'tau[prices]'" in told
    assert "no price of this model is known" in planned.out
    assert refused.code == 2
    assert "the limit cannot be kept" in " ".join(refused.err.split())
    assert cheaper.code == 2
    assert "pip install 'tau[prices]'" in " ".join(cheaper.err.split())
    assert (offline.code, offline.err) == (0, ""), "what costs nothing needs no prices"


def test_the_doctor_tells_which_extras_are_missing(core: Core) -> None:
    (said,) = core.ask(["doctor", "--json"])

    found = {one["topic"]: one for one in json.loads(said.out)}
    assert said.code == 0
    for extra in set(plugins.EXTRAS.values()):
        assert found[f"extra {extra}"]["found"] == "not installed"
        assert f"pip install 'tau[{extra}]'" in found[f"extra {extra}"]["fix"]


def test_the_core_is_what_it_is() -> None:
    """A new name here is a new distribution, with what it depends on, for everybody."""
    assert sorted(CORE) == [
        "PyYAML", "aiohttp", "annotated-types", "apsw", "backports.zstd", "click", "orjson",
        "pydantic", "regex", "rich", "typing-extensions",
    ]  # fmt: skip
    assert set(plugins.EXTRAS.values()) == set(EXTRAS) - {"all"}


def distributions() -> dict[str, int]:
    """What a core install brings, with the bytes of its files; byte code is each machine's own."""
    own = (Path(__file__).parents[2] / "src" / "tau").rglob("*")
    found = {"tau": sum(f.stat().st_size for f in own if f.is_file() and f.suffix != ".pyc")}
    names = [Requirement(each) for each in PYPROJECT["project"]["dependencies"]]
    while names:
        wanted = names.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        made = distribution(name)
        found[name] = sum(file.size or 0 for file in made.files or ())
        names += [Requirement(each) for each in made.requires or ()]
    return found


def test_the_core_stays_small() -> None:
    found = distributions()

    assert len(found) <= MOST_DISTRIBUTIONS, sorted(found)
    assert sum(found.values()) <= MOST_BYTES, sorted(found.items(), key=lambda each: each[1])


@pytest.mark.parametrize("extra", ["gateway", "prices", "schema"])
def test_setting_up_a_checkout_installs_the_extras_of_one_machine(extra: str) -> None:
    pins = (Path(__file__).parents[2] / "requirements" / "runtime.txt").read_text()

    assert f"tau[{extra}]" in EXTRAS["all"][0] or extra in EXTRAS["all"][0]
    for package in EXTRAS[extra]:
        name = re.split(r"[><=; ]", package)[0]
        assert re.search(rf"^{re.escape(name)}==", pins, re.M), name


def test_only_what_is_missing_is_told_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is there but cannot be imported is another mistake."""
    with pytest.raises(PluginError, match="grader 'x' needs the package 'no_such_module'"):
        plugins.extra_module("no_such_module", user="grader 'x'")
    monkeypatch.setitem(sys.modules, "json.decoder", None)
    monkeypatch.delitem(sys.modules, "json")
    with pytest.raises(ModuleNotFoundError, match=r"json\.decoder"):
        plugins.extra_module("json", user="grader 'x'")
