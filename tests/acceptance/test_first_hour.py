"""What a new user does first: begin from the starter, bring rows and prompts of another tool."""

import json
from pathlib import Path

from acceptance.programs import inside, run

TICKETS = """id,subject,body,category
1,Printer,It smokes {a lot},hardware
2,Login,"It says {{no}}, always",account
"""


def test_the_readmes_commands_end_well_on_the_starter(tmp_path: Path) -> None:
    path = tmp_path / "my-prompt/prompt-optimization.yaml"
    store = ("--store", str(tmp_path / "store.sqlite"))

    assert inside("init", "my-prompt", cwd=tmp_path).code == 0
    assert inside("check", str(path), "--strict", cwd=tmp_path).code == 0
    planned = inside("plan", str(path), *store, cwd=tmp_path).out
    assert "you will notice an improvement of" in planned
    found = run("tau", "optimize", path, *store, "--json", cwd=tmp_path).json()
    promoted = inside("promote", found["run_id"], "--alias", "prod", *store, cwd=tmp_path)
    got = run("tau", "prompt", "get", "system_prompt@prod", *store, cwd=tmp_path)

    assert found["decision"] == "promote"
    assert promoted.code == 0
    assert got.out.startswith("You are an order clerk.")


def test_tickets_from_a_table_need_no_prompt_column(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(TICKETS, encoding="utf-8")
    prompt = "Sort as {JSON}: {{ subject }}, {{body}} ({{{{category}}}})"
    config = {
        "model": "sim/rules",
        "store": "kept/store.sqlite",
        "template": "mustache",
        "resources": {
            "system_prompt": "Sort as {JSON}: {{ subject }}, {{body}} ({{{{category}}}})"
        },
        "optimize": {"file": "tickets.csv", "map": {"expected": "category"}},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    store = ("--store", str(tmp_path / "kept/store.sqlite"))

    checked = inside("check", str(path), "--json", cwd=tmp_path).json()
    ran = run("tau", "run", path, "--json", cwd=tmp_path).json()
    name = "system_prompt@resources-1"
    got = run("tau", "prompt", "get", name, *store, cwd=tmp_path)
    row = '{"subject": "S", "body": "{b} {{c}}"}'
    filled = run("tau", "prompt", "get", name, "--filled", row, *store, cwd=tmp_path)
    told = run("tau", "prompt", "get", name, "--json", *store, cwd=tmp_path).json()

    assert checked["problems"] == []
    assert (ran["succeeded"], ran["failed"]) == (2, 0)
    assert got.out == prompt
    assert "fill {{subject}}, {{body}} and halve the braces" in got.err
    assert filled.out == "Sort as {JSON}: S, {b} {{c}} ({{category}})"
    assert (told["template"], told["placeholders"]) == ("mustache", ["subject", "body"])
    assert told["doubled_braces"] is True


def test_that_no_row_can_be_sent_is_told_before_anything_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    config = {"model": "sim/rules", "optimize": [{"question": "Q"}, {"question": "R"}]}
    path.write_text(json.dumps(config), encoding="utf-8")

    for verb in ("check", "run", "optimize", "plan"):
        ended = inside(verb, str(path), cwd=tmp_path)
        assert ended.code == 2, verb
        assert "2 of 2 rows of 'optimize' have no text 'prompt'" in ended.err
        assert ended.out == ""
    assert sorted(tmp_path.iterdir()) == [path]


def test_completion_in_powershell(tmp_path: Path) -> None:
    script = inside("completion", "powershell", cwd=tmp_path)

    assert "Register-ArgumentCompleter -Native -CommandName tau" in script.out
    assert '$env:_TAU_COMPLETE = "powershell_complete"' in script.out
