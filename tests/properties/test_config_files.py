"""Whatever is in a configuration file: it is a configuration or a ConfigError."""

import copy
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tau import config
from tau.config import json_text, toml_text, yaml_text
from tau.config.report import JsonPath, ParsedText, ParseError
from tau.errors import ConfigError, ConfigIssue

Write = Callable[[str, str | bytes], Path]

# YAML does not join the escapes of two surrogates, as JSON does: no characters beyond 16 bits.
text = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=12)
number = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalar = st.booleans() | number | text
value = st.recursive(
    st.none() | scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(
    text | st.fixed_dictionaries({"prompt": text}, optional={"expected": value}), max_size=3
)
run_free = st.fixed_dictionaries(
    {},
    optional={
        "worker_count": st.integers(1, 100),
        "worker_concurrency": st.integers(1, 100),
        "poll_interval_ms": st.integers(1, 1000),
        "heartbeat_interval_ms": st.integers(1, 1000),
        "completion_poll_interval_ms": st.integers(1, 1000),
        "completion_timeout_secs": st.none() | st.integers(1, 1000),
        "rollout_time_limit_secs": st.none() | st.floats(0.001, 1000),
        "budget": st.dictionaries(st.sampled_from(["calls", "tokens"]), st.integers(1, 10**12)),
        "retries": st.dictionaries(st.sampled_from(["max_attempts"]), st.integers(1, 1000)),
        "fail_fast": st.booleans(),
    },
)
meaning = st.fixed_dictionaries(
    # One row that can be graded: a named grader that can grade none is a mistake.
    {"optimize": rows.map(lambda some: [*some, {"prompt": "a", "expected": "b"}])},
    optional={
        "validate": rows,
        "test": rows,
        "params": st.dictionaries(text, value, max_size=3),
        "seed": st.integers(0, 2**63 - 1),
        "replicates": st.integers(1, 5),
        "graders": st.sampled_from([["exact"], ["exact", {"type": "not", "grader": "token-f1"}]]),
        "executor": st.sampled_from(["chat", {"type": "chat", "role": "developer"}]),
        "safety_reward": st.dictionaries(st.just("blocked_penalty"), st.floats(0, 10)),
    },
)
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def write() -> Iterator[Write]:
    """Writes a file of this name and content."""
    with tempfile.TemporaryDirectory() as folder:

        def writing(name: str, content: str | bytes) -> Path:
            path = Path(folder) / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            return path

        yield writing


def loaded(path: Path) -> config.RunConfig:
    return config.load(path, environ={}, model="sim/rules")


def toml(item: Any) -> str:  # noqa: ANN401
    """A TOML value; it has no null, so those must be left out before."""
    if isinstance(item, Mapping):
        pairs = (f"{toml(key)} = {toml(each)}" for key, each in item.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(toml(each) for each in item) + "]"
    if isinstance(item, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in item) + '"'
    return json.dumps(item)


@quick
@given(said=meaning)
def test_json_and_yaml_say_the_same(write: Write, said: dict[str, Any]) -> None:
    plain = loaded(write("a.json", json.dumps(said, ensure_ascii=False)))
    flow = loaded(write("b.yaml", json.dumps(said)))
    block = loaded(write("c.yaml", yaml.safe_dump(said, default_style='"', width=9999)))

    assert plain.config_hash == flow.config_hash == block.config_hash
    assert plain.semantic == flow.semantic


@quick
@given(said=meaning)
def test_toml_says_the_same(write: Write, said: dict[str, Any]) -> None:
    said = without_nulls(said)
    pairs = (f"{toml(key)} = {toml(each)}\n" for key, each in said.items())
    plain = loaded(write("a.json", json.dumps(said)))

    assert loaded(write("b.toml", "".join(pairs))).config_hash == plain.config_hash


def without_nulls(item: Any) -> Any:  # noqa: ANN401
    if isinstance(item, dict):
        return {key: without_nulls(each) for key, each in item.items() if each is not None}
    if isinstance(item, list):
        return [without_nulls(each) for each in item if each is not None]
    return item


@quick
@given(said=meaning, free=run_free)
def test_how_it_runs_does_not_change_what_runs(
    write: Write, said: dict[str, Any], free: dict[str, Any]
) -> None:
    before = loaded(write("a.json", json.dumps(said)))
    after = loaded(write("folder-does-not-matter.json", json.dumps({**free, **said})))

    assert before.config_hash == after.config_hash
    assert before.examples == after.examples


@quick
@given(said=meaning, data=st.data())
def test_any_order_of_keys_is_the_same(write: Write, said: dict[str, Any], data: Any) -> None:  # noqa: ANN401
    shuffled = dict(data.draw(st.permutations(list(said.items()))))

    assert loaded(write("a.json", json.dumps(said))).config_hash == (
        loaded(write("b.json", json.dumps(shuffled))).config_hash
    )


FULL: dict[str, Any] = {
    "optimize": ["a", {"prompt": "b", "expected": "c"}],
    "validate": {"file": "none.jsonl", "map": {"prompt": "q"}, "limit": 3},
    "resources": {"system_prompt": "Be {kind}.", "chat": [{"role": "system", "content": "x"}]},
    "model": {"name": "sim/rules", "seed": 1, "timeout_s": 3},
    "params": {"temperature": 0.5},
    "executor": {"type": "chat", "role": "system"},
    "graders": ["exact", {"type": "weighted", "graders": ["number"], "weights": [1]}],
    "algorithm": {"type": "evaluate", "replicates": 2},
    "budget": {"usd": 1},
    "retries": {"classes": {"rate_limit": {"max_attempts": 3}}},
    "safety_reward": {"reason_code_penalties": {"a": 1}},
    "worker_count": 2,
    "seed": 3,
    "strict": False,
}


def places(item: Any, steps: JsonPath = ()) -> Iterator[JsonPath]:  # noqa: ANN401
    """The way to every value in `item`."""
    yield steps
    if isinstance(item, dict | list):
        children = item.items() if isinstance(item, dict) else enumerate(item)
        for step, child in children:
            yield from places(child, (*steps, step))


def replaced(item: Any, steps: JsonPath, new: Any) -> Any:  # noqa: ANN401
    if not steps:
        return new
    changed = copy.deepcopy(item)
    parent = changed
    for step in steps[:-1]:
        parent = parent[step]
    parent[steps[-1]] = new
    return changed


strange = value | st.sampled_from(
    [math.nan, math.inf, 2**64, -(2**63) - 1, "\ud800", 1.0, 0, -1, ""]
)


@quick
@given(
    changes=st.lists(st.tuples(st.sampled_from(list(places(FULL))), strange), max_size=3),
    strict=st.booleans(),
)
@example(changes=[(("model", "name"), "openai/x")], strict=False)
def test_any_change_gives_a_configuration_or_a_config_error(
    write: Write, changes: list[tuple[JsonPath, Any]], strict: bool
) -> None:
    said: Any = FULL
    for steps, new in changes:
        if steps in set(places(said)):
            said = replaced(said, steps, new)
    path = write("a.json", json.dumps(said))
    lines = path.read_text().count("\n") + 1
    found = problems(path, strict=strict)
    assert found is None or any(not problem.warning for problem in found)
    assert all(problem.file for problem in found or ())
    assert all(1 <= (problem.line or 1) <= lines for problem in found or ())


def problems(path: Path, *, strict: bool = False) -> tuple[ConfigIssue, ...] | None:
    """The problems of the configuration, None where it can be used; no other error is allowed."""
    try:
        config.load(path, environ={}, model="sim/rules", strict=strict)
    except ConfigError as error:
        return error.problems
    return None


@quick
@given(
    damage=st.tuples(st.integers(0, 2000), st.integers(0, 50), st.binary(max_size=6)),
    name=st.sampled_from(["a.json", "a.yaml", "a.toml"]),
)
def test_any_damage_gives_a_configuration_or_a_config_error(
    write: Write, damage: tuple[int, int, bytes], name: str
) -> None:
    at, size, new = damage
    whole = json.dumps(FULL, indent=1).encode()
    if name == "a.toml":
        whole = "".join(f"{key} = {toml(each)}\n" for key, each in FULL.items()).encode()
    at %= len(whole)
    assert problems(write(name, whole[:at] + new + whole[at + size :])) != ()


@given(content=st.text(st.sampled_from("abc[]{}&*!:,-?|>'\"#%@`~ \n\t01.e+\\"), max_size=60))
@pytest.mark.parametrize("parse", [json_text.parse, yaml_text.parse, toml_text.parse])
def test_any_text_is_parsed_or_unusable(parse: Callable[[str], ParsedText], content: str) -> None:
    last = content.count("\n") + 1
    document = parsed(parse, content)
    if isinstance(document, ParseError):
        assert document.message
        assert document.line is None or 1 <= document.line <= last
    else:
        lines = document.locate(set(places(document.value)))
        assert all(1 <= line <= last for line in lines.values())


def parsed(parse: Callable[[str], ParsedText], content: str) -> ParsedText | ParseError:
    try:
        return parse(content)
    except ParseError as error:
        return error


@given(said=st.dictionaries(text, value, max_size=4))
@pytest.mark.parametrize("indent", [None, 1])
def test_every_value_of_json_has_its_line(said: dict[str, Any], indent: int | None) -> None:
    written = json.dumps(said, indent=indent)
    document = json_text.parse(written)
    ways = list(places(said))

    assert document.value == said
    assert set(document.locate(set(ways))) == set(ways)
