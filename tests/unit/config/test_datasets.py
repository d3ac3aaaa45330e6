"""Rows from files."""

import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tau import config
from tau.domain.dataset import Split
from tau.errors import ConfigError, Problem
from unit.config.conftest import Load, Problems

ROWS = [{"question": "a", "answer": "1"}, {"question": "b", "answer": "2"}]
MAP = {"prompt": "question", "expected": "answer"}
MAPPED = [{"prompt": "a", "expected": "1"}, {"prompt": "b", "expected": "2"}]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = "question,answer\na,1\nb,2\n"


@pytest.fixture
def read(load: Load, tmp_path: Path) -> Any:  # noqa: ANN401
    """The rows of a dataset file with this content."""

    def reading(content: bytes | str, name: str = "rows.jsonl", **fields: Any) -> list[Any]:  # noqa: ANN401
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        value = {"optimize": {"file": name, **fields}, "validate": ["a row that can be sent"]}
        settings = load(value, bare=True)
        return [row.value for row in settings.examples[Split.OPTIMIZE]]

    return reading


@pytest.fixture
def mistakes(read: Any) -> Any:  # noqa: ANN401
    """The problems of a dataset file with this content."""

    def finding(content: bytes | str, name: str = "rows.jsonl", **fields: Any) -> list[Problem]:  # noqa: ANN401
        with pytest.raises(ConfigError) as caught:
            read(content, name, **fields)
        return list(caught.value.problems)

    return finding


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", JSONL),
        ("rows.ndjson", JSONL.replace("\n", "\r\n") + "\n  \n"),
        ("rows.json", json.dumps(ROWS)),
        ("rows.json", json.dumps({"rows": ROWS})),
        ("rows.csv", CSV),
        ("rows.csv", '"question","answer"\r\n"a","1"\r\n\r\nb,2'),
        ("rows.tsv", CSV.replace(",", "\t")),
        ("rows.yaml", "- {question: a, answer: '1'}\n- question: b\n  answer: '2'\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_formats(read: Any, name: str, content: str, encoding: str, packed: bool) -> None:  # noqa: ANN401
    data = content.encode(encoding)
    if packed:
        name, data = f"{name}.gz", gzip.compress(data, mtime=0)

    assert read(data, name, map=MAP) == MAPPED


def test_format_by_name_where_the_ending_tells_none(read: Any, mistakes: Any) -> None:  # noqa: ANN401
    assert read(JSONL, "rows.txt", format="jsonl") == ROWS
    (problem,) = mistakes(JSONL, "rows.txt")
    assert "tells no format" in problem.message


def test_offset_and_limit(read: Any) -> None:  # noqa: ANN401
    lines = "".join(f'"{number}"\n' for number in range(10))

    assert read(lines, offset=2, limit=3) == ["2", "3", "4"]
    assert read(lines, offset=8, limit=30) == ["8", "9"]


def test_limit_stops_reading_before_what_is_broken(read: Any) -> None:  # noqa: ANN401
    assert read('"a"\n"b"\nbroken', limit=2) == ["a", "b"]


def test_pointer(read: Any, mistakes: Any) -> None:  # noqa: ANN401
    content = json.dumps({"data": [{"a/b": ["x"]}]})

    assert read(content, "rows.json", pointer="/data/0/a~1b") == ["x"]
    (problem,) = mistakes(content, "rows.json", pointer="/date")
    assert problem.fix == "did you mean 'data'?"


def test_other_columns_are_kept(read: Any) -> None:  # noqa: ANN401
    row = {"q": "a", "topic": "sums", "prompt": "replaced"}

    assert read(json.dumps(row), map={"prompt": "q"}) == [{"prompt": "a", "topic": "sums"}]


def test_missing_column_is_named_with_its_line(mistakes: Any) -> None:  # noqa: ANN401
    lines = '{"question": "a"}\n{"qestion": "b"}\n'
    (problem,) = mistakes(lines, map={"prompt": "question"})

    assert (problem.line, problem.message) == (2, "row has no column 'question'")
    assert problem.fix == "did you mean 'qestion'?"


def test_fields_of_any_width(read: Any) -> None:  # noqa: ANN401
    long = "x" * 300_000

    assert read(f'prompt\n"{long}"\n', "rows.csv") == [{"prompt": long}]
    assert read('prompt\n"a ""b""\n, c"\n', "rows.csv") == [{"prompt": 'a "b"\n, c'}]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("prompt,expected\na,1\nb\n", 3, "row has 1 cells, the header 2"),
        ("prompt,expected\na,1,2\n", 2, "row has 3 cells, the header 2"),
        ("prompt,prompt\na,1\n", 1, "the header names 'prompt' twice"),
        ("prompt,\na,1\n", 1, "has a column without name"),
        ('prompt\n"a\n', 2, "not CSV"),
    ],
)
def test_broken_csv(mistakes: Any, content: str, line: int, words: str) -> None:  # noqa: ANN401
    (problem,) = mistakes(content, "rows.csv")

    assert problem.line == line
    assert words in problem.message


def test_all_malformed_lines_are_named_up_to_twenty(mistakes: Any, tmp_path: Path) -> None:  # noqa: ANN401
    found = mistakes('"fine"\n' + "broken\n" * 25)

    assert [problem.line for problem in found[:-1]] == list(range(2, 22))
    assert {problem.file for problem in found} == {str(tmp_path / "rows.jsonl")}
    assert found[-1].message == "and 5 more problems"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": NaN}', "infinite or NaN"),
        ('{"a": -Infinity}', "infinite or NaN"),
        ('{"a": 1e999}', "infinite or NaN"),
        ('{"a": 18446744073709551616}', "beyond 64 bits"),
        ('{"a": ' + "9" * 100_000 + "}", "beyond 64 bits"),
        (r'{"a": "\ud800"}', "lone surrogate"),
        (r'{"\ud800": 1}', "lone surrogate"),
        ("[" * 100_000 + "]" * 100_000, "nested deeper than 100 levels"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ('{"a": 1, "a": 2}', "given twice, on lines 2 and 2"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} 2', "something follows the end"),
    ],
)
def test_what_no_row_can_be(mistakes: Any, line: str, words: str) -> None:  # noqa: ANN401
    (problem,) = mistakes(f'"fine"\n{line}\n"fine"\n')

    assert problem.line == 2
    assert words in problem.message


def test_what_rows_may_be(read: Any) -> None:  # noqa: ANN401
    lines = [str(2**64 - 1), str(-(2**63)), "[" * 100 + "]" * 100, r'"\ud83d\ude00"', '"\u2028"']

    assert len(read("\n".join(lines))) == len(lines)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'"a"\n"b"\n"caf\xe9"\n', 3, "invalid byte 0xe9 at byte 4"),
        ('"a"\n'.encode("utf-16")[2:], 1, "not JSON"),
        (b"\xff\xfe\x00", 1, "not UTF-16-LE"),
    ],
)
def test_wrong_encodings(mistakes: Any, content: bytes, line: int, words: str) -> None:  # noqa: ANN401
    found = mistakes(content)

    assert found[0].line == line
    assert words in found[0].message


def test_byte_of_a_wrong_encoding_counts_in_the_whole_file(mistakes: Any) -> None:  # noqa: ANN401
    (problem,) = mistakes(b'["a",\n"caf\xe9"]', "rows.json")

    assert (problem.line, "at byte 10" in problem.message) == (2, True)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.json", "rows.yaml"])
def test_empty_file(mistakes: Any, name: str) -> None:  # noqa: ANN401
    (problem, *_) = mistakes("", name)

    assert "empty" in problem.message or "no rows" in problem.message


def test_offset_beyond_the_end(mistakes: Any) -> None:  # noqa: ANN401
    (problem,) = mistakes('"a"\n', offset=5)

    assert "has no rows after the first 5" in problem.message


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.json", "rows.yaml"])
@pytest.mark.parametrize("packed", [False, True])
def test_gigantic_file(mistakes: Any, name: str, packed: bool) -> None:  # noqa: ANN401
    content = b'"x"\n' * 300_000  # 1.2 MB, packed 1 KB
    if packed:
        name, content = f"{name}.gz", gzip.compress(content, mtime=0)
    found = mistakes(content, name, max_mb=1)

    assert "is larger than 1 MiB" in found[0].message
    assert "max_mb" in str(found[0].fix)


def test_one_gigantic_line_is_not_read(mistakes: Any) -> None:  # noqa: ANN401
    (problem,) = mistakes(gzip.compress(b'"' + b"x" * 2**24, mtime=0), "rows.jsonl.gz", max_mb=1)

    assert "is larger than 1 MiB" in problem.message


def test_part_of_a_gigantic_file(read: Any) -> None:  # noqa: ANN401
    assert read(b'"x"\n' * 300_000, max_mb=1, limit=2) == ["x", "x"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(JSONL.encode(), mtime=0)[:-9], "cut off"),
        (gzip.compress(JSONL.encode(), mtime=0)[:-4] + b"xxxx", "not whole gzip data"),
        (b"\x1f\x8b" + b"x" * 30, "not whole gzip data"),
    ],
)
def test_damaged_gzip(mistakes: Any, content: bytes, words: str) -> None:  # noqa: ANN401
    assert any(words in each.message for each in mistakes(content, "rows.jsonl.gz"))


@pytest.mark.parametrize("name", ["none.jsonl", "folder.jsonl", "pipe.jsonl", "a\0b.jsonl"])
def test_what_is_no_file(problems: Problems, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    found = problems({"optimize": {"file": name}}, bare=True)

    assert "/optimize/file" in found
    assert found["/optimize/file"].line == 3


def test_a_name_that_is_nearly_right(problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text(JSONL)
    found = problems({"optimize": {"file": "question.jsonl"}}, bare=True)
    assert found["/optimize/file"].fix == f"did you mean '{tmp_path / 'questions.jsonl'}'?"
    found = problems({"optimize": {"file": "none/question.jsonl"}}, bare=True)
    assert found["/optimize/file"].fix is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.csv", CSV.replace(",", ";"), "separated by ';', not by ','"),
        ("rows.csv", '\ufeffquestion;answer\r\n"a;b";1\r\n', "separated by ';', not by ','"),
        ("rows.csv", CSV.replace(",", "\t"), "separated by tabs, not by ','"),
        ("rows.tsv", CSV, "separated by ',', not by tabs"),
    ],
)
def test_columns_separated_otherwise(mistakes: Any, name: str, content: str, words: str) -> None:  # noqa: ANN401
    [found] = mistakes(content, name)
    assert words in found.message
    assert (found.line, found.fix is None) == (1, False)


def test_rows_of_a_document_are_named_by_pointer_and_line(mistakes: Any) -> None:  # noqa: ANN401
    content = '{"data": [\n{"question": "a"},\n{"q": "b"},\n5]}'
    found = mistakes(content, "rows.json", pointer="/data", map={"prompt": "question"})
    assert [(each.line, each.pointer) for each in found] == [(3, "/data/1"), (4, "/data/2")]


def test_device(problems: Problems) -> None:
    found = problems({"optimize": {"file": "/dev/zero", "format": "jsonl"}}, bare=True)

    assert "is a device" in found["/optimize/file"].message


def test_file_without_permission() -> None:
    me = os.geteuid()
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "rows.jsonl").touch(mode=0o000)
        (folder / "config.json").write_text('{"optimize": {"file": "rows.jsonl"}}')
        if me == 0:
            os.seteuid(65534)  # root may read everything
        try:
            with pytest.raises(ConfigError) as caught:
                config.load(folder / "config.json", environ={})
        finally:
            os.seteuid(me)
    [found] = [one for one in caught.value.problems if one.pointer == "/optimize/file"]
    assert "may not be read by this user" in found.message


@pytest.mark.parametrize("value", ["rows.jsonl", 3, {}, {"file": 3}, {"file": "a", "lmit": 1}])
def test_dataset_sections_that_are_none(problems: Problems, value: Any) -> None:  # noqa: ANN401
    assert any(pointer.startswith("/validate") for pointer in problems({"validate": value}))


@pytest.mark.parametrize("content", ["3", '{"a": []}', '{"rows": {}}', '"text"'])
def test_documents_without_a_list(mistakes: Any, content: str) -> None:  # noqa: ANN401
    assert mistakes(content, "rows.json")


def test_problems_of_several_files_come_together(problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("broken")
    value = {"optimize": {"file": "a.jsonl"}, "validate": {"file": "b.jsonl"}, "worker_count": 0}
    found = problems(value)

    assert {"", "/validate/file", "/worker_count"} <= set(found)


def test_rows_and_not_their_file_decide_the_run(load: Load, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(JSONL)
    (tmp_path / "b.csv").write_text(CSV)
    first = load({"optimize": {"file": "a.jsonl"}})
    second = load({"optimize": {"file": "b.csv"}})
    inline = load({"optimize": ROWS})

    assert first.config_hash == second.config_hash == inline.config_hash
    assert first.config_hash != load({"optimize": {"file": "a.jsonl", "limit": 1}}).config_hash
