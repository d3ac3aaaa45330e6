"""Every route of the gateway against every kind of caller: nothing is open by mistake."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from tau.gateway.admission import COOKIE, Permission
from tau.gateway.application import build
from tau.gateway.credentials import BROWSER_S
from tau.gateway.pages.routes import page_routes
from tau.gateway.permissions import RequirePermission
from tau.gateway.server_settings import AuthMode
from tau.testing.clock import ManualClock
from tau.testing.store_bench import RUN
from unit.gateway.gateways import BEARER, PASSWORD, client, filled, settings_in

FILLED = {
    "{run}": RUN, "{rollout}": f"{RUN}-r1", "{action}": "pause", "{number}": "1",
    "{name:path}": "tau.css",
}  # fmt: skip
PUBLIC = {
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/login"), ("POST", "/login"),
    ("POST", "/gateway/auth/session"), ("GET", "/static/{name:path}"),
}  # fmt: skip
ROLES = {
    "viewer": (["control:rl:status"], []),
    "operator": (["control:rl:*"], []),
    "barred": (["*"], ["control:rl:status", "control:rl:pause", "control:rl:promote"]),
    "stranger": None,
}


@dataclass(frozen=True)
class Way:
    """A route as the application declares it."""

    method: str
    path: str
    permission: Permission

    @property
    def address(self) -> str:
        address = self.path
        for name, value in FILLED.items():
            address = address.replace(name, value)
        return address


def _ways() -> Iterator[Way]:
    app = build(settings_in(Path("/nonexistent")))
    for route in app.state.directory:
        if isinstance(route, APIRoute):
            doors = [
                one.call
                for one in route.dependant.dependencies
                if isinstance(one.call, RequirePermission)
            ]
            assert len(doors) == 1, f"{route.path} does not declare who may use it"
            for method in sorted(route.methods or ()):
                yield Way(method, route.path, doors[0].permission)
        else:
            yield Way("GET", route.path, Permission.READ)
    for page in page_routes():
        yield Way(page.method, page.path, page.permission)
    yield Way("GET", "/static/{name:path}", Permission.PUBLIC)


WAYS = list(_ways())
STREAMS = [way for way in WAYS if way.path == "/dashboard/stream" or way.path.startswith("/live")]
PLAIN = [way for way in WAYS if way not in STREAMS]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("access"))


def _status(found: TestClient, way: Way, headers: dict[str, str] | None = None) -> int:
    form = f"run={RUN}".encode() if way.path == "/controls/{action}" else b"{}"
    body = {"content": form} if way.method == "POST" else {}
    answer = found.request(way.method, way.address, headers=headers, **body)  # type: ignore[arg-type]
    assert "Traceback" not in answer.text
    if answer.status_code == 303 and answer.headers["location"].startswith("/login"):
        return 401
    return int(answer.status_code)


def test_the_public_routes_are_these_and_no_others() -> None:
    assert {(way.method, way.path) for way in WAYS if way.permission is Permission.PUBLIC} == PUBLIC
    assert len(WAYS) > 50


def test_what_changes_something_asks_for_more_than_looking() -> None:
    changing = [way for way in WAYS if way.method not in ("GET", "HEAD")]
    assert {way.permission for way in changing} == {Permission.ACT, Permission.PUBLIC}


def test_without_a_valid_secret_there_is_no_way_in(store: Path) -> None:
    clock = ManualClock()
    settings = settings_in(store, auth=AuthMode.PASSWORD_SESSION, password=PASSWORD)
    with client(settings, clock=clock, known=False) as found:
        token = found.post("/gateway/auth/session", json={"password": PASSWORD}).json()
        clock.advance(BROWSER_S * 1000)
        secrets: dict[str, dict[str, str]] = {
            "no": {},
            "wrong": {"Authorization": "Bearer wrong"},
            "empty": {"Authorization": "Bearer "},
            "another scheme": {"Authorization": "Basic dGF1OnRhdQ=="},
            "expired": {"Authorization": f"Bearer {token['access_token']}"},
            "wrong cookie": {"Cookie": f"{COOKIE}=wrong"},
            "expired cookie": {"Cookie": f"{COOKIE}={token['access_token']}"},
        }
        codes = {
            (way, name): _status(found, way, headers)
            for way in WAYS
            for name, headers in secrets.items()
        }
    strange = {
        key: code
        for key, code in codes.items()
        if (key[0].permission is Permission.PUBLIC) == (code == 401) and key[0].path != "/login"
    }
    assert strange == {}


@pytest.mark.parametrize("role", ROLES)
def test_roles_open_what_they_should(tmp_path: Path, role: str) -> None:
    filled(tmp_path)
    _policy(tmp_path, role)
    may_look, may_act = role in ("viewer", "operator"), role == "operator"
    with client(settings_in(tmp_path)) as found:
        forbidden = {way: _status(found, way) == 403 for way in PLAIN}
    for way, denied in forbidden.items():
        if way.permission is Permission.PUBLIC or way.path == "/logout":
            assert not denied, way
        elif way.permission is Permission.ACT or way.path == "/api/v1/controls/{action}":
            # an action that names none is refused before anybody asks who may
            assert denied is (not may_act and way.path != "/dashboard/actions"), way
        else:
            assert denied is not may_look, way


@pytest.mark.parametrize("role", ["viewer", "barred", "stranger"])
def test_denied_controls_are_audited(tmp_path: Path, role: str) -> None:
    filled(tmp_path)
    _policy(tmp_path, role)
    with client(settings_in(tmp_path)) as found:
        answer = found.post("/dashboard/actions", json={"action": "pause"})
    lines = [json.loads(one) for one in (tmp_path / "control-audit.jsonl").read_text().splitlines()]
    assert answer.status_code == 403
    assert [(one["decision"], one["action"]) for one in lines] == [("denied", "pause")]
    assert not (tmp_path / "control-state.json").exists()


def test_a_broken_policy_opens_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "rbac.json").write_text('{"schema_version": 2}')
    with client(settings_in(tmp_path)) as found:
        codes = {_status(found, way) for way in PLAIN if way.permission is Permission.READ}
        acted = found.post("/dashboard/actions", json={"action": "pause"})
    assert codes == {403}
    assert acted.status_code == 403


def test_streams_are_for_readers(tmp_path: Path) -> None:
    filled(tmp_path)
    _policy(tmp_path, "barred")
    with client(settings_in(tmp_path)) as found:
        assert {_status(found, way) for way in STREAMS} == {403}
    assert len(STREAMS) > 10


def test_a_login_link_opens_one_session_once(store: Path) -> None:
    clock = ManualClock()
    with client(settings_in(store), clock=clock, known=False) as found:
        credentials = found.app.state.gateway.credentials  # type: ignore[attr-defined]
        link, late = credentials.login_link(), credentials.login_link()
        looked = found.get(f"/login?link={link}")
        first = found.post("/login", data={"link": link, "next": "//evil.example"})
        cookie = first.headers["set-cookie"]
        found.cookies.clear()
        second = found.post("/login", data={"link": link})
        clock.advance(15 * 60 * 1000)
        expired = found.post("/login", data={"link": late})
    assert looked.status_code == 200
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert (second.status_code, expired.status_code) == (401, 401)


def test_a_browsers_forms_need_their_secret(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path), known=False) as found:
        link = found.app.state.gateway.credentials.login_link()  # type: ignore[attr-defined]
        found.post("/login", data={"link": link})
        page = found.get("/controls/pause").text
        secret = page.partition('name="csrf" value="')[2].partition('"')[0]
        codes = [
            found.post("/controls/pause", data=form).status_code
            for form in ({"run": RUN}, {"csrf": "x"}, {"csrf": secret, "run": RUN, "reason": "see"})
        ]
        json_codes = [
            found.post("/dashboard/actions", json={"action": "resume"}, headers=one).status_code
            for one in ({}, {"X-CSRF-Token": secret})
        ]
        out = found.post("/logout", data={"csrf": secret})
        after = found.get("/dashboard/health")
    assert (len(secret), codes, json_codes) == (43, [403, 403, 200], [403, 200])
    assert (out.status_code, after.status_code) == (303, 401)


def _policy(folder: Path, role: str) -> None:
    rules = ROLES[role]
    document = {
        "schema_version": 1,
        "team_mode": True,
        "bindings": [{"principal": "local:tester", "roles": [role]}] if rules else [],
        "roles": {role: {"allow": rules[0], "deny": rules[1]}} if rules else {},
    }
    (folder / "rbac.json").write_text(json.dumps(document))


def test_the_token_works_at_all(store: Path) -> None:
    with client(settings_in(store), known=False) as found:
        assert found.get("/dashboard/health", headers=BEARER).status_code == 200
