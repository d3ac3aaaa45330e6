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
from tau.errors import ConfigError, ConfigIssue
from unit.config.conftest import Load, Problems

ROWS = [{"question": "a", "answer": "1"}, {"question": "b", "answer": "2"}]
MAP = {"prompt": "question", "expected": "answer"}
MAPPED = [{**row, "prompt": row["question"], "expected": row["answer"]} for row in ROWS]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
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

    def finding(content: bytes | str, name: str = "rows.jsonl", **fields: Any) -> list[ConfigIssue]:  # noqa: ANN401
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
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
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


@pytest.mark.parametrize(
    ("name", "content", "words", "fix"),
    [
        ("rows.xlsx", b"PK\x03\x04rest", "an Excel workbook", "save it as CSV UTF-8"),
        ("rows.csv", b"PK\x03\x04rest", "an Excel workbook", "save it as CSV UTF-8"),
        ("rows.jsonl", b"PK\x03\x04rest", "an Excel workbook", "save it as CSV UTF-8"),
        ("rows.xls", b"\xd0\xcf\x11\xe0rest", "an old Excel workbook", "save it as CSV UTF-8"),
        ("rows.parquet", b"PAR1rest", "a Parquet file", "write it as JSONL or CSV"),
        ("rows.json", b"PAR1rest", "a Parquet file", "write it as JSONL or CSV"),
        ("rows.csv", b"SQLite format 3\0", "a SQLite database", "export the table as CSV UTF-8"),
    ],
)
def test_files_that_are_no_text_are_told_by_their_content(
    mistakes: Any,  # noqa: ANN401
    name: str,
    content: bytes,
    words: str,
    fix: str,
) -> None:
    (problem,) = mistakes(content, name)

    assert words in problem.message
    assert problem.fix == fix


@pytest.mark.parametrize("name", ["rows.cvs", "rows.xlsx", "rows"])
def test_a_missing_file_is_missing_whatever_its_name_tells(problems: Problems, name: str) -> None:
    found = problems({"optimize": {"file": name}}, bare=True)

    assert "does not exist" in found["/optimize/file"].message


TWO = [{"prompt": "a;b", "expected": "1"}, {"prompt": "c", "expected": "2"}]


@pytest.mark.parametrize(
    "content",
    [
        'prompt,expected\n"a;b",1\nc,2\n',
        '\n\r\n\nprompt,expected\n"a;b",1\nc,2\n',
        'sep=,\r\nprompt,expected\r\n"a;b",1\r\nc,2\r\n',
        '\nSEP=,\nprompt,expected\n"a;b",1\n\n  \nc,2\n',
    ],
)
def test_tables_as_spreadsheets_write_them(read: Any, content: str) -> None:  # noqa: ANN401
    assert read(content, "rows.csv") == TWO


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("prompt;expected\na;1\n", "';'"),
        ("sep=;\nprompt;expected\na;1\n", "';'"),
        ("prompt;expected, exact\na;1\nb;2\n", "';'"),
        ("prompt\texpected\na, b\t1\n", "tabs"),
        ("prompt|expected\na|1\n", "'|'"),
        ("a, b|expected\nx|1\n", "'|'"),
        ("prompt\texpected, exact\na\t1\n", "tabs"),
    ],
)
def test_another_separator_is_named_once(mistakes: Any, content: str, separator: str) -> None:  # noqa: ANN401
    (problem,) = mistakes(content, "rows.csv")

    assert f"the columns are separated by {separator}, not by ','" in problem.message


def test_a_row_of_another_width_is_named_with_its_line(mistakes: Any) -> None:  # noqa: ANN401
    (problem,) = mistakes("\n\nprompt,expected\na,1\nb\nc,2\n", "rows.csv")

    assert (problem.line, problem.message) == (5, "row has 1 cells, the header 2")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(ROWS), "one JSON list"),
        (json.dumps(ROWS, indent=2), "one JSON list"),
        ("\n".join(json.dumps(row, indent=2) for row in ROWS), "several lines"),
        ('{"prompt": "a"},\n{"prompt": "b"},\n', "separated by commas"),
        ('{"prompt": "a"},\n{"prompt": "b"}\n', "separated by commas"),
    ],
)
def test_what_is_json_and_no_jsonl_is_one_problem(mistakes: Any, content: str, words: str) -> None:  # noqa: ANN401
    (problem,) = mistakes(content, "rows.jsonl")

    assert words in problem.message
    assert problem.fix is not None


def test_cells_of_lists_are_read_as_json(read: Any, mistakes: Any) -> None:  # noqa: ANN401
    content = 'prompt,labels\n"[a]","[""A"", ""B""]"\n{x},\n'

    rows = read(content, "rows.csv", map={"choices": "labels"})
    assert [(row["prompt"], row["choices"]) for row in rows] == [("[a]", ["A", "B"]), ("{x}", "")]
    (problem,) = mistakes('prompt,choices\na,"[A, B]"\n', "rows.csv")
    assert (problem.line, "the cell 'choices' is not JSON" in problem.message) == (2, True)


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


def test_a_map_gives_further_names_and_takes_none_away(read: Any) -> None:  # noqa: ANN401
    row = {"q": "a", "topic": "sums", "prompt": "replaced"}

    mapped = {"q": "a", "topic": "sums", "prompt": "a"}
    assert read(json.dumps(row), map={"prompt": "q"}) == [mapped]


@pytest.mark.parametrize(
    ("name", "content"), [("rows.csv", CSV), ("rows.jsonl", JSONL), ("rows.json", json.dumps(ROWS))]
)
def test_a_map_turned_round_is_one_problem_with_the_map_to_write(
    mistakes: Any,  # noqa: ANN401
    name: str,
    content: str,
) -> None:
    (problem,) = mistakes(content, name, map={"question": "prompt", "answer": "expected"})

    assert "turned round" in problem.message
    assert problem.pointer == "/optimize/map"
    assert problem.fix == "write map: {prompt: question, expected: answer}"


def test_a_column_that_no_row_has_is_one_problem(mistakes: Any) -> None:  # noqa: ANN401
    content = "qestion,note\n" + "a,1\n" * 60
    (problem,) = mistakes(content, "rows.csv", map={"prompt": "question"})

    assert (problem.line, problem.fix) == (2, "did you mean 'qestion'?")
    assert problem.message == "row has no column 'question', nor have 59 others"


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
    assert [(each.line, each.pointer) for each in found] == [(4, "/data/2"), (3, "/data/1")]


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
