"""What is published about configurations: schema, reference page, starter; paths, environment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau import config, plugins
from tau.config.environment import child_environ, is_secret, own_environ, snapshot
from tau.config.reference import markdown
from tau.config.wording import adapter
from tau.domain.dataset import Split
from tau.models.providers import PROVIDERS
from unit.config.conftest import EXAMPLE, Load
from unit.config.test_choices import TREE

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "config.md"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(config.schema())


def accepts(schema: dict[str, Any], value: Any) -> bool:  # noqa: ANN401
    return jsonschema_rs.validator_for(schema).is_valid(value)


def test_schema_is_one(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize(
    "value",
    [
        EXAMPLE,
        {"train": ["a"], "$schema": "x", "val": [1, None]},
        {"optimize": {"file": "a.csv", "map": {"prompt": "q"}, "limit": None}},
        {"optimize": ["a"], "worker_count": None, "model": None, "budget": {"usd": None}},
        {"optimize": ["a"], "model": "openai/gpt-4o", "graders": [TREE, "exact"]},
        {"optimize": ["a"], "model": {"name": "ollama/x/y", "base_url": "http://h", "headers": {}}},
        {"optimize": ["a"], "model": {"seed": 3}},
        {"optimize": ["a"], "executor": {"role": "developer"}, "algorithm": {"replicates": 2}},
        {"optimize": ["a"], "retries": {"classes": {"rate_limit": {"max_attempts": 2}}}},
    ],
)
def test_schema_accepts(schema: dict[str, Any], value: dict[str, Any]) -> None:
    assert accepts(schema, value)


@pytest.mark.parametrize(
    "change",
    [
        {"optimise": []},
        {"worker_count": 0},
        {"worker_count": True},
        {"graders": []},
        {"graders": ["exakt"]},
        {"graders": [{"type": "exact", "trimm": True}]},
        {"graders": [{"type": "not", "grader": "exakt"}]},
        {"executor": {"type": "chat", "role": "sistem"}},
        {"executor": {"type": "command"}},
        {"model": "gpt-4o"},
        {"model": {"name": "sim/rules", "headers": {}}},
        {"budget": {"usd": 0}},
        {"retries": {"classes": {"rate_limits": {}}}},
        {"safety_reward": {"hard_gate_reward_ceiling": 1}},
    ],
)
def test_schema_refuses(schema: dict[str, Any], change: dict[str, Any]) -> None:
    assert not accepts(schema, {**EXAMPLE, **change})


def test_schema_needs_rows(schema: dict[str, Any]) -> None:
    assert not accepts(schema, {"test": ["a"]})


def test_every_field_of_our_own_is_described(schema: dict[str, Any]) -> None:
    sections = ["optimize", "budget", "retries", "safety_reward"]
    bare = [name for name, each in schema["properties"].items() if not each.get("description")]
    for section in sections:
        for way in schema["properties"][section]["anyOf"]:
            bare += [
                f"{section}.{name}"
                for name, each in way.get("properties", {}).items()
                if not each.get("description")
            ]

    assert bare == []


def test_every_plugin_is_in_the_schema(schema: dict[str, Any]) -> None:
    def types(ways: dict[str, Any]) -> Iterator[str]:
        return (way["properties"]["type"]["const"] for way in ways["anyOf"] if "const" in str(way))

    assert tuple(types(schema["$defs"]["grader"])) == plugins.names(plugins.GRADERS)
    assert tuple(types(schema["properties"]["executor"])) == plugins.names(plugins.EXECUTORS)
    assert tuple(types(schema["properties"]["algorithm"])) == plugins.names(plugins.ALGORITHMS)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (group, name)
        for group in (plugins.MODELS, plugins.EXECUTORS, plugins.GRADERS, plugins.ALGORITHMS)
        for name in plugins.names(group)
    ],
)
def test_settings_of_every_plugin_can_be_validated(group: str, name: str) -> None:
    settings = plugins.load(group, name).Settings

    assert adapter(settings).validate_json("[]") == []


def test_reference_page_is_current() -> None:
    again = "run: python -m tau.config.reference > docs/reference/config.md"
    assert PAGE.read_text(encoding="utf-8") == markdown(), again


@pytest.fixture
def started(tmp_path: Path) -> config.RunConfig:
    """The starter, written and loaded."""
    starter = config.starter()
    (tmp_path / "tau.yaml").write_text(starter.config, encoding="utf-8")
    (tmp_path / starter.rows_name).write_text(starter.rows, encoding="utf-8")
    return config.load(tmp_path / "tau.yaml", environ={}, strict=True)


def test_starter_is_sound(started: config.RunConfig) -> None:
    assert started.warnings == ()
    assert started.model_ref == "sim/rules"
    sizes = {split: len(rows) for split, rows in started.examples.items()}
    assert sizes == {Split.OPTIMIZE: 60, Split.VALIDATE: 60, Split.TEST: 80}


def test_starter_for_another_model_and_file(load: Load, tmp_path: Path) -> None:
    starter = config.starter(model='ollama/a"b: #', rows_name="my rows: #1.jsonl")
    (tmp_path / starter.rows_name).write_text(starter.rows, encoding="utf-8")

    assert load(starter.config, name="c.yaml", model=None).model_ref == 'ollama/a"b: #'


def test_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        config.lod  # noqa: B018


def test_snapshot_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAU_SOMETHING", "1")
    taken = snapshot()
    taken["TAU_SOMETHING"] = "2"

    assert snapshot()["TAU_SOMETHING"] == "1"


@pytest.mark.parametrize(
    "name",
    [
        *sorted({key for provider in PROVIDERS.values() for key in provider.key_variables}),
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "GITHUB_TOKEN",
        "my_api_key",
        "DB_PASSWORD",
        "CLIENT_SECRET",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ],
)
def test_children_inherit_no_credential(name: str) -> None:
    assert child_environ({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name",
    [
        "PGPASSWORD", "OPENAI_KEY", "OPENAI_API_KEY_2", "DATABASE_URL", "GITHUB_PAT", "DB_PASS",
        "SSHPASS", "JWT", "PYTHONPATH", "TAU_GATEWAY_TOKEN", "SENTRY_DSN", "OPENAI_BASE_URL",
        "SSH_AUTH_SOCK", "LCX", "PATHS",
    ],
)  # fmt: skip
def test_children_inherit_nothing_that_is_not_known_to_be_harmless(name: str) -> None:
    assert child_environ({name: "x", "LC_ALL": "C"}) == {"LC_ALL": "C"}
    assert child_environ({name: "x"}, [name]) == {name: "x"}


@given(st.dictionaries(st.text(min_size=1), st.just("x")))
def test_a_child_never_gets_a_name_that_was_made_up(environ: dict[str, str]) -> None:
    known = {name for name in environ if name.startswith("LC_") or child_environ({name: "x"})}
    assert set(child_environ(environ)) == known
    assert not {name for name in known if is_secret(name)}


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LANG", "LC_TIME", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE"]
)
def test_children_inherit_what_says_where_things_are(name: str) -> None:
    assert child_environ({name: "x"}) == {name: "x"}


def test_a_proxy_is_passed_on_without_a_password_only() -> None:
    environ = {"HTTPS_PROXY": "http://me:secret@proxy:1", "http_proxy": "http://proxy:1"}
    assert child_environ(environ) == {"http_proxy": "http://proxy:1"}


def test_the_dashboard_beside_a_run_finds_its_store_but_no_key_of_a_model() -> None:
    environ = {"PGPASSWORD": "p", "TAU_STORE": "s", "OPENAI_API_KEY": "k", "JWT": "j"}
    assert own_environ(environ) == {"PGPASSWORD": "p", "TAU_STORE": "s"}
