import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.structured import (
    IsJson,
    IsJsonSettings,
    JsonFields,
    JsonFieldsSettings,
    JsonSchema,
    JsonSchemaSettings,
)
from tau.ports.grader import GraderContext
from tau.testing.grader import grade, graded_example

FENCED = 'Here it is:\n```json\n{"a": 1}\n```\nEnjoy!'


def is_json(text: str, **settings: Any) -> bool | None:  # noqa: ANN401
    grader = IsJson("json", IsJsonSettings(**settings))
    return grader.judge(graded_example("p"), Output(text=text)).passed


def fields(output: Json, expected: Json, **settings: Any) -> Reward:  # noqa: ANN401
    grader = JsonFields("fields", JsonFieldsSettings(**settings))
    row = graded_example({"prompt": "p", "expected": expected})
    return grader.judge(row, Output(text=json.dumps(output)))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}', " [1]\n", "3", '"x"', "null", FENCED, "~~~\n[]\n~~~",
        '```json {"a":1} ```', '```{"a":1}```', '```json\n{"a":1}```', '```json {"a":1}\n```',
        '```json title="x"\n[1]\n```',
        '\ufeff{"a":1}', '\u200b[1]', '```json\n\ufeff[1]\n```',
        '1. This:\n\n    ```json\n    {"a":1}\n    ```', '- ```json\n  [1]\n  ```',
        '> ```json\n> {"a":\n> 1}\n> ```', "```JSON\r\n[1]\r\n```\r\n", "```json\n[1]\n````",
        'See: ```json {"a":1} ``` as asked.', '```json\n{"a":"```"}\n```',
        '````json\n{"a":"```"}````', '{"n":' + "9" * 400 + "}", "[0." + "1" * 400 + "]",
    ],
)  # fmt: skip
def test_json(text: str) -> None:
    assert is_json(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "{'a': 1}", "[1,]", "NaN", '{"a": 1} and more', "[1] // one", '"\\ud800"',
        "Reasoning: []{\"a\":1}", "```json\n[1]", '```json {"a":1}', "[01234567890123456]",
        '{"a":1234567890123456789,}', '["\\ud800", 1234567890123456789]', '[' + "9" * 5000 + ']',
        "[NaN, 1234567890123456789]", "[1e400]", "[" * 2000 + "1234567890123456" + "]" * 2000,
        "```json [1] ``` or ```json [2] ```", FENCED + FENCED, "```python\n[]\n```",
        "```json\n{]\n```",
    ],
)  # fmt: skip
def test_no_json(text: str) -> None:
    assert is_json(text) is False


@pytest.mark.parametrize(
    ("fence", "text", "right"),
    [
        ("forbid", FENCED, False),
        ("forbid", "[1]", True),
        ("require", FENCED, True),
        ("require", "[1]", False),
        ("require", "````\n[1]\n````", True),
    ],
)
def test_fences(fence: str, text: str, right: bool) -> None:
    assert is_json(text, fence=fence) is right


def test_a_block_that_was_cut_is_told() -> None:
    grader = IsJson("json", IsJsonSettings())

    said = grader.judge(graded_example("p"), Output(text='```json\n{"a": 1')).feedback

    assert "not closed" in said


@pytest.mark.parametrize(
    ("text", "expected", "settings", "score"),
    [
        ('{"id":4155550124}', '{"id":4155550123}', {}, 0),
        ('{"ts":1700000000123}', '{"ts":1700000000999}', {}, 0),
        ('{"id":9007199254740993}', '{"id":9007199254740992}', {}, 0),
        ('{"id":9007199254740993.0}', '{"id":9007199254740992}', {}, 0),
        ('{"id":9007199254740993}', '{"id":9007199254740992}', {"relative": 0}, 0),
        ('{"id":18446744073709551617}', '{"id":18446744073709551616}', {"relative": 0}, 0),
        ('{"id":18446744073709551617}', '{"id":18446744073709551616}', {}, 0),
        ('{"id":18446744073709551617}', '{"id":18446744073709551617}', {}, 1),
        ('{"id":18446744073709551617.0}', '{"id":18446744073709551617}', {}, 1),
        ('{"id":[{"n":1' + "0" * 400 + "}]}", '{"id":[{"n":1' + "0" * 399 + "1}]}", {}, 0),
        ('{"id":1e3}', '{"id":1000}', {}, 1),
        ('{"a":1.0}', '{"a":1}', {}, 1),
        ('{"a":0.30000000000000004}', '{"a":0.3}', {}, 1),
        ('{"a":1010}', '{"a":1000}', {"relative": 0.01}, 1),
        ('{"name":"Jos\u00e9"}', '{"name":"Jose\u0301"}', {}, 1),
        ('{"name":"a\\r\\nb\u200b"}', '{"name":"a\\nb"}', {}, 1),
    ],
)
def test_fields_of_json_text(
    text: str, expected: str, settings: dict[str, Any], score: float
) -> None:
    grader = JsonFields("fields", JsonFieldsSettings(**settings))
    row = graded_example({"prompt": "p", "expected": expected})

    assert grader.judge(row, Output(text=text)).score == score


def test_mistakes_in_long_numbers_are_told_digit_by_digit() -> None:
    row = graded_example({"prompt": "p", "expected": '{"id":18446744073709551616}'})
    grader = JsonFields("fields", JsonFieldsSettings())

    said = grader.judge(row, Output(text='{"id":18446744073709551617}')).feedback

    assert said.endswith('"id" is 18446744073709551617, expected 18446744073709551616')


def test_a_schema_compares_long_integers_digit_by_digit(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"const": 18446744073709551617}')
    grader = JsonSchema.build(
        JsonSchemaSettings(file="s.json"), GraderContext(name="schema", base_dir=tmp_path)
    )

    assert isinstance(grader, JsonSchema)
    for text, score in (("18446744073709551617", 1), ("18446744073709551616", 0)):
        assert grader.judge(graded_example("p"), Output(text=text)).score == score


@pytest.mark.parametrize(
    ("kind", "text", "right"),
    [("object", "{}", True), ("object", "[]", False), ("array", "[]", True), ("array", "1", False)],
)
def test_kinds(kind: str, text: str, right: bool) -> None:
    assert is_json(text, kind=kind) is right


def test_structured_output_needs_no_text() -> None:
    grader = IsJson("json", IsJsonSettings(kind="object"))

    assert grader.judge(graded_example("p"), Output(text="spoken", value={"a": 1})).passed is True


async def test_a_schema_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"required": ["a"], "properties": {"a": {"minimum": 1}}}')
    grader = JsonSchema.build(
        JsonSchemaSettings(file="s.json"), GraderContext(name="schema", base_dir=tmp_path)
    )

    assert (await grade(grader, graded_example("p"), Output(text='{"a": 1}'))).score == 1
    wrong = await grade(grader, graded_example("p"), Output(text='{"a": 0}'))
    assert wrong.score == 0
    assert '"/a"' in wrong.feedback
    assert "minimum" in wrong.feedback


async def test_formats_are_checked_unless_told_otherwise() -> None:
    context = GraderContext(name="schema")
    schema = {"format": "date"}
    strict = JsonSchema.build(JsonSchemaSettings(schema=schema), context)
    loose = JsonSchema.build(JsonSchemaSettings(schema=schema, formats=False), context)
    output = Output(text='"2026-02-30"')

    assert (await grade(strict, graded_example("p"), output)).passed is False
    assert (await grade(loose, graded_example("p"), output)).passed is True


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "exactly one of"),
        ({"schema": True, "file": "s.json"}, "exactly one of"),
        ({"file": "missing.json"}, "cannot read"),
        ({"file": "broken.json"}, "is not JSON"),
        ({"schema": {"type": "nonsense"}}, "cannot be used"),
        ({"schema": {"$ref": "http://127.0.0.1:9/other.json"}}, "cannot be used"),
        ({"schema": {"$ref": "file:///etc/hostname"}}, "cannot be used"),
        ({"schema": {"pattern": "("}}, "cannot be used"),
    ],
)
def test_schemas_that_cannot_be_used(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    (tmp_path / "broken.json").write_text("{")

    with pytest.raises(InputError, match=says):
        JsonSchema.check(
            JsonSchemaSettings(**settings), GraderContext(name="s", base_dir=tmp_path), None
        )


def test_nothing_is_fetched_even_where_it_could_be() -> None:
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        schema = {"$ref": f"http://127.0.0.1:{server.server_port}/other.json"}
        try:
            with pytest.raises(InputError, match="cannot be used"):
                JsonSchema.check(JsonSchemaSettings(schema=schema), GraderContext(name="s"), None)
        finally:
            server.shutdown()
            thread.join()

    assert asked == []


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ({"a": 1, "b": "x", "more": 0}, 1.0),
        ({"a": 1.0, "b": " x "}, 1.0),
        ({"a": 1, "b": "X"}, 0.5),
        ({"a": True, "b": "x"}, 0.5),
        ({"b": "x"}, 0.5),
        ({}, 0.0),
        ([], 0.0),
        (None, 0.0),
    ],
)
def test_partial_credit(output: Json, score: float) -> None:
    assert fields(output, {"a": 1, "b": "x"}).score == score


@pytest.mark.parametrize("place", ["user.tags.1", "/user/tags/1"])
def test_paths(place: str) -> None:
    expected: Json = {"user": {"tags": ["x", "y"]}, "other": 1}

    assert fields({"user": {"tags": [0, "y"]}}, expected, paths=(place,)).score == 1.0
    wrong = fields({"user": {"tags": ["y"]}}, expected, paths=(place,))
    assert wrong.score == 0.0
    assert wrong.feedback.endswith(f'"{place}" is missing, expected "y"')


def test_pointers_reach_strange_names() -> None:
    assert fields({"a.b": {"c/d": 1}}, {"a.b": {"c/d": 1}}, paths=("/a.b/c~1d",)).score == 1.0


def test_weights_and_tolerance() -> None:
    settings: dict[str, Any] = {"weights": {"a": 3.0}, "absolute": 0.1, "pass_at": 0.7}
    found = fields({"a": 1.05, "b": 1.2}, {"a": 1, "b": 1}, **settings)

    assert found.score == 0.75
    assert found.passed is True
    assert found.feedback == '1 of 2 fields are right: "b" is 1.2, expected 1'


def test_inner_documents_are_compared_whole() -> None:
    expected: Json = {"a": [{"x": 1, "y": [None]}]}

    assert fields({"a": [{"y": [None], "x": 1.0}]}, expected).score == 1.0
    assert fields({"a": [{"y": [None], "x": 1, "z": 0}]}, expected).score == 0.0
    assert fields({"a": [{"y": [], "x": 1}]}, expected).score == 0.0


def test_expected_may_be_json_text() -> None:
    assert fields({"a": 1}, '{"a": 1}').score == 1.0


@pytest.mark.parametrize("expected", [None, {}, [], 7, "no json", "7"])
def test_a_row_without_expected_fields_is_unscored(expected: Json) -> None:
    with pytest.raises(GraderFailed):
        fields({"a": 1}, expected)


def test_a_path_the_reference_lacks_is_no_zero() -> None:
    with pytest.raises(GraderFailed, match="has nothing at"):
        fields({"b": 1}, {"a": 1}, paths=("b",))
