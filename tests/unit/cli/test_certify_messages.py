"""What `tau certify` says of input that it cannot use: what, where, and how to mend it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acceptance.test_certify import in_inspect_archives, in_lm_eval, in_mlflow, table
from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program
from tau.errors import InputError
from tau.scores.pairing import pair_sides
from tau.scores.sheet import Sheet
from tau.scores.sides import Request, sides_of

Ask = Callable[..., tuple[int, str, str]]
BOTH = ("--baseline", "old", "--candidate", "new")
ROWS = [(n, n % 2, (n + 1) % 2, f"d{n // 2}") for n in range(12)]


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = program(tau_group, Surface(program="tau"), ["certify", *map(str, words)])
        return (code, *capfd.readouterr())

    return call


def scores(folder: Path, rows: Sequence[Sequence[object]] = ROWS) -> Path:
    return table(folder / "scores.csv", ["id", "old", "new", "doc"], rows)


def test_tries_of_one_id_in_two_groups_are_refused_by_name(tmp_path: Path, ask: Ask) -> None:
    rows = [*ROWS, (3, 1, 1, "d9"), (7, 1, 1, "d9"), (8, 0, 0, "d4")]
    path = scores(tmp_path, rows)

    code, out, err = ask(path, *BOTH, "--group", "doc", "--repeats")

    assert (code, out) == (2, "")
    assert "2 ids stand in more than one group: '3', '7'" in err
    assert "'3' is in 'd1', 'd9'" in err
    assert "'8'" not in err
    assert ask(path, *BOTH, "--repeats")[0] in (0, 3)


def test_two_files_that_group_a_row_differently_are_refused(tmp_path: Path, ask: Ask) -> None:
    ours = table(tmp_path / "a.csv", ["id", "score", "doc"], [(n, 1, "x") for n in range(4)])
    theirs = table(
        tmp_path / "b.csv", ["id", "score", "doc"], [(n, 1, "y" if n else "x") for n in range(4)]
    )
    code, _, err = ask(ours, theirs, "--group", "doc")
    assert code == 2
    assert "3 ids stand in more than one group: '1', '2', '3'" in err
    assert "the two files differ" in err


@given(
    tries=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=2,
                   max_size=12),
)  # fmt: skip
def test_repeats_are_merged_exactly_where_groups_stay_whole(tries: list[tuple[str, str]]) -> None:
    rows = [{"id": name, "old": 0, "new": 1, "doc": group} for name, group in tries]
    sheet = Sheet(where="s", form="csv", rows=lambda: iter(rows), columns=("id", "old", "new",
                  "doc"))  # fmt: skip
    request = Request(baseline="old", candidate="new", groups=("doc",), repeats=True)
    whole = all(len({group for other, group in tries if other == name}) == 1 for name, _ in tries)
    sides = sides_of([sheet], request)
    if whole:
        found = pair_sides(*sides, request)
        assert set(found.scores.ids) == {name for name, _ in tries}
    else:
        with pytest.raises(InputError, match="in more than one group"):
            pair_sides(*sides, request)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--group", ""), "there is no column '' (--group)"),
        (("--group", "dok"), "there is no column 'dok' (--group)"),
        (("--id", ""), "there is no column '' (--id)"),
        (("--metric", ""), ""),
        (("--human", "", ""), "there is no column '' (--human)"),
        (("--cost", "", "", "--margin", "0.1"), "there is no column '' (--cost)"),
    ],
)
def test_empty_names_name_no_column(
    words: Sequence[str], said: str, tmp_path: Path, ask: Ask
) -> None:
    code, _, err = ask(scores(tmp_path), *BOTH, *words)
    assert code == (2 if said else 3)
    assert said in err


def test_a_row_without_a_group_is_refused_by_its_number(tmp_path: Path, ask: Ask) -> None:
    rows = [*ROWS[:3], (3, 1, 1, ""), *ROWS[4:]]
    code, _, err = ask(scores(tmp_path, rows), *BOTH, "--group", "doc")
    assert code == 2
    assert "row 4 has nothing in 'doc'" in err


@pytest.mark.parametrize("made", [in_inspect_archives, in_mlflow])
def test_the_log_of_one_side_says_how_to_name_two(
    made: Callable[[Path], list[str | Path]], tmp_path: Path, ask: Ask
) -> None:
    ours = made(tmp_path)[0]

    code, out, err = ask(ours)

    assert (code, out) == (2, "")
    assert f"'{ours}' holds one side only" in err
    assert f"tau certify BASELINE {ours}" in err
    assert "its scores are" in err


def test_one_log_with_several_scores_says_both_ways(tmp_path: Path, ask: Ask) -> None:
    code, _, err = ask(in_lm_eval(tmp_path)[0])
    assert code == 2
    assert "tau certify BASELINE" in err
    assert "--baseline and --candidate" in err


def test_one_table_says_which_columns_there_are(tmp_path: Path, ask: Ask) -> None:
    code, _, err = ask(scores(tmp_path))
    assert code == 2
    assert "needs --baseline" in err
    assert "'old', 'new'" in err
    assert "tau certify BASELINE" in err


def test_a_ledger_in_no_folder_is_refused_and_none_is_made(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "nowhere" / "ledger.jsonl"

    code, out, err = ask(scores(tmp_path), *BOTH, "--ledger", path)

    assert (code, out) == (2, "")
    assert "the ledger's folder does not exist" in err
    assert not path.parent.exists()
    path.parent.mkdir()
    assert ask(scores(tmp_path), *BOTH, "--ledger", path)[0] == 3
    assert path.exists()


def test_groups_are_what_would_settle_it(tmp_path: Path, ask: Ask) -> None:
    rows = [(n, n % 4 == 0, n % 3 == 0, f"d{n // 4}") for n in range(48)]
    code, out, _ = ask(scores(tmp_path, [(i, int(a), int(b), d) for i, a, b, d in rows]), *BOTH,
                       "--group", "doc")  # fmt: skip
    assert code == 3
    assert " groups (" in out.split("to settle", 1)[1].splitlines()[0]
    assert "surely" not in out


@pytest.mark.parametrize(("written", "code"), [("2%", 0), ("0.02", 0), ("two", 2), ("5 %%", 2)])
def test_a_margin_may_be_a_percentage(tmp_path: Path, ask: Ask, written: str, code: int) -> None:
    path = scores(tmp_path, [(n, 0, 1, "d") for n in range(40)])

    found = ask(path, *BOTH, "--margin", written)

    assert found[0] == code
    assert code == 0 or "give it as 0.02, or as 2%" in found[2]


def test_what_python_alone_reads_as_a_number_is_none(tmp_path: Path, ask: Ask) -> None:
    code, _, err = ask(scores(tmp_path, [*ROWS, (99, "1_0", 1, "d")]), *BOTH)

    assert code == 2
    assert "'1_0'" in err


def test_files_tell_sides_of_one_name_apart(tmp_path: Path, ask: Ask) -> None:
    before = promptfoo(tmp_path / "before.json", [(0, n % 2) for n in range(12)])
    after = promptfoo(tmp_path / "after.json", [(0, 1) for n in range(12)])

    said = " ".join(ask(before, after)[1].split())

    assert "'a [m] of after.json' is better than 'a [m] of before.json'" in said


def test_prompts_of_one_name_in_a_file_are_told_apart_by_their_place(
    tmp_path: Path, ask: Ask
) -> None:
    path = promptfoo(tmp_path / "same.json", [(at, at) for _ in range(12) for at in (0, 1)])

    said = " ".join(ask(path)[1].split())

    assert "'a [m] #1' is better than 'a [m] #0'" in said
    assert "their mean counts" not in said


def promptfoo(path: Path, results: Sequence[tuple[int, int]]) -> Path:
    """Results of prompts that all have one label and one provider: place and score."""
    rows = [
        {
            "promptIdx": at, "testIdx": number,
            "prompt": {"raw": "x", "label": "a"}, "provider": {"id": "m"},
            "response": {"output": "o"}, "success": bool(score), "score": score,
        }
        for number, (at, score) in enumerate(results)
    ]  # fmt: skip
    by_place: dict[int, int] = {}
    for row in rows:
        place = int(str(row["promptIdx"]))
        row["vars"] = {"q": f"q{by_place.get(place, 0)}"}
        by_place[place] = by_place.get(place, 0) + 1
    path.write_bytes(orjson.dumps({"results": {"version": 3, "results": rows}}))
    return path
