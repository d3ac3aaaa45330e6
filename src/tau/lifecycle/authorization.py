"""Who may do what: the RBAC policy file and its evaluation."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from tau.domain.json import Json
from tau.errors import AccessDenied, FileError, PolicyInvalid
from tau.files.documents import read_document

_NOT_IN_NAMES = re.compile(r"[^a-z0-9\-_]")


PROMOTE = "promote"
PROMOTE_KEY = "control:rl:promote"
"""What policies name the pointing of an alias by."""
INSTALL = "install_policy"
INSTALL_KEY = "control:rbac:install"
"""What policies name the installing of a policy in a store by."""
PRUNE = "prune"
PRUNE_KEY = "control:rl:prune"
MIGRATE = "migrate"
MIGRATE_KEY = "control:db:migrate"
COPY = "copy"
COPY_KEY = "control:db:copy"
BACKUP = "backup"
BACKUP_KEY = "control:db:backup"
START = "start"
START_KEY = "control:rl:start"
"""What policies name the starting of runs and workers by: it spends money."""


class ReasonCode(StrEnum):
    """Why an action is allowed or denied."""

    ALLOW_TEAM_MODE_DISABLED = "allow_team_mode_disabled"
    ALLOW_ROLE_POLICY = "allow_role_policy"
    DENY_PRINCIPAL_MISSING = "deny_principal_missing"
    DENY_UNBOUND_PRINCIPAL = "deny_unbound_principal"
    DENY_ROLE_POLICY = "deny_role_policy"
    DENY_NO_MATCHING_ALLOW = "deny_no_matching_allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDecision:
    """The answer to one question; `roles` are those bound to the principal, `rule` what decided."""

    allowed: bool
    reason_code: ReasonCode
    roles: tuple[str, ...] = ()
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Patterns over action keys; a deny beats every allow."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A validated policy. `bindings` are pairs of principal pattern and role names, in order."""

    team_mode: bool = False
    bindings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)

    def decide(self, principal: str, action_key: str) -> AccessDecision:
        """Evaluate one question; pure. Blanks around the principal mean nothing."""
        principal = principal.strip()
        if not self.team_mode:
            return AccessDecision(allowed=True, reason_code=ReasonCode.ALLOW_TEAM_MODE_DISABLED)
        if not principal:
            return AccessDecision(allowed=False, reason_code=ReasonCode.DENY_PRINCIPAL_MISSING)
        roles = self.roles_of(principal)
        if roles is None:
            return AccessDecision(allowed=False, reason_code=ReasonCode.DENY_UNBOUND_PRINCIPAL)
        denied = self._rule(roles, action_key, deny=True)
        if denied is not None:
            code = ReasonCode.DENY_ROLE_POLICY
            return AccessDecision(allowed=False, reason_code=code, roles=roles, rule=denied)
        allowed = self._rule(roles, action_key, deny=False)
        if allowed is not None:
            code = ReasonCode.ALLOW_ROLE_POLICY
            return AccessDecision(allowed=True, reason_code=code, roles=roles, rule=allowed)
        code = ReasonCode.DENY_NO_MATCHING_ALLOW
        return AccessDecision(allowed=False, reason_code=code, roles=roles)

    def roles_of(self, principal: str) -> tuple[str, ...] | None:
        """Roles of every matching binding, without repeats; None where none matches."""
        bound = [roles for pattern, roles in self.bindings if matches(pattern, principal)]
        if not bound:
            return None
        return tuple(dict.fromkeys(role for roles in bound for role in roles))

    def _rule(self, roles: Iterable[str], action_key: str, *, deny: bool) -> str | None:
        for name in roles:
            role = self.roles.get(name, Role())
            for pattern in role.deny if deny else role.allow:
                if matches(pattern, action_key):
                    return f"{name}: {'deny' if deny else 'allow'} {pattern}"
        return None


def matches(pattern: str, text: str) -> bool:
    """Exact, `*`, or a prefix ending in `*`; case-sensitive; `*` elsewhere is literal."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return pattern == text


def local_principal(environ: Mapping[str, str]) -> str:
    """`local:<name>` from TAU_RBAC_LOCAL_ACTOR, USER, LOGNAME, else operator."""
    for variable in ("TAU_RBAC_LOCAL_ACTOR", "USER", "LOGNAME"):
        name = environ.get(variable, "").strip()
        if name:
            return "local:" + _NOT_IN_NAMES.sub("-", name.lower())
    return "local:operator"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """Where a policy is looked for. One that somebody `named` must be there."""

    path: Path
    named: bool = False


class Authorizer:
    """The one door of every surface that changes anything.

    The policy that a store carries and the one in the file must both allow, so that neither can
    be got round by naming the other. Where `trouble` keeps what the store carries from being read,
    nobody is allowed anything. Both may be set anew: a store's policy can be replaced.
    """

    def __init__(
        self,
        file: PolicyFile,
        carried: Policy | None = None,
        *,
        trouble: PolicyInvalid | None = None,
    ) -> None:
        self.file = file
        self.carried = carried
        self.trouble = trouble

    def decide(self, principal: str, action_key: str) -> AccessDecision:
        """Read the file as it stands now and evaluate both.

        Raises:
            PolicyInvalid: it is malformed, or named and missing; that allows nobody anything.
        """
        if self.trouble is not None:
            raise self.trouble
        by_file = load_policy(self.file).decide(principal, action_key)
        if self.carried is None or not by_file.allowed:
            return by_file
        by_store = self.carried.decide(principal, action_key)
        if by_store.allowed and not self.carried.team_mode:
            return by_file
        return by_store

    def roles_of(self, principal: str) -> tuple[str, ...]:
        """Roles of the principal in both policies, without repeats."""
        policies = (load_policy(self.file), self.carried or Policy())
        return tuple(dict.fromkeys(r for one in policies for r in one.roles_of(principal) or ()))

    @property
    def team_mode(self) -> bool:
        """Whether either policy asks who somebody is."""
        return load_policy(self.file).team_mode or bool(self.carried and self.carried.team_mode)

    def _place(self, principal: str, action_key: str) -> str:
        if load_policy(self.file).decide(principal, action_key).allowed:
            return "the policy that the store carries: tau rbac install POLICY --store STORE"
        return f"'{self.file.path}'"

    def require(self, principal: str, action_key: str) -> AccessDecision:
        """The decision, if it allows.

        Raises:
            AccessDenied: with the contract's reason code.
            PolicyInvalid: as `decide`.
        """
        decision = self.decide(principal, action_key)
        if not decision.allowed:
            raise AccessDenied(
                f"unauthorized rl lifecycle action: principal={principal} action={action_key} "
                f"reason_code={decision.reason_code}",
                reason_code=decision.reason_code,
                fix="an administrator can bind a role that allows it in "
                + self._place(principal, action_key),
            )
        return decision


def load_policy(file: PolicyFile) -> Policy:
    """Read and validate; a missing file that nobody named is a policy without team mode.

    Raises:
        PolicyInvalid: unreadable, malformed (with every mistake), or named and missing.
    """
    document = read_policy(file)
    if document is None:
        return Policy()
    return parse_policy(document, f"RBAC policy '{file.path}'")


def read_policy(file: PolicyFile) -> Mapping[str, Json] | None:
    """The document of a policy, not validated; None where nobody named the file and it is missing.

    Raises:
        PolicyInvalid: unreadable, or named and missing.
    """
    try:
        document = read_document(file.path, unique=True)
    except FileError as error:
        raise PolicyInvalid(f"RBAC policy '{file.path}' cannot be used", why=str(error)) from error
    if document is None and os.path.lexists(file.path):
        raise PolicyInvalid(
            f"RBAC policy '{file.path}' cannot be used", why="it is a link that leads nowhere"
        )
    if document is None and file.named:
        raise PolicyInvalid(
            f"RBAC policy '{file.path}' cannot be used",
            why="there is no such file",
            fix="name the right file, or leave --rbac-policy (TAU_RBAC_POLICY) out",
        )
    return document


def parse_policy(document: Mapping[str, Json], what: str) -> Policy:
    """Validate; `what` names the policy in errors.

    Raises:
        PolicyInvalid: malformed, with every mistake.
    """
    mistakes: list[str] = []
    policy = _parse(document, mistakes)
    if mistakes:
        raise PolicyInvalid(f"{what} is malformed", why="; ".join(mistakes))
    return policy


def _parse(document: Mapping[str, Json], mistakes: list[str]) -> Policy:
    _misspelt(document, ("schema_version", "team_mode", "bindings", "roles"), "", mistakes)
    version = document.get("schema_version", 1)
    if type(version) is not int or version != 1:
        mistakes.append(f"unsupported schema version {version!r}; expected 1")
    team_mode = document.get("team_mode", False)
    if not isinstance(team_mode, bool):
        mistakes.append("team_mode must be true or false")
    policy = Policy(
        team_mode=team_mode is True,
        bindings=_bindings(document.get("bindings", []), mistakes),
        roles=_roles(document.get("roles", {}), mistakes),
    )
    _unknown_roles(policy, document.get("roles", {}), mistakes)
    return policy


def _unknown_roles(policy: Policy, roles: Json, mistakes: list[str]) -> None:
    """A binding to a role that is not there would lose what that role denies."""
    known = [str(name) for name in roles] if isinstance(roles, dict) else []
    for index, (_, names) in enumerate(policy.bindings):
        for name in names:
            if name in known:
                continue
            close = get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"known: {', '.join(known) or 'none'}"
            mistakes.append(f"bindings[{index}].roles: there is no role '{name}'; {meant}")


def _bindings(value: Json, mistakes: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, list):
        mistakes.append("bindings must be a list")
        return ()
    made: list[tuple[str, tuple[str, ...]]] = []
    for index, binding in enumerate(value):
        where = f"bindings[{index}]"
        if not isinstance(binding, dict):
            mistakes.append(f"{where} must be an object")
            continue
        _misspelt(binding, ("principal", "roles"), f"{where}.", mistakes)
        principal, roles = binding.get("principal"), binding.get("roles")
        if not isinstance(principal, str) or not principal.strip():
            mistakes.append(f"{where}.principal must not be blank")
            continue
        principal = principal.strip()
        if principal in dict(made):
            mistakes.append(f"{where}.principal '{principal}' is bound twice")
        names = _texts(roles, f"{where}.roles", mistakes)
        if not names:
            mistakes.append(f"{where}.roles must name at least one role")
        made.append((principal, names))
    return tuple(made)


def _roles(value: Json, mistakes: list[str]) -> dict[str, Role]:
    if not isinstance(value, dict):
        mistakes.append("roles must be an object")
        return {}
    made = {}
    for name, role in value.items():
        where = f"roles.{name}"
        if not isinstance(role, dict):
            mistakes.append(f"{where} must be an object")
            continue
        _misspelt(role, ("allow", "deny"), f"{where}.", mistakes)
        allow = _texts(role.get("allow", []), f"{where}.allow", mistakes)
        deny = _texts(role.get("deny", []), f"{where}.deny", mistakes)
        if not allow and not deny:
            mistakes.append(f"{where} must have an allow or a deny")
        made[name] = Role(allow=allow, deny=deny)
    return made


def _misspelt(
    value: Mapping[str, Json], names: tuple[str, ...], where: str, mistakes: list[str]
) -> None:
    """A field that is nearly one we know would be ignored, and with it perhaps a deny."""
    for name in value:
        if name not in names and (close := get_close_matches(name.casefold(), names, n=1)):
            mistakes.append(f"{where}{name} is unknown; did you mean {close[0]}?")


def _texts(value: Json, where: str, mistakes: list[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(one, str) and one.strip() for one in value
    ):
        mistakes.append(f"{where} must be a list of texts that are not blank")
        return ()
    return tuple(str(one) for one in value)
