"""The RBAC policy: every mistake is refused, and decisions are those of a naive evaluator."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.errors import AccessDenied, PolicyInvalid
from tau.lifecycle.authorization import (
    Authorizer,
    Policy,
    PolicyFile,
    Role,
    load_policy,
    local_principal,
    parse_policy,
)

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "team_mode": True,
    "bindings": [
        {"principal": "local:viewer", "roles": ["viewer"]},
        {"principal": "local:op*", "roles": ["operator", "viewer"]},
        {"principal": "local:intern", "roles": ["operator", "no-cancel"]},
    ],
    "roles": {
        "viewer": {"allow": ["control:rl:status"]},
        "operator": {"allow": ["control:rl:*"]},
        "no-cancel": {"deny": ["control:rl:cancel"]},
    },
}


def written(folder: Path, policy: Any) -> Path:  # noqa: ANN401
    path = folder / "rbac.json"
    path.write_text(policy if isinstance(policy, str) else json.dumps(policy))
    return path


@pytest.mark.parametrize(
    ("principal", "action", "code"),
    [
        ("local:viewer", "control:rl:status", "allow_role_policy"),
        ("local:viewer", "control:rl:pause", "deny_no_matching_allow"),
        ("local:operator", "control:rl:cancel", "allow_role_policy"),
        ("local:op", "control:rl:cancel", "allow_role_policy"),
        ("local:Operator", "control:rl:cancel", "deny_unbound_principal"),
        ("local:intern", "control:rl:pause", "allow_role_policy"),
        ("local:intern", "control:rl:cancel", "deny_role_policy"),
        ("local:nobody", "control:rl:status", "deny_unbound_principal"),
        ("", "control:rl:status", "deny_principal_missing"),
        (" \t", "control:rl:status", "deny_principal_missing"),
        ("local:viewer", "CONTROL:rl:status", "deny_no_matching_allow"),
    ],
)
def test_reason_codes(tmp_path: Path, principal: str, action: str, code: str) -> None:
    authorizer = Authorizer(PolicyFile(written(tmp_path, GOOD)))
    decision = authorizer.decide(principal, action)
    assert (str(decision.reason_code), decision.allowed) == (code, code.startswith("allow"))
    if not decision.allowed:
        with pytest.raises(AccessDenied) as denied:
            authorizer.require(principal, action)
        assert denied.value.what == (
            f"unauthorized rl lifecycle action: principal={principal} action={action} "
            f"reason_code={code}"
        )


@pytest.mark.parametrize("policy", [None, {**GOOD, "team_mode": False}, {"schema_version": 1}])
def test_without_team_mode_everyone_may(tmp_path: Path, policy: dict[str, Any] | None) -> None:
    path = tmp_path / "none.json" if policy is None else written(tmp_path, policy)
    decision = Authorizer(PolicyFile(path)).decide("", "anything")
    assert (decision.allowed, str(decision.reason_code)) == (True, "allow_team_mode_disabled")


def changed(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**GOOD, **fields}


BINDING = {"principal": "p", "roles": ["viewer"]}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("", "empty"),
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ("\0", "not JSON"),
        ({"schema_version": None}, "unsupported schema version None"),
        (changed(schema_version=2), "unsupported schema version 2"),
        (changed(schema_version=True), "unsupported schema version True"),
        (changed(schema_version="1"), "unsupported schema version '1'"),
        (changed(team_mode="yes"), "team_mode"),
        (changed(team_mode=None), "team_mode"),
        (changed(bindings={}), "bindings must be a list"),
        (changed(bindings=["x"]), "bindings[0] must be an object"),
        (changed(bindings=[{"roles": ["viewer"]}]), "bindings[0].principal must not be blank"),
        (changed(bindings=[{"principal": " ", "roles": ["v"]}]), "bindings[0].principal"),
        (changed(bindings=[{"principal": 7, "roles": ["v"]}]), "bindings[0].principal"),
        (changed(bindings=[BINDING, BINDING]), "'p' is bound twice"),
        (changed(bindings=[BINDING, {**BINDING, "principal": " p\t"}]), "'p' is bound twice"),
        (
            changed(bindings=[{"principal": "p", "roles": ["operator", "no-cancle"]}]),
            "bindings[0].roles: there is no role 'no-cancle'; did you mean no-cancel?",
        ),
        (
            changed(bindings=[{"principal": "p", "roles": ["zzz"]}]),
            "there is no role 'zzz'; known: viewer, operator, no-cancel",
        ),
        (changed(bindings=[{"principal": "p"}]), "bindings[0].roles"),
        (changed(bindings=[{"principal": "p", "roles": []}]), "at least one role"),
        (changed(bindings=[{"principal": "p", "roles": [" "]}]), "bindings[0].roles"),
        (changed(bindings=[{"principal": "p", "roles": "viewer"}]), "bindings[0].roles"),
        (changed(roles=[]), "roles must be an object"),
        (changed(roles={"viewer": 1}), "roles.viewer must be an object"),
        (changed(roles={"viewer": {}}), "roles.viewer must have an allow or a deny"),
        (changed(roles={"viewer": {"allow": [], "deny": []}}), "an allow or a deny"),
        (changed(roles={"viewer": {"allow": "x"}}), "roles.viewer.allow"),
        (changed(roles={"viewer": {"deny": [7]}}), "roles.viewer.deny"),
        (changed(roles={"viewer": {"allow": [""]}}), "roles.viewer.allow"),
        (changed(roles={"viewer": {"allow": ["*"], "Deny": ["x"]}}), "did you mean deny?"),
        ({**GOOD, "team_moed": True}, "team_moed is unknown; did you mean team_mode?"),
        (changed(bindings=[{**BINDING, "role": ["x"]}]), "did you mean roles?"),
        (
            '{"schema_version": 1, "team_mode": true, "team_mode": false}',
            "'team_mode' is given twi",
        ),
        (
            '{"schema_version": 1, "roles": {"a": {"deny": ["x"], "deny": []}}}',
            "'deny' is given tw",
        ),
    ],
)
def test_a_malformed_policy_is_refused_and_allows_nothing(
    tmp_path: Path,
    policy: Any,  # noqa: ANN401
    words: str,
) -> None:
    path = written(tmp_path, policy)
    with pytest.raises(PolicyInvalid) as refused:
        Authorizer(PolicyFile(path)).require("local:operator", "control:rl:status")
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, changed(schema_version=9, roles={"a": {}}, bindings=[{}]))
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(PolicyFile(path))
    assert str(refused.value).count(";") >= 2


def test_a_folder_in_the_policys_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="not a regular file"):
        load_policy(PolicyFile(tmp_path))


LETTERS = st.text("ab*", max_size=3)
ROLES = st.dictionaries(
    st.sampled_from("rst"),
    st.tuples(st.lists(LETTERS, max_size=2), st.lists(LETTERS, max_size=2)),
    max_size=3,
)
BINDINGS = st.lists(
    st.tuples(LETTERS, st.lists(st.sampled_from("rstu"), min_size=1, max_size=3)), max_size=3
)


def naive(
    bindings: list[tuple[str, list[str]]],
    roles: dict[str, tuple[list[str], list[str]]],
    principal: str,
    action: str,
) -> str:
    """The contract's evaluation, without any of the code under test."""

    def fits(pattern: str, text: str) -> bool:
        if pattern == "*":
            return True
        if pattern and pattern[-1] == "*":
            return text[: len(pattern) - 1] == pattern[:-1]
        return text == pattern

    if principal.strip() == "":
        return "deny_principal_missing"
    mine = [names for pattern, names in bindings if fits(pattern, principal)]
    if not mine:
        return "deny_unbound_principal"
    held = [roles[name] for names in mine for name in names if name in roles]
    if any(fits(pattern, action) for _, deny in held for pattern in deny):
        return "deny_role_policy"
    if any(fits(pattern, action) for allow, _ in held for pattern in allow):
        return "allow_role_policy"
    return "deny_no_matching_allow"


@given(BINDINGS, ROLES, LETTERS, LETTERS)
def test_decisions_are_those_of_a_naive_evaluator(
    bindings: list[tuple[str, list[str]]],
    roles: dict[str, tuple[list[str], list[str]]],
    principal: str,
    action: str,
) -> None:
    policy = Policy(
        team_mode=True,
        bindings=tuple((pattern, tuple(names)) for pattern, names in bindings),
        roles={k: Role(allow=tuple(a), deny=tuple(d)) for k, (a, d) in roles.items()},
    )
    decision = policy.decide(principal, action)
    assert str(decision.reason_code) == naive(bindings, roles, principal, action)
    assert decision.allowed == decision.reason_code.startswith("allow")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "local:operator"),
        ({"LOGNAME": "ann"}, "local:ann"),
        ({"LOGNAME": "ann", "USER": "Bob.Smith"}, "local:bob-smith"),
        ({"USER": "bob", "TAU_RBAC_LOCAL_ACTOR": "RL Operator_1"}, "local:rl-operator_1"),
        ({"USER": " ", "LOGNAME": "x"}, "local:x"),
        ({"USER": "jürgen"}, "local:j-rgen"),
    ],
)
def test_the_local_principal(environ: dict[str, str], expected: str) -> None:
    assert local_principal(environ) == expected


def test_a_policy_that_is_named_must_be_there(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "nowhere.json")
    for file in (PolicyFile(tmp_path / "typo.json", named=True), PolicyFile(link)):
        with pytest.raises(PolicyInvalid, match="cannot be used"):
            Authorizer(file).require("local:operator", "control:rl:status")


def test_a_policy_without_a_version_is_version_one_and_principals_are_trimmed(
    tmp_path: Path,
) -> None:
    policy = {name: value for name, value in GOOD.items() if name != "schema_version"}
    policy["bindings"] = [{"principal": "  local:viewer\n", "roles": ["viewer"]}]
    authorizer = Authorizer(PolicyFile(written(tmp_path, policy)))
    assert authorizer.decide(" local:viewer ", "control:rl:status").allowed


@pytest.mark.parametrize(
    ("file", "carried", "code"),
    [
        ("operator", None, "allow_role_policy"),
        ("operator", "operator", "allow_role_policy"),
        ("operator", "viewer", "deny_no_matching_allow"),
        ("viewer", "operator", "deny_no_matching_allow"),
        (None, "viewer", "deny_no_matching_allow"),
        (None, "operator", "allow_role_policy"),
        (None, None, "allow_team_mode_disabled"),
    ],
)
def test_the_file_and_the_store_must_both_allow(
    tmp_path: Path, file: str | None, carried: str | None, code: str
) -> None:
    def bound(role: str) -> dict[str, Any]:
        return changed(bindings=[{"principal": "local:ann", "roles": [role]}])

    place = PolicyFile(written(tmp_path, bound(file)) if file else tmp_path / "none.json")
    held = parse_policy(bound(carried), "the store's") if carried else None
    decision = Authorizer(place, held).decide("local:ann", "control:rl:pause")
    assert str(decision.reason_code) == code


def test_where_nothing_tells_what_the_store_carries_nobody_may(tmp_path: Path) -> None:
    trouble = PolicyInvalid("nothing tells")
    with pytest.raises(PolicyInvalid, match="nothing tells"):
        Authorizer(PolicyFile(tmp_path / "none"), trouble=trouble).decide("local:ann", "x")
