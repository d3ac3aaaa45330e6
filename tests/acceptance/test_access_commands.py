"""Who may change what: every command that writes, asked from the command line."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from acceptance.programs import Ended, config, inside
from tau.stores.sqlite import statements
from unit.gateway.gateways import filled

DATA = Path(__file__).parent.parent / "data"
POLICY: dict[str, Any] = {
    "team_mode": True,
    "bindings": [
        {"principal": "local:lead", "roles": ["lead"]},
        {"principal": "local:intern", "roles": ["viewer"]},
    ],
    "roles": {"lead": {"allow": ["control:*"]}, "viewer": {"allow": ["control:rl:status"]}},
}
WRITING: dict[str, tuple[str, ...]] = {
    "promote": ("promote", "resources-1", "--alias", "prod"),
    "migrate": ("db", "migrate"),
    "prune": ("db", "prune", "--older-than", "1h", "--yes"),
    "pause": ("pause",),
    "resume": ("resume",),
    "cancel": ("cancel",),
    "audit_repair": ("audit", "repair"),
    "install_policy": ("rbac", "install", "policy.json"),
    "backup": ("db", "backup", "copy.sqlite"),
    "start": ("run", "config.json"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path)
    with apsw.Connection(str(tmp_path / "store.sqlite")) as connection:
        connection.execute("UPDATE run SET status = 'failed'")
        connection.execute("UPDATE worker SET state = 'retired'")
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    config(tmp_path, model="sim/rules")
    return tmp_path


def tau(folder: Path, *words: str, who: str | None = None, cwd: Path | None = None) -> Ended:
    asked = ("--principal", who) if who else ()
    store = ("--store", str(folder / "store.sqlite"))
    return inside(*words, *asked, *store, cwd=cwd or folder)


def audit(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "control-audit.jsonl").read_text().splitlines()
    return [json.loads(one) for one in lines]


@pytest.mark.parametrize("action", WRITING)
def test_a_named_policy_that_is_missing_lets_nothing_through(folder: Path, action: str) -> None:
    ended = tau(folder, *WRITING[action], "--rbac-policy", "nope.json")
    if action == "prune":
        return  # nothing is old enough to be deleted
    assert ended.code == 1, ended.err
    assert "nope.json" in ended.err
    assert not tau(folder, "aliases", "ls").out.count("prod")


@pytest.mark.parametrize("action", [name for name in WRITING if name != "prune"])
def test_a_denial_is_audited_whatever_was_asked(folder: Path, action: str) -> None:
    ended = tau(folder, *WRITING[action], "--rbac-policy", "policy.json", who="local:intern")
    assert ended.code == 5, ended.err
    last = audit(folder)[-1]
    assert (last["action"], last["decision"], last["principal"]) == (
        action, "denied", "local:intern",
    )  # fmt: skip
    assert last["reason_code"] == "deny_no_matching_allow"
    listed = tau(folder, "audit", "ls").out
    assert "denied" in listed
    assert tau(folder, "audit", "verify").code == 0


def test_an_installed_policy_holds_from_everywhere(folder: Path, tmp_path: Path) -> None:
    installed = tau(folder, "rbac", "install", "policy.json", "--reason", "team", who="local:lead")
    assert installed.code == 0, installed.err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "open.json").write_text("{}")
    denied = None
    for more in ((), ("--rbac-policy", "open.json")):
        words = ("promote", "resources-1", "--alias", "prod", *more)
        denied = tau(folder, *words, who="local:intern", cwd=elsewhere)
        assert denied.code == 5, "naming another policy is no way round"
    assert denied is not None
    assert "tau rbac install" in denied.err
    allowed = tau(
        folder, "promote", "resources-1", "--alias", "prod", who=" local:lead ", cwd=elsewhere
    )
    assert allowed.code == 0, allowed.err
    checked = tau(folder, "rbac", "check", "promote", who="local:intern", cwd=elsewhere)
    assert checked.code == 5
    again = tau(folder, "rbac", "install", str(folder / "policy.json"), who="local:intern")
    assert again.code == 5
    assert [(one["action"], one["decision"]) for one in audit(folder)] == [
        ("install_policy", "allowed"), ("promote", "denied"), ("promote", "denied"),
        ("promote", "allowed"), ("install_policy", "denied"),
    ]  # fmt: skip
    found = tau(folder, "db", "verify", "--json").json()
    assert not [one for one in found["problems"] if "policy" in one]


def test_an_edited_policy_lets_nobody_in(folder: Path) -> None:
    assert tau(folder, "rbac", "install", "policy.json").code == 0
    with apsw.Connection(str(folder / "store.sqlite")) as connection:
        connection.execute("DROP TRIGGER policy_stays")
        connection.execute("UPDATE policy SET content = '{}'")
    ended = tau(folder, "promote", "resources-1", "--alias", "prod", who="local:lead")
    assert ended.code == 1
    assert "not as it was installed" in ended.err


def test_a_policy_moves_with_its_store(folder: Path) -> None:
    assert tau(folder, "rbac", "install", "policy.json").code == 0
    copied = inside(
        "store", "copy", "store.sqlite", "copy.sqlite", "--principal", "local:lead", cwd=folder
    )
    assert copied.code == 1, "a rollout is in flight"
    with apsw.Connection(str(folder / "store.sqlite")) as connection:
        connection.execute("UPDATE rollout SET live = NULL, status = 'failed' WHERE live NOT NULL")
    copied = inside(
        "store", "copy", "store.sqlite", "copy.sqlite", "--principal", "local:lead", cwd=folder
    )
    assert copied.code == 0, copied.err
    ended = inside(
        "promote", "resources-1", "--alias", "a", "--store", "copy.sqlite",
        "--principal", "local:intern", cwd=folder,
    )  # fmt: skip
    assert ended.code == 5


def test_a_store_of_the_version_before_gets_a_place_for_its_policy(folder: Path) -> None:
    old = folder / "old" / "store.sqlite"
    old.parent.mkdir()
    old.write_bytes(gzip.decompress((DATA / "stores" / "sqlite-1.sqlite.gz").read_bytes()))
    (old.parent / "policy.json").write_text(json.dumps(POLICY))
    whoami = tau(old.parent, "rbac", "whoami", "--json")
    assert whoami.json()["store_carries_policy"] is False
    installed = tau(old.parent, "rbac", "install", "policy.json")
    assert installed.code == 0, installed.err
    with apsw.Connection(str(old)) as connection:
        assert connection.pragma("user_version") == len(statements.migrations())
    assert tau(old.parent, "pause", who="local:intern").code == 5


@pytest.mark.parametrize("name", [*WRITING, "status", "rollback", "copy"])
def test_check_knows_every_action_that_whoami_lists(folder: Path, name: str) -> None:
    asked = tau(folder, "rbac", "check", name, "--json")
    assert asked.code == 0
    assert asked.json()["action"] in tau(folder, "rbac", "whoami", "--json").json()["allowed"]


def test_a_command_that_means_another_run_is_refused(folder: Path) -> None:
    state = {
        "schema_version": 1, "updated_unix_ms": 1, "lifecycle_state": "running",
        "last_action": "start", "principal": "local:x", "rollback_checkpoint": None,
        "run_id": "run-b",
    }  # fmt: skip
    (folder / "control-state.json").write_text(json.dumps(state))
    refused = tau(folder, "cancel", "--run-id", "run-a")
    assert refused.code == 1
    assert "there is no run 'run-a' in this store" in refused.err
    assert json.loads((folder / "control-state.json").read_text())["lifecycle_state"] == "running"
    assert (audit(folder)[-1]["decision"], audit(folder)[-1]["run_id"]) == ("failed", "run-a")
    assert tau(folder, "cancel", "--run-id", "run-b").code == 0


@pytest.mark.parametrize(
    ("aliases", "code", "said"),
    [
        ((), 2, "no alias points at a prompt yet"),
        (("prod",), 0, ""),
        (("prod", "canary"), 2, "system_prompt@canary, system_prompt@prod"),
    ],
)
def test_a_prompt_without_a_version_is_that_of_the_only_alias(
    folder: Path, aliases: Sequence[str], code: int, said: str
) -> None:
    for alias in aliases:
        assert tau(folder, "promote", "resources-1", "--alias", alias).code == 0
    ended = tau(folder, "prompt", "get", "system_prompt", "--json")
    assert (ended.code != 0, said in ended.err) == (code != 0, True), ended.err
    assert tau(folder, "prompt", "get", "system_prompt@latest", "--json").code == 0


STARTING = {
    "run": ("run", "config.json"),
    "eval": ("eval", "config.json"),
    "optimize": ("optimize", "config.json"),
    "worker": ("worker", "--once"),
}
"""What spends money from the moment on when it is started."""


@pytest.mark.parametrize("words", STARTING.values(), ids=STARTING)
def test_who_may_not_start_runs_spends_nothing(folder: Path, words: tuple[str, ...]) -> None:
    """Denied by the policy that the store carries, and by one that is named; both are audited."""
    installed = tau(folder, "rbac", "install", "policy.json", who="local:lead")
    assert installed.code == 0, installed.err
    before = tau(folder, "runs", "--json").json()
    for more in ((), ("--rbac-policy", "policy.json")):
        ended = tau(folder, *words, *more, who="local:intern")
        assert (ended.code, ended.out) == (5, ""), ended.err
        assert "action=control:rl:start" in ended.err
        last = audit(folder)[-1]
        assert (last["action"], last["decision"], last["action_key"]) == (
            "start", "denied", "control:rl:start",
        )  # fmt: skip
    assert tau(folder, "runs", "--json").json() == before
    assert tau(folder, "audit", "verify").code == 0


def test_who_may_start_runs_is_in_the_audit(folder: Path) -> None:
    tau(folder, "rbac", "install", "policy.json", who="local:lead")
    ended = tau(folder, "run", "config.json", who="local:lead")
    assert ended.code in (0, 1), ended.err
    begun = [one for one in audit(folder) if one["action"] == "start"]
    assert [(one["principal"], one["action_key"]) for one in begun] == [
        ("local:lead", "control:rl:start")
    ]
    assert tau(folder, "audit", "verify").code == 0


def test_backups_are_in_the_audit(folder: Path) -> None:
    assert tau(folder, "db", "backup", "copy.sqlite", who="local:lead").code == 0
    last = audit(folder)[-1]
    assert (last["action"], last["principal"], last["detail"]) == (
        "backup", "local:lead", "to copy.sqlite",
    )  # fmt: skip
