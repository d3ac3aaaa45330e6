"""YAML and TOML beside JSON."""

import pytest

from tau.domain.dataset import Split
from tau.errors import ConfigError
from unit.config.conftest import Load, Problems

YAML = """\
optimize:
  - {prompt: What is 2 + 2?, expected: "4"}
validate: [{prompt: "What is 3 + 3?", expected: '6'}]
resources:
  system_prompt: >-
    You are a concise
    assistant.
worker_count: 2
completion_timeout_secs: 30
"""

TOML = """\
worker_count = 2
completion_timeout_secs = 30

[[optimize]]
prompt = "What is 2 + 2?"
expected = "4"

[[validate]]
prompt = "What is 3 + 3?"
expected = "6"

[resources]
system_prompt = "You are a concise assistant."
"""


def test_three_syntaxes_say_the_same(load: Load) -> None:
    hashes = {
        load().config_hash,
        load(YAML, name="c.yaml").config_hash,
        load(YAML, name="c.YML").config_hash,
        load(TOML, name="c.toml").config_hash,
        load(TOML.replace("\n", "\r\n"), name="c.toml").config_hash,
    }

    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("off", "off"),
        ("2024-01-01", "2024-01-01"), ("12:30", "12:30"), ("0123", "0123"), ("1_000", "1_000"),
        ("0x1F", "0x1F"), ("1e", "1e"), (".", "."), ("+", "+"), ("e5", "e5"), ("=", "="),
        ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
        ("1", 1), ("-0", 0), ("+5", 5), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0),
        ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("! 1", "1"), ("!!int 3", 3),
        ("&a x", "x"), ("|\n    a\n    b", "a\nb\n"),
    ],
)  # fmt: skip
def test_scalars_of_yaml(load: Load, written: str, value: object) -> None:
    text = f"optimize:\n- prompt: a\n  expected: {written}\n"
    (row,) = load(text, name="c.yaml").examples[Split.OPTIMIZE]

    assert row.expected == value
    assert type(row.expected) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("optimize: [a]\nseed: .nan\n", 2, "'.nan' is not a number that JSON can hold"),
        ("optimize: [a]\nseed: 1\nseed: 2\n", 3, "key 'seed' is given twice, on lines 2 and 3"),
        ("optimize: [a\n", 2, "not YAML"),
        ("optimize: [a]\n---\nb: 1\n", 2, "more than one YAML document"),
        ("optimize: [a]\nparams: !!python/object:os.system {}\n", 2, "is not JSON"),
        ("optimize: [a]\nparams: !!binary aGk=\n", 2, "is not JSON"),
        ("optimize: [a]\nparams: {? [1]: 2}\n", 2, "a key must be plain text"),
        ("a: &a {x: 1}\nparams:\n  <<: *a\n", 3, "merge keys"),
        ("optimize: &a [*a]\n", 1, "refers to what contains it"),
        ("optimize: [*a]\n", 1, "refers to nothing before it"),
        ("optimize: [a]\nparams: " + "[" * 200, 2, "nested deeper than 100 levels"),
        ("optimize: [a]\nx: \x07\n", 2, "not YAML"),
        ("\t- a\n", 1, "not YAML"),
    ],
)
def test_broken_yaml(load: Load, text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, name="c.yaml")

    found = [each for each in caught.value.problems if words in each.message]
    assert [each.line for each in found] == [line]


def test_aliases_are_values(load: Load) -> None:
    text = "optimize: &rows [{prompt: a}, b]\nvalidate: *rows\n"
    settings = load(text, name="c.yaml")

    prompts = [[row.prompt for row in rows] for rows in settings.examples.values()]
    assert prompts == [["a", "b"], ["a", "b"], []]


def test_aliases_of_aliases_do_not_explode(load: Load) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    with pytest.raises(ConfigError, match="holds more than 5000000 values"):
        load("\n".join(levels), name="c.yaml")


def test_positions_in_yaml(problems: Problems) -> None:
    text = (
        "optimize: [{prompt: a, expected: b}]\n"
        "graders:\n  - exact\n  - type: contains\n    valuez: [x]\n"
        "budget: {usd: 0}\n"
    )
    found = problems(text, name="c.yaml")

    assert {pointer: each.line for pointer, each in found.items()} == {
        "/graders/1/valuez": 5,
        "/budget/usd": 6,
    }


def test_positions_in_toml(problems: Problems) -> None:
    text = (
        'optimize = ["a"]\nworker_count = 0\n[budget]\nusd = 0\n'
        '[[graders]]\ntype = "exact"\n[[graders]]\ntype = "contains"\nvaluez = ["x"]\n'
    )
    found = problems(text, name="c.toml")

    assert {pointer: each.line for pointer, each in found.items()} == {
        "/worker_count": 2,
        "/budget/usd": 4,
        "/graders/1/valuez": 9,
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\na = 2\n", 2, "cannot overwrite a value"),
        ("optimize = [\n", 2, "not TOML"),
        ('optimize = ["a"]\nseed = 1979-05-27\n', 2, "date values are not JSON"),
        ('optimize = ["a"]\nparams = {x = nan}\n', 2, "infinite or NaN"),
        ('optimize = ["a"]\nseed = 99999999999999999999\n', 2, "beyond 64 bits"),
        ("x = " + "9" * 5000, None, "beyond 64 bits"),
    ],
)
def test_broken_toml(load: Load, text: str, line: int | None, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, name="c.toml")

    assert [each.line for each in caught.value.problems if words in each.message] == [line]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(("name", "text"), [("c.yaml", YAML), ("c.toml", TOML)])
def test_byte_order_marks(load: Load, name: str, text: str, encoding: str) -> None:
    assert load(text.encode(encoding), name=name).config_hash == load().config_hash


def test_other_encodings_are_named(load: Load) -> None:
    with pytest.raises(ConfigError, match="not UTF-8: invalid byte 0xe9 at byte 15"):
        load(b'{"optimize": ["\xe9"]}')


def test_unknown_ending_is_json(load: Load) -> None:
    assert load('{"optimize": ["a"]}', name="settings.conf").examples[Split.OPTIMIZE]
