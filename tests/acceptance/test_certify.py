"""`tau certify` and `tau label` from the outside, on files as other tools write them."""

import csv
import io
import json
import os
import stat
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from acceptance import programs

ROWS = 60
OLD = [number % 3 == 0 for number in range(ROWS)]
NEW = [number % 3 == 0 or number % 2 == 0 for number in range(ROWS)]
"""The candidate is right on a third of the rows more, and wrong on none."""
FIXED = sum(NEW) - sum(OLD)


def table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def wide(folder: Path, **columns: Sequence[object]) -> Path:
    """Scores of both in one table, with further columns."""
    rows = zip(range(ROWS), map(int, OLD), map(int, NEW), *columns.values(), strict=True)
    return table(folder / "scores.csv", ["id", "old", "new", *columns], list(rows))


def certify(folder: Path, *arguments: str | Path) -> programs.Ended:
    return programs.inside("certify", *arguments, cwd=folder)


BOTH = ("--baseline", "old", "--candidate", "new")


# --- every format ---------------------------------------------------------------------------------


def in_csv(folder: Path) -> list[str | Path]:
    return [wide(folder), *BOTH]


def in_tsv(folder: Path) -> list[str | Path]:
    text = wide(folder).read_text().replace(",", "\t")
    path = folder / "scores.txt"
    path.write_text(text, encoding="utf-16")
    return [path, *BOTH]


def in_two_tables(folder: Path) -> list[str | Path]:
    order = [*range(30, ROWS), *range(30)]  # pairs are found by id, not by place
    before = table(folder / "before.csv", ["id", "score"], [(n, int(OLD[n])) for n in range(ROWS)])
    after = table(folder / "after.csv", ["id", "score"], [(n, int(NEW[n])) for n in order])
    return [before, after]


def in_jsonl(folder: Path) -> list[str | Path]:
    path = folder / "scores.jsonl"
    rows = [{"id": n, "old": OLD[n], "new": NEW[n]} for n in range(ROWS)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [path, *BOTH]


def in_long_jsonl(folder: Path) -> list[str | Path]:
    path = folder / "long.jsonl"
    rows = [
        {"id": n, "prompt": name, "grade": "pass" if values[n] else "fail"}
        for name, values in (("old", OLD), ("new", NEW))
        for n in range(ROWS)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [path, *BOTH, "--by", "prompt", "--metric", "grade"]


def promptfoo_result(prompt: int, number: int, right: bool) -> dict[str, Any]:
    label = ("Answer {{q}}", "Think, then answer {{q}}")[prompt]
    return {
        "promptIdx": prompt, "testIdx": number, "success": right, "score": int(right),
        "prompt": {"raw": f"{label} {number}", "label": label}, "provider": {"id": "sim:x"},
        "vars": {"q": f"question {number}"}, "testCase": {"vars": {"q": f"question {number}"}},
        "response": {"output": f"{prompt}"}, "failureReason": 0 if right else 1,
        "error": None if right else "Expected output to equal",
        "namedScores": {}, "latencyMs": 3, "cost": 0.001, "gradingResult": {"score": int(right)},
    }  # fmt: skip


def promptfoo_results() -> list[dict[str, Any]]:
    return [
        promptfoo_result(prompt, number, values[number])
        for number in range(ROWS)
        for prompt, values in ((1, NEW), (0, OLD))
    ]


def in_promptfoo(folder: Path) -> list[str | Path]:
    path = folder / "output.json"
    document = {"evalId": "eval-1", "results": {"version": 3, "results": promptfoo_results()}}
    path.write_text(json.dumps(document))
    return [path]


def in_promptfoo_lines(folder: Path) -> list[str | Path]:
    path = folder / "output.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in promptfoo_results()))
    return [path, "--baseline", "Answer {{q}}", "--candidate", "1"]


def in_old_promptfoo(folder: Path) -> list[str | Path]:
    path = folder / "output.json"
    results = [
        {
            "prompt": {"raw": "x", "display": one["prompt"]["label"]},
            "vars": one["vars"],
            "response": {"output": "x"},
            "success": one["success"],
        }
        for one in promptfoo_results()
    ]
    head = {"prompts": ["Answer {{q}}", "Think, then answer {{q}}"], "vars": ["q"]}
    path.write_text(
        json.dumps({"version": 1, "results": results, "table": {"head": head, "body": []}})
    )
    return [path]


def inspect_samples(values: Sequence[bool]) -> list[dict[str, Any]]:
    return [
        {
            "id": number, "epoch": epoch, "input": f"question {number}", "target": "x",
            "scores": {"match": {"value": "C" if values[number] else "I", "answer": "x"}},
            "output": {"choices": [{"message": {"role": "assistant", "content": "x"}}]},
            "model_usage": {"sim/x": {"total_tokens": 7}}, "metadata": {"subject": number // 5},
        }
        for epoch in (1, 2)
        for number in range(ROWS)
    ]  # fmt: skip


def inspect_header() -> dict[str, Any]:
    return {"version": 2, "status": "success", "eval": {"task": "t", "model": "sim/x"}, "plan": {}}


def in_inspect_json(folder: Path) -> list[str | Path]:
    for name, values in (("before", OLD), ("after", NEW)):
        document = {**inspect_header(), "samples": inspect_samples(values)}
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))
    return [folder / "before.json", folder / "after.json"]


def archive(path: Path, values: Sequence[bool], *, summaries: bool, compression: int) -> None:
    """An `.eval` file."""
    with zipfile.ZipFile(path, "w", compression) as made:
        made.writestr("header.json", json.dumps(inspect_header()))
        samples = inspect_samples(values)
        for one in samples:
            made.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        if summaries:
            made.writestr("summaries.json", json.dumps(samples))


def in_inspect_archives(folder: Path) -> list[str | Path]:
    archive(folder / "before.eval", OLD, summaries=True, compression=zipfile.ZIP_DEFLATED)
    archive(folder / "after.eval", NEW, summaries=False, compression=zipfile.ZIP_STORED)
    return [folder / "before.eval", folder / "after.eval"]


def in_mlflow(folder: Path) -> list[str | Path]:
    for name, values in (("before", OLD), ("after", NEW)):
        data = [
            [f"tr-{name}-{n}", f"question {n}", "answer", "yes" if values[n] else "no", 1.5]
            for n in range(ROWS)
        ]
        columns = ["trace_id", "request", "response", "correctness/value", "latency"]
        (folder / f"{name}.json").write_text(json.dumps({"columns": columns, "data": data}))
    return [folder / "before.json", folder / "after.json"]


def in_lm_eval(folder: Path) -> list[str | Path]:
    for name, values in (("before", OLD), ("after", NEW)):
        lines = [
            {
                "doc_id": n, "doc": {"question": f"question {n}"}, "target": "x",
                "arguments": {"gen_args_0": {"arg_0": f"Q: {n}"}}, "resps": [["x"]],
                "filtered_resps": ["x"], "filter": which, "metrics": ["exact_match"],
                "doc_hash": f"h{n}", "exact_match": float(values[n] and which != "strict"),
            }
            for n in range(ROWS)
            for which in ("strict", "flexible")
        ]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return [folder / "before.jsonl", folder / "after.jsonl", "--metric", "exact_match,flexible"]


FORMS: Mapping[str, tuple[Callable[[Path], list[str | Path]], str]] = {
    "csv": (in_csv, "csv"),
    "utf-16 tsv": (in_tsv, "csv"),
    "two tables": (in_two_tables, "csv"),
    "jsonl": (in_jsonl, "jsonl"),
    "long jsonl": (in_long_jsonl, "jsonl"),
    "promptfoo": (in_promptfoo, "promptfoo"),
    "promptfoo by line": (in_promptfoo_lines, "promptfoo"),
    "promptfoo version 1": (in_old_promptfoo, "promptfoo"),
    "inspect json": (in_inspect_json, "inspect"),
    "inspect archives": (in_inspect_archives, "inspect"),
    "mlflow": (in_mlflow, "mlflow"),
    "lm-eval": (in_lm_eval, "lm-eval"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_same_claim(tmp_path: Path, form: str) -> None:
    write, _ = FORMS[form]

    found = certify(tmp_path, *write(tmp_path), "--json")

    assert found.code == 0, found.err
    document = found.json()
    assert document["decision"] == "promote"
    assert document["pairs"] == ROWS
    assert document["missing"] == 0
    assert len(document["fixed"]) == FIXED
    assert document["broken"] == []
    assert document["difference"] == pytest.approx(FIXED / ROWS)


@pytest.mark.parametrize("form", FORMS)
def test_a_format_can_be_said(tmp_path: Path, form: str) -> None:
    write, name = FORMS[form]
    arguments = write(tmp_path)

    assert certify(tmp_path, *arguments, "--format", name).code == 0
    other = certify(tmp_path, *arguments, "--format", "tau")
    assert other.code == 2
    assert "the file is not tau" in other.err


def test_a_zip_packed_by_zstd_is_read(tmp_path: Path) -> None:
    if sys.version_info >= (3, 14):
        made = zipfile
    else:
        from backports.zstd import zipfile as made  # noqa: PLC0415
    for name, values in (("before", OLD), ("after", NEW)):
        with made.ZipFile(tmp_path / f"{name}.eval", "w", made.ZIP_ZSTANDARD) as file:
            file.writestr("header.json", json.dumps(inspect_header()))
            file.writestr("summaries.json", json.dumps(inspect_samples(values)))

    assert certify(tmp_path, "before.eval", "after.eval").code == 0


# --- what is claimed ------------------------------------------------------------------------------


def test_the_words_come_first_and_fit_a_terminal(tmp_path: Path) -> None:
    found = certify(tmp_path, wide(tmp_path), *BOTH)

    lines = found.out.splitlines()
    assert lines[0] == "claim met"
    assert "'new' is better than 'old'" in found.out
    assert f"{ROWS} pairs by id, {FIXED} fixed, 0 broken" in found.out
    assert "and 10 more" in found.out
    assert max(map(len, lines)) <= 80


def test_a_claim_that_is_not_met_exits_with_3(tmp_path: Path) -> None:
    wide(tmp_path)

    worse = certify(tmp_path, "scores.csv", "--baseline", "new", "--candidate", "old")

    assert worse.code == 3
    assert worse.out.startswith("claim not met")


def test_a_margin_claims_not_worse(tmp_path: Path) -> None:
    rows = [(n, n % 2, n % 2) for n in range(400)]
    table(tmp_path / "scores.csv", ["id", "old", "new"], rows)

    better = certify(tmp_path, "scores.csv", *BOTH)
    not_worse = certify(tmp_path, "scores.csv", *BOTH, "--margin", "0.05", "--json")

    assert better.code == 3
    assert not_worse.code == 0
    assert not_worse.json()["claim"] == "not_worse"


def test_a_cost_claims_cheaper_and_not_worse(tmp_path: Path) -> None:
    dear = [0.010 + n % 7 / 10_000 for n in range(ROWS)]
    cheap = [0.002 + n % 5 / 10_000 for n in range(ROWS)]
    path = wide(tmp_path, old_usd=dear, new_usd=cheap)
    asked = ("--cost", "old_usd", "new_usd", "--margin", "0.1")

    found = certify(tmp_path, path, *BOTH, *asked, "--json")

    assert found.code == 0
    assert found.json()["claim"] == "cheaper_and_not_worse"


def test_scores_of_another_scale_are_rescaled(tmp_path: Path) -> None:
    rows = [(n, 5 if OLD[n] else 1, 5 if NEW[n] else 1) for n in range(ROWS)]
    table(tmp_path / "scores.csv", ["id", "old", "new"], rows)

    refused = certify(tmp_path, "scores.csv", *BOTH)
    up = certify(tmp_path, "scores.csv", *BOTH, "--scale", "1", "5", "--json")
    down = certify(tmp_path, "scores.csv", *BOTH, "--scale", "5", "1", "--json")

    assert refused.code == 2
    assert "--scale 1 5" in refused.err
    assert up.json()["difference"] == pytest.approx(FIXED / ROWS)
    assert down.json()["difference"] == pytest.approx(-FIXED / ROWS)


def test_rows_without_a_score_are_missing(tmp_path: Path) -> None:
    rows = [(n, int(OLD[n]), "" if n < 3 else "NaN" if n < 5 else int(NEW[n])) for n in range(ROWS)]
    table(tmp_path / "scores.csv", ["id", "old", "new"], rows)

    found = certify(tmp_path, "scores.csv", *BOTH, "--json").json()

    assert (found["pairs"], found["missing"]) == (ROWS - 5, 5)


def test_a_promptfoo_error_is_missing_and_not_wrong(tmp_path: Path) -> None:
    results = promptfoo_results()
    results[0] |= {"failureReason": 2, "error": "429", "score": 0, "success": False}
    (tmp_path / "output.json").write_text(json.dumps({"results": {"results": results}}))

    assert certify(tmp_path, "output.json", "--json").json()["missing"] == 1


def test_repeated_tries_count_once(tmp_path: Path) -> None:
    rows = [(n // 2, int(OLD[n // 2]), int(NEW[n // 2])) for n in range(2 * ROWS)]
    table(tmp_path / "scores.csv", ["id", "old", "new"], rows)

    refused = certify(tmp_path, "scores.csv", *BOTH)
    found = certify(tmp_path, "scores.csv", *BOTH, "--repeats", "--json").json()

    assert refused.code == 2
    assert "60 of 60 ids are there more than once" in refused.err
    assert found["pairs"] == ROWS
    assert "their mean counts" in " ".join(found["notes"])


def test_common_rows_alone_are_compared_when_asked(tmp_path: Path) -> None:
    table(tmp_path / "before.csv", ["id", "score"], [(n, int(OLD[n])) for n in range(ROWS)])
    table(tmp_path / "after.csv", ["id", "score"], [(n, int(NEW[n])) for n in range(3, ROWS)])

    refused = certify(tmp_path, "before.csv", "after.csv")
    found = certify(tmp_path, "before.csv", "after.csv", "--common", "--json").json()

    assert refused.code == 2
    assert "3 rows cannot be paired: 3 of 60 are only in 'before.csv'" in refused.err.replace(
        str(tmp_path) + "/", ""
    )
    assert (found["pairs"], found["missing"]) == (ROWS - 3, 3)


def test_without_ids_rows_are_paired_by_their_order_and_it_is_said(tmp_path: Path) -> None:
    table(tmp_path / "before.csv", ["score"], [(int(one),) for one in OLD])
    table(tmp_path / "after.csv", ["score"], [(int(one),) for one in NEW])
    table(tmp_path / "short.csv", ["score"], [(int(one),) for one in NEW[1:]])

    found = certify(tmp_path, "before.csv", "after.csv")
    refused = certify(tmp_path, "before.csv", "short.csv")

    assert found.code == 0
    assert "paired by their order" in found.out
    assert refused.code == 2
    assert "there are 60 of 'before.csv' and 59 of 'short.csv'" in refused.err


def test_groups_are_the_unit(tmp_path: Path) -> None:
    path = wide(tmp_path, doc=[f"d{n // 3}" for n in range(ROWS)])

    found = certify(tmp_path, path, *BOTH, "--group", "doc", "--json").json()

    assert found["groups"] == ROWS // 3


# --- what cannot be used --------------------------------------------------------------------------

NUMBERS = "id,old,new\n1,1,0\n2,0,1\n3,1,1\n"
BAD: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "no scores": ("id,old,new\n1,good,1\n2,bad,1\n", BOTH, "2 of 2 values of 'old' are no scores"),
    "one bad score": ("id,old,new\n1,1,1\n2,0,oops\n", BOTH, "the first 'oops' in row '2'"),
    "infinite": ("id,old,new\n1,1,inf\n2,0,1\n", BOTH, "are no scores"),
    "beyond the scale": ("id,old,new\n1,7,1\n2,0,1\n", BOTH, "are not between 0 and 1"),
    "nothing on one side": ("id,old,new\n1,1,\n2,0,NaN\n", BOTH, "no row has a score of the cand"),
    "no row with both": ("id,old,new\n1,1,\n2,,1\n", BOTH, "no row of 2 has scores of both"),
    "one row": ("id,old,new\n1,1,0\n", BOTH, "1 row of 1 with scores of both"),
    "only a header": ("id,old,new\n", BOTH, "there is no row"),
    "empty": ("", BOTH, "the file is empty"),
    "blank": ("\n\n", BOTH, "the file is empty"),
    "torn row": ("id,old,new\n1,1\n", BOTH, "row has 2 cells, the header 3"),
    "twice in the header": ("id,old,old\n1,1,0\n", BOTH, "names 'old' twice"),
    "no such column": (NUMBERS, ("--baseline", "old", "--candidate", "neu"), "no column 'neu'"),
    "no candidate": (NUMBERS, ("--baseline", "old"), "needs --candidate"),
    "the same": (NUMBERS, ("--baseline", "old", "--candidate", "old"), "are the same"),
    "no group": (NUMBERS, (*BOTH, "--group", "doc"), "no column 'doc' (--group)"),
    "no id": (NUMBERS, (*BOTH, "--id", "key"), "no column 'key' (--id)"),
    "empty id": ("id,old,new\n,1,1\n2,0,1\n", BOTH, "row 1 has nothing in 'id'"),
    "repeated ids": ("id,old,new\n1,1,1\n1,0,1\n", BOTH, "1 of 1 ids are there more than once"),
    "one group": ("id,old,new,g\n1,1,1,a\n2,0,1,a\n", (*BOTH, "--group", "g"), "are of one group"),
    "no margin": (NUMBERS, (*BOTH, "--margin", "0"), "a margin must be above 0"),
    "a negative margin": (NUMBERS, (*BOTH, "--margin", "-0.1"), "a margin must be above 0"),
    "a margin that is none": (NUMBERS, (*BOTH, "--margin", "nan"), "a margin must be above 0"),
    "a cost without a margin": (NUMBERS, (*BOTH, "--cost", "old", "new"), "needs a margin"),
    "a cost below 0": (
        "id,old,new,a,b\n1,1,1,-1,1\n2,0,1,1,1\n",
        (*BOTH, "--cost", "a", "b", "--margin", "0.1"),
        "a cost is below 0",
    ),
    "an impossible level": (NUMBERS, (*BOTH, "--alpha", "0"), "alpha must be above 0"),
    "no scale": (NUMBERS, (*BOTH, "--scale", "1", "1"), "a scale from 1 to 1 is none"),
    "labels of one side": (
        "id,old,new,a,b\n1,1,1,1,\n2,0,1,0,\n",
        (*BOTH, "--human", "a", "b"),
        "people have scored no answer of the candidate",
    ),
    "labels of no whole row": (
        "id,old,new,a,b\n1,1,1,1,\n2,0,1,,0\n",
        (*BOTH, "--human", "a", "b"),
        "in no row have people scored the answers of both",
    ),
    "no JSON": ('{"id": 1,\n"old"', BOTH, "the file is not JSON"),
    "a torn line": ('{"id": 1, "old": 1, "new": 0}\n{"id": 2}\n{"id"', BOTH, "not JSON"),
    "no rows": ("[]", BOTH, "the file has no rows"),
    "a list of numbers": ("[1, 2]", BOTH, "must be an object"),
    "a document of something else": ('{"a": {"b": 1}}', BOTH, "nothing here is known to hold"),
    "results of whole tasks": (
        '{"results": {"arc": {"acc": 0.5}}, "versions": {"arc": 0}}', (), "--log_samples",
    ),
    "no results": ('{"id": "eval", "results": [], "prompts": []}', (), "promptfoo export eval"),
    "a log without samples": ('{"status": "error", "eval": {"task": "t"}}', (), "has no samples"),
    "a torn zip": ("PK\x03\x04 torn", (), "the .eval file is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path, case: str) -> None:
    text, arguments, expected = BAD[case]
    (tmp_path / "scores").write_text(text)

    found = certify(tmp_path, "scores", *arguments, "--ledger", "ledger.jsonl", "--json")

    assert found.code == 2, found
    assert expected in found.err
    assert found.out == ""
    assert not (tmp_path / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "name one file with the scores of both"),
        (("missing.csv", *BOTH), "there is no file 'missing.csv'"),
        ((".", *BOTH), "'.' is a folder"),
        (("a", "b", "c"), "name one file with the scores of both"),
        (("a", "--run", "x"), "--run cannot be used with files"),
        (("a", *BOTH, "--json", "--junit"), "--json cannot be used with --junit"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    found = certify(tmp_path, *arguments)

    assert found.code == 2
    assert expected in found.err


# --- other shapes ---------------------------------------------------------------------------------


def test_markdown_folds_lists_and_defuses_names(tmp_path: Path) -> None:
    rows = [(f"@all `x` <b>{n}", int(OLD[n]), int(NEW[n])) for n in range(ROWS)]
    table(tmp_path / "scores.csv", ["id", "old", "<img> @me"], rows)

    found = certify(
        tmp_path, "scores.csv", "--baseline", "old", "--candidate", "<img> @me", "--markdown"
    )

    assert found.code == 0
    assert found.out.startswith("### Claim met\n")
    assert f"<details><summary>{FIXED} rows fixed</summary>" in found.out
    assert "- `@all 'x' <b>2`" in found.out
    assert "<img>" not in found.out
    assert "@me" not in found.out


def test_junit_fails_where_the_claim_is_not_met(tmp_path: Path) -> None:
    wide(tmp_path)
    good = certify(tmp_path, "scores.csv", *BOTH, "--junit")
    bad = certify(tmp_path, "scores.csv", "--baseline", "new", "--candidate", "old", "--junit")

    suites = [ET.fromstring(each.out)[0] for each in (good, bad)]
    assert [suite.get("failures") for suite in suites] == ["0", "1"]
    assert [suite.find("testcase/failure") is None for suite in suites] == [True, False]


# --- the account of claims ------------------------------------------------------------------------


def test_each_claim_on_the_same_rows_halves_the_level_of_the_next(tmp_path: Path) -> None:
    other = [int(not one) for one in NEW]
    path = wide(tmp_path, other=other)

    def level(candidate: str, *more: str) -> float:
        found = certify(
            tmp_path, path, "--baseline", "old", "--candidate", candidate,
            "--ledger", "ledger.jsonl", "--json", *more,
        )  # fmt: skip
        assert found.code in (0, 3), found.err
        return float(found.json()["alpha"])

    assert level("new") == 0.05
    assert level("other") == 0.025
    assert level("new") == 0.05, "the same claim again is not another one"
    assert level("other", "--margin", "0.1") == 0.0125
    assert stat.S_IMODE(os.stat(tmp_path / "ledger.jsonl").st_mode) == 0o600
    entries = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [one["alpha"] for one in entries] == [0.05, 0.025, 0.0125]
    assert all(one["principal"].startswith("local:") for one in entries)


def test_other_rows_have_the_whole_level_and_shared_ones_have_not(tmp_path: Path) -> None:
    rows = [(f"r{n}", n % 2, int(n % 3 != 0)) for n in range(3_000)]
    for name, some in (("a", rows[:1_500]), ("b", rows[1_500:]), ("c", rows[1_400:2_900])):
        table(tmp_path / f"{name}.csv", ["id", "old", "new"], some)

    levels = [
        certify(tmp_path, f"{name}.csv", *BOTH, "--ledger", "l", "--json").json()["alpha"]
        for name in "abc"
    ]

    assert levels == [0.05, 0.05, 0.0125]


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"schema_version": 2, "rows": []}', "[]"])
def test_a_ledger_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    wide(tmp_path)
    (tmp_path / "ledger.jsonl").write_text(f"{text}\n")

    found = certify(tmp_path, "scores.csv", *BOTH, "--ledger", "ledger.jsonl")

    assert found.code == 2
    assert "line 1 of the ledger" in found.err
    assert (tmp_path / "ledger.jsonl").read_text() == f"{text}\n"


def test_a_ledger_follows_no_link_and_needs_ids(tmp_path: Path) -> None:
    wide(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    table(tmp_path / "plain.csv", ["old", "new"], [(0, 1), (1, 0), (1, 1)])

    linked = certify(tmp_path, "scores.csv", *BOTH, "--ledger", "link")
    nameless = certify(tmp_path, "plain.csv", *BOTH, "--ledger", "ledger")

    assert linked.code == 2
    assert "symbolic link" in linked.err
    assert not (tmp_path / "elsewhere").exists()
    assert nameless.code == 2
    assert "a ledger must know rows again" in nameless.err


# --- people's labels ------------------------------------------------------------------------------


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A table with the answers of both."""
    rows = [
        (f"r{n}", f"question {n}", int(OLD[n]), int(NEW[n]), f"one says {n}", f"two says {n}")
        for n in range(ROWS)
    ]
    header = ["id", "q", "old", "new", "old_out", "new_out"]
    return table(tmp_path / "scores.csv", header, rows)


ASKED = ("scores.csv", *BOTH, "--input", "q", "--output", "old_out", "new_out")


def label(
    monkeypatch: pytest.MonkeyPatch, folder: Path, said: str, *arguments: str
) -> programs.Ended:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    return programs.inside("label", *arguments, cwd=folder)


def kept(folder: Path) -> list[dict[str, Any]]:
    path = folder / "scores.csv.labels.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("answers")
def test_labels_are_blind_resumable_and_kept_with_who_and_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = label(monkeypatch, tmp_path, "y\nn\n0.25\n", *ASKED, "--principal", "ada")
    again = label(monkeypatch, tmp_path, "y\nq\n", *ASKED, "--principal", "bob")

    labels = kept(tmp_path)
    assert first.code == again.code == 0
    assert [one["score"] for one in labels] == [1.0, 0.0, 0.25, 1.0]
    assert [one["principal"] for one in labels] == ["ada"] * 3 + ["bob"]
    assert all(one["labelled_unix_ms"] > 0 for one in labels)
    assert labels[0]["row"] == labels[1]["row"] != labels[2]["row"] == labels[3]["row"]
    assert len({(one["row"], one["of"]) for one in labels}) == 4
    shown = first.out + again.out
    assert "'old'" not in shown
    assert "'new'" not in shown
    assert "1 of 60 rows labelled" in again.out
    mode = os.stat(tmp_path / "scores.csv.labels.jsonl").st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.usefixtures("answers")
def test_an_interrupted_sitting_keeps_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
            data = super().readline(-1 if size is None else size)
            if not data:
                raise KeyboardInterrupt
            return data

    monkeypatch.setattr(sys, "stdin", Interrupted("y\nn\n"))
    found = programs.inside("label", *ASKED, cwd=tmp_path)

    assert found.code == 0
    assert "2 labels kept in scores.csv.labels.jsonl" in found.out
    assert [one["score"] for one in kept(tmp_path)] == [1.0, 0.0]


def test_an_archive_is_labelled_with_whole_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_inspect_archives(tmp_path)

    found = label(monkeypatch, tmp_path, "y\n" * 12, "before.eval", "after.eval")
    used = certify(tmp_path, "before.eval", "after.eval")

    assert "answer:\nx\n" in found.out
    assert (tmp_path / "before.eval.labels.jsonl").exists()
    assert (tmp_path / "after.eval.labels.jsonl").exists()
    assert "people's labels of 12 rows are used" in " ".join(used.out.split())


@pytest.mark.usefixtures("answers")
def test_the_order_is_neither_that_of_the_file_nor_of_the_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(monkeypatch, tmp_path, "y\n" * 2 * ROWS, *ASKED)

    labels = kept(tmp_path)
    rows = list(dict.fromkeys(one["row"] for one in labels))
    first = [one["of"] for one in labels[::2]]
    assert sorted(rows) == sorted(f"r{n}" for n in range(ROWS))
    assert rows != [f"r{n}" for n in range(ROWS)]
    assert 10 < first.count("old") < ROWS - 10


@pytest.mark.usefixtures("answers")
def test_a_label_can_be_undone_skipped_and_mistyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = label(monkeypatch, tmp_path, "u\ny\nu\nn\nwhat\n2\ns\nq\n", *ASKED)

    assert [one["score"] for one in kept(tmp_path)] == [1.0, None, 0.0]
    assert "nothing to undo" in found.out
    assert found.out.count("not understood") == 2


@pytest.mark.usefixtures("answers")
def test_labels_enter_the_claim_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(monkeypatch, tmp_path, "y\nn\n" * 40, *ASKED)

    used = certify(tmp_path, "scores.csv", *BOTH)
    unused = certify(tmp_path, "scores.csv", *BOTH, "--no-labels")

    assert used.code in (0, 3)
    assert "people's labels of 40 rows are used" in " ".join(used.out.split())
    assert "people's labels" not in unused.out


@pytest.mark.usefixtures("answers")
def test_a_few_labels_are_told_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(monkeypatch, tmp_path, "y\nn\n" * 3, *ASKED)

    found = certify(tmp_path, "scores.csv", *BOTH)

    assert found.code == 0
    assert "labels of 3 rows are too few" in " ".join(found.out.split())


def test_a_label_of_an_answer_that_changed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(answer: str) -> None:
        results = [{**one, "response": {"output": answer}} for one in promptfoo_results()]
        (tmp_path / "output.json").write_text(json.dumps({"results": {"results": results}}))

    write("first")
    label(monkeypatch, tmp_path, "y\n" * 12, "output.json")  # both gave the same answer
    before = certify(tmp_path, "output.json", "--json").json()
    write("second")
    after = certify(tmp_path, "output.json", "--json").json()

    assert any("labels of 12 rows are used" in note for note in before["notes"])
    assert any("changed since are left out: 24" in note for note in after["notes"])


@pytest.mark.usefixtures("answers")
def test_so_is_one_of_a_table_whose_columns_of_answers_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(monkeypatch, tmp_path, "y\nn\n" * 12, *ASKED)
    before = certify(tmp_path, "scores.csv", *BOTH, "--json").json()
    path = tmp_path / "scores.csv"
    path.write_text(path.read_text().replace("two says", "three says"))
    after = certify(tmp_path, "scores.csv", *BOTH, "--json").json()

    assert any("are used" in note for note in before["notes"]), before["notes"]
    assert any("changed since are left out" in note for note in after["notes"]), after["notes"]
    assert not any("are used" in note for note in after["notes"])


BEYOND = {
    "row": "1", "of": "", "score": 2, "answer": None, "principal": "a", "labelled_unix_ms": 1,
}  # fmt: skip


@pytest.mark.parametrize("text", ["{}", '{"row": 1}', "x", json.dumps(BEYOND)])
@pytest.mark.usefixtures("answers")
def test_labels_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.csv.labels.jsonl").write_text(f"{text}\n")

    found = certify(tmp_path, "scores.csv", *BOTH)

    assert found.code == 2
    assert "line 1" in found.err


def test_a_file_without_answers_cannot_be_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide(tmp_path)

    found = label(monkeypatch, tmp_path, "", "scores.csv", *BOTH)

    assert found.code == 2
    assert "--output" in found.err


# --- a stored run ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has found a better prompt."""
    folder = tmp_path_factory.mktemp("certify")
    ended = programs.run("tau", "demo", "demo", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    (folder / "demo" / "run").write_text(str(ended.json()["run_id"]))
    return folder / "demo"


def test_a_run_s_scores_are_certified_on_rows_that_chose_nothing(run: Path) -> None:
    name = (run / "run").read_text()

    found = certify(run, "--run", name, "--store", "store.sqlite", "--json")
    named = certify(
        run, "--run", name, "--store", "store.sqlite", "--candidate", "resources-2", "--json"
    )
    seen = certify(run, "--run", name, "--store", "store.sqlite", "--split", "optimize")
    none = certify(run, "--run", name, "--store", "store.sqlite", "--split", "validate")

    assert found.code == named.code == 0, found.err + named.err
    assert found.json()["decision"] == "promote"
    assert all(row.startswith("test:") for row in found.json()["fixed"])
    assert found.json()["notes"] == []
    assert named.json()["pairs"] == found.json()["pairs"]
    assert "the difference flatters it" in " ".join(seen.out.split())
    assert none.code == 2
    assert "the run has no scores of the baseline" in none.err
    assert "on 'validate'" in none.err


def test_an_export_says_what_the_run_says(run: Path) -> None:
    name = (run / "run").read_text()
    stored = certify(run, "--run", name, "--store", "store.sqlite", "--json").json()
    best, base = stored["candidate"].split()[-1], stored["baseline"].split()[-1]
    for shape in ("jsonl", "csv"):
        programs.inside("export", name, "--to", shape, "--output", f"e.{shape}", "--store",
                        "store.sqlite", cwd=run)  # fmt: skip

        found = certify(
            run, f"e.{shape}", "--baseline", base, "--candidate", best, "--split", "test", "--json"
        ).json()

        figures = ("decision", "difference", "low", "high", "p_value", "pairs", "fixed", "broken")
        assert {name: found[name] for name in figures} == {name: stored[name] for name in figures}


def test_a_run_can_be_labelled(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = (run / "run").read_text()
    where = ("--run", name, "--store", "store.sqlite")

    found = label(monkeypatch, run, "y\nn\n" * 40, *where, "--count", "20")
    used = certify(run, *where)

    path = run / "labels" / f"{name}.labels.jsonl"
    assert found.code == 0, found.err
    assert f"labels kept in labels/{name}.labels.jsonl" in found.out
    assert "are used" in " ".join(used.out.split())
    path.unlink()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--run", "nothing"), "there is no run 'nothing'"),
        (("--run", "RUN", "--candidate", "resources-99"), "resources-99"),
        (("--run", "RUN", "--candidate", "resources-1"), "the same resources"),
        (("--run", "RUN", "--cost", "a", "b", "--margin", "0.1"), "there is no column 'a'"),
    ],
)
def test_a_run_that_cannot_be_certified_is_refused(
    run: Path, arguments: tuple[str, ...], expected: str
) -> None:
    asked = [(run / "run").read_text() if each == "RUN" else each for each in arguments]

    found = certify(run, *asked, "--store", "store.sqlite")

    assert found.code == 2
    assert expected in found.err


# --- files as the tools' own projects keep them ---------------------------------------------------


@pytest.mark.acceptance
def test_files_of_other_projects_are_read(acceptance_data: Path, tmp_path: Path) -> None:
    logs = acceptance_data / "eval_logs"
    for name in ("inspect_logs", "promptfoo_outputs"):
        with zipfile.ZipFile(logs / f"{name}.zip") as packed:
            packed.extractall(tmp_path / name)
    files = [*tmp_path.rglob("*.eval"), *tmp_path.rglob("*.json")]
    assert len(files) > 15

    for path in files:
        copy = tmp_path / f"copy{path.suffix}"
        copy.write_bytes(path.read_bytes())
        ended = certify(tmp_path, path, copy)

        assert ended.code in (2, 3), path
        assert "is no" not in ended.err, (path, ended.err)
        assert "known to hold" not in ended.err, (path, ended.err)
