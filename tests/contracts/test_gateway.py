"""The gateway's endpoints: their shapes, their errors, and what stands behind them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from pydantic import BaseModel
from starlette.requests import Request

from tau.domain.ids import RunId
from tau.errors import UsageError
from tau.gateway import schemas, window
from tau.gateway.addresses import Networks, address_of
from tau.gateway.server_settings import AuthMode
from tau.testing.clock import ManualClock
from tau.testing.store_bench import RUN
from unit.gateway.gateways import PASSWORD, TOKEN, client, filled, settings_in

READS = [
    ("/dashboard/health", schemas.HealthDocument),
    ("/dashboard/widgets", schemas.WidgetsDocument),
    ("/dashboard/queue-timeline", schemas.TimelineDocument),
    ("/dashboard/alerts", schemas.AlertsDocument),
    ("/gateway/status", schemas.GatewayStatusDocument),
    ("/gateway/training/status", schemas.TrainingDocument),
    ("/gateway/training/rollouts", schemas.RolloutsDocument),
]
STATUS = {
    "schema_version": 1, "updated_unix_ms": 7, "run_state": "running", "model_ref": "sim/rules",
    "store_path": "s", "total_rollouts": 9, "succeeded": 5, "failed": 3, "cancelled": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("gateway"))


def _code(answer: Response) -> str:
    error = answer.json()["error"]
    assert set(error) >= {"type", "code", "message"}
    return str(error["code"])


@pytest.mark.parametrize(("path", "model"), READS)
@pytest.mark.parametrize("there", [True, False], ids=["store", "no store"])
def test_documents_have_the_contracts_shape(
    folder: Path, tmp_path: Path, path: str, model: type[BaseModel], there: bool
) -> None:
    with client(settings_in(folder if there else tmp_path)) as found:
        answer = found.get(path)
    assert answer.status_code == 200
    document = answer.json()
    model.model_validate(document, strict=True)
    assert list(document)[:2] == ["schema_version", "generated_unix_ms"]
    assert document["schema_version"] == 1


def test_health_comes_from_the_store(folder: Path) -> None:
    with client(settings_in(folder)) as found:
        health = found.get("/dashboard/health").json()["health"]
        alerts = found.get("/dashboard/alerts").json()["alerts"]
        timeline = found.get("/dashboard/queue-timeline").json()["queue_timeline"]
    assert (health["queue_depth"], health["processed_case_count"]) == (6, 2)
    assert {alert["code"] for alert in alerts} >= {"dashboard_training_failures"}
    assert timeline["reason_counts"] == {
        "queuing": 5, "requeuing": 1, "running": 1, "succeeded": 1, "failed": 1, "failed:server": 1,
    }  # fmt: skip
    assert sum(cycle["completed"] for cycle in timeline["recent_cycles"]) == 1


def test_training_is_the_status_file(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    clock = ManualClock()
    with client(settings_in(tmp_path), clock=clock) as found:

        def training() -> dict[str, Any]:
            clock.advance(1000)
            answer = found.get("/gateway/training/status")
            assert answer.status_code == 200
            document: dict[str, Any] = answer.json()["training"]
            return document

        missing = training()
        path.write_text(json.dumps(STATUS))
        whole = training()
        path.write_text('{"schema_version": 1, "run_st')
        broken = training()
        path.unlink()
        path.mkdir()
        folder = training()
    assert (missing["status_present"], missing["run_state"]) == (False, "unknown")
    assert missing["diagnostics"][0].startswith(f"training_status_missing:{path}")
    assert {name: whole[name] for name in STATUS if name in whole} == {
        name: value for name, value in STATUS.items() if name != "schema_version"
    }
    assert (whole["status_present"], whole["diagnostics"]) == (True, [])
    assert broken["diagnostics"][0].startswith("training_status_parse_failed:")
    assert (broken["status_present"], broken["total_rollouts"]) == (False, 0)
    assert folder["diagnostics"][0].startswith("training_status_read_failed:")


def test_rollouts_are_paged_newest_first(folder: Path) -> None:
    with client(settings_in(folder)) as found:
        first = found.get("/gateway/training/rollouts?page=1&per_page=4").json()
        third = found.get("/gateway/training/rollouts?page=3&per_page=4").json()
        past = found.get("/gateway/training/rollouts?page=99&per_page=200").json()
    assert (first["page"], first["per_page"]) == (1, 4)
    assert (first["total_records"], first["total_pages"], first["invalid_records"]) == (9, 3, 0)
    assert [one["rollout_id"] for one in first["records"]] == [f"{RUN}-r{n}" for n in (9, 8, 7, 6)]
    assert len(third["records"]) == 1
    assert set(third["records"][0]) >= {
        "rollout_id", "status", "mode", "steps", "reward", "duration_ms", "updated_unix_ms",
    }  # fmt: skip
    assert (past["records"], past["total_records"]) == ([], 9)


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "201", "9" * 30, "٣"])
def test_absurd_paging_is_refused(folder: Path, value: str) -> None:
    with client(settings_in(folder)) as found:
        size = found.get("/gateway/training/rollouts", params={"per_page": value})
        page = found.get("/gateway/training/rollouts", params={"page": value})
    assert (size.status_code, _code(size)) == (400, "invalid_training_rollouts_per_page")
    if value != "201":
        assert (page.status_code, _code(page)) == (400, "invalid_training_rollouts_page")


def test_actions_go_through_lifecycle_and_its_audit(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path)) as found:
        paused = found.post("/dashboard/actions", json={"action": "pause", "reason": "look"})
        health = found.get("/dashboard/health").json()
        again = found.post("/dashboard/actions", json={"action": "pause"})
        resumed = found.post("/dashboard/actions", json={"action": "resume"})
        fresh = found.post("/dashboard/actions", json={"action": "refresh"})
    assert paused.status_code == 200
    assert (paused.json()["idempotent"], again.json()["idempotent"]) == (False, True)
    assert health["health"]["health_reason"] == "operator pause action is active"
    assert (health["health"]["health_state"], health["health"]["rollout_gate"]) == (
        "degraded", "hold",
    )  # fmt: skip
    assert health["control"]["paused"] is True
    assert "pause" not in health["control"]["allowed_actions"]
    assert health["control"]["last_action"]["reason"] == "look"
    assert (resumed.json()["control"]["mode"], fresh.status_code) == ("running", 200)
    lines = (tmp_path / "control-audit.jsonl").read_text().splitlines()
    assert [json.loads(one)["action"] for one in lines] == ["pause", "pause", "resume"]
    assert {json.loads(one)["principal"] for one in lines} == {"local:tester"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"action": "explode"}', "invalid_dashboard_action"),
        (b'{"action": "cancel"}', "invalid_dashboard_action"),
        (b'{"action": 7}', "invalid_dashboard_action"),
        (b"{}", "invalid_dashboard_action"),
        (b"{", "malformed_json"),
        (b"[]", "malformed_json"),
        (b"\xff", "malformed_json"),
        (b'{"action": "pause", "reason": 7}', "invalid_request"),
        (b'{"action": "pause", "reason": "' + b"x" * 501 + b'"}', "invalid_request"),
    ],
)
def test_bad_actions_are_refused_and_change_nothing(tmp_path: Path, body: bytes, code: str) -> None:
    with client(settings_in(tmp_path)) as found:
        answer = found.post("/dashboard/actions", content=body)
    assert (answer.status_code, _code(answer)) == (400, code)
    assert list(tmp_path.iterdir()) == []


def test_long_bodies_are_refused(tmp_path: Path) -> None:
    with client(settings_in(tmp_path)) as found:
        answer = found.post("/dashboard/actions", content=b"x" * 100_000)
    assert (answer.status_code, _code(answer)) == (413, "body_too_large")


def test_read_only_refuses_every_change(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path, read_only=True)) as found:
        answer = found.post("/dashboard/actions", json={"action": "pause"})
        v1 = found.post("/api/v1/controls/cancel", json={})
        refresh = found.post("/dashboard/actions", json={"action": "refresh"})
        allowed = found.get("/dashboard/health").json()["control"]["allowed_actions"]
    assert (answer.status_code, _code(answer)) == (403, "read_only")
    assert (v1.status_code, _code(v1)) == (403, "read_only")
    assert (refresh.status_code, allowed) == (200, ["refresh"])
    assert not (tmp_path / "control-audit.jsonl").exists()


def test_a_password_gives_a_token_for_an_hour(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = settings_in(tmp_path, auth=AuthMode.PASSWORD_SESSION, token=None, password=PASSWORD)
    with client(settings, clock=clock, known=False) as found:
        wrong = found.post("/gateway/auth/session", json={"password": "not the password"})
        bad = found.post("/gateway/auth/session", content=b"{")
        right = found.post("/gateway/auth/session", json={"password": PASSWORD})
        session = right.json()
        headers = {"Authorization": f"Bearer {session['access_token']}"}
        before = found.get("/dashboard/health", headers=headers)
        clock.advance(3600 * 1000)
        after = found.get("/dashboard/health", headers=headers)
    assert (wrong.status_code, _code(wrong)) == (401, "invalid_credentials")
    assert (bad.status_code, _code(bad)) == (400, "malformed_json")
    assert (session["token_type"], session["expires_in_seconds"]) == ("bearer", 3600)
    assert session["expires_unix_ms"] == clock.unix_ms()
    assert (before.status_code, after.status_code) == (200, 401)


def test_the_session_endpoint_belongs_to_its_mode(tmp_path: Path) -> None:
    with client(settings_in(tmp_path)) as found:
        answer = found.post("/gateway/auth/session", json={"password": "x"})
    assert (answer.status_code, _code(answer)) == (400, "auth_mode_mismatch")


def test_the_121st_request_of_a_minute_is_refused(tmp_path: Path) -> None:
    clock = ManualClock()
    with client(settings_in(tmp_path, requests_per_minute=120), clock=clock) as found:
        codes = [found.get("/gateway/training/status").status_code for _ in range(120)]
        refused = found.get("/gateway/training/status")
        clock.advance(60_000)
        later = found.get("/gateway/training/status")
    assert set(codes) == {200}
    assert (refused.status_code, _code(refused)) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) == 60
    assert later.status_code == 200


def test_guessing_is_limited_and_locks_no_valid_token(tmp_path: Path) -> None:
    clock = ManualClock()
    with client(settings_in(tmp_path, failures_per_minute=3), clock=clock, known=False) as found:

        def asked(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return int(found.get("/dashboard/health", headers=headers).status_code)

        stale = [asked("not-the-token") for _ in range(4)]
        others = [asked(f"guess-{n}") for n in range(3)]
        right = asked(TOKEN)
        clock.advance(60_000)
        later = asked("guess-0")
    assert stale == [401, 401, 401, 429]
    assert others == [401, 401, 429], "one credential that is wrong again counts once"
    assert (right, later) == (200, 401)


def test_who_looks_cannot_take_the_controls_away(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path, requests_per_minute=5), clock=ManualClock()) as found:
        looked = [found.get("/dashboard/health").status_code for _ in range(6)]
        previews = [found.get("/controls/pause").status_code for _ in range(6)]
        paused = found.post("/dashboard/actions", json={"action": "pause"})
    assert (looked[-1], previews[-1], paused.status_code) == (429, 429, 200)


def test_probes_are_not_metered(tmp_path: Path) -> None:
    settings = settings_in(filled(tmp_path), strangers_per_minute=2)
    with client(settings, clock=ManualClock(), known=False) as found:
        codes = {found.get(path).status_code for path in ("/healthz", "/readyz") * 5}
    assert codes == {200}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "same"),
    [
        ((), "203.0.113.1", True),
        (("testclient",), "", None),
        (("10.0.0.0/8",), "203.0.113.1", True),
    ],
)
def test_a_proxy_that_is_not_named_is_not_believed(
    proxies: tuple[str, ...],
    forwarded: str,
    same: bool | None,
) -> None:
    if same is None:
        with pytest.raises(UsageError, match="named by its address"):
            Networks(proxies)
        return
    assert _address(proxies, "192.0.2.7", forwarded) == "192.0.2.7"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("198.51.100.9, 203.0.113.1", "203.0.113.1"),
        ("203.0.113.1, 10.0.0.3", "203.0.113.1"),
        ("garbage", "10.0.0.2"),
        ("203.0.113.1, garbage", "10.0.0.2"),
        ("", "10.0.0.2"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_last_hop_that_is_no_trusted_proxy_counts(forwarded: str, address: str) -> None:
    assert _address(("10.0.0.0/8",), "10.0.0.2", forwarded) == address


def _address(proxies: tuple[str, ...], peer: str, forwarded: str) -> str:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    request = Request({"type": "http", "client": (peer, 1), "headers": headers})
    return address_of(request, Networks(proxies))


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8787", 200), ("localhost:8787", 200), ("[::1]:8787", 200), ("10.0.0.7", 200),
     ("evil.example:8787", 421), ("127.0.0.1.evil.example", 421), ("", 421)],
)  # fmt: skip
def test_foreign_names_are_refused(tmp_path: Path, host: str, status: int) -> None:
    with client(settings_in(tmp_path)) as found:
        assert found.get("/dashboard/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8787"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_cannot_act(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    with client(settings_in(tmp_path, auth=AuthMode.LOCALHOST_DEV), known=False) as found:
        answer = found.post("/dashboard/actions", json={"action": "refresh"}, headers=headers)
    assert answer.status_code == status


def test_metrics_and_probes(folder: Path, tmp_path: Path) -> None:
    with client(settings_in(folder)) as found:
        metrics = found.get("/metrics")
        ready = found.get("/readyz")
    with client(settings_in(tmp_path), known=False) as nothing:
        alive, unready = nothing.get("/healthz"), nothing.get("/readyz")
        hidden = nothing.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'tau_rollouts{{run="{RUN}",status="succeeded"}} 1\n' in metrics.text
    assert (ready.status_code, alive.status_code, unready.status_code) == (200, 200, 503)
    assert hidden.status_code == 401


@pytest.mark.parametrize("damage", ["missing", "garbage", "foreign", "folder"])
def test_a_bad_store_is_an_alert_and_no_traceback(tmp_path: Path, damage: str) -> None:
    store = tmp_path / "store.sqlite"
    if damage == "garbage":
        store.write_bytes(b"not a database at all" * 100)
    elif damage == "foreign":
        store.write_bytes(b"SQLite format 3\x00" + b"\x01" * 200)
    elif damage == "folder":
        store.mkdir()
    with client(settings_in(tmp_path)) as found:
        health = found.get("/dashboard/health")
        rollouts = found.get("/gateway/training/rollouts").json()
        alerts = found.get("/dashboard/alerts").json()["alerts"]
        run = found.get("/api/v1/runs")
        page = found.get("/")
    assert health.json()["state"]["store_present"] is False
    assert health.json()["health"]["health_state"] == "unknown"
    assert rollouts["diagnostics"][0].startswith("store_unreadable:")
    assert alerts[0]["code"] == "dashboard_state_missing"
    assert (run.status_code, _code(run)) == (503, "store_unavailable")
    assert page.status_code == 200
    said = "There is no run yet." if damage == "missing" else "The store cannot be read."
    assert said in page.text


# Another process: locks of one's own do not count.
LOCKER = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode = DELETE")
store.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            process.kill()


def test_a_locked_store_is_told_once_waited_for_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    clock = ManualClock()
    monkeypatch.setattr(window, "_PATIENCE_S", 0.3)
    with client(settings_in(tmp_path), clock=clock) as found:
        with _locked(tmp_path / "store.sqlite"):
            page = found.get("/")
            answers = [found.get("/api/v1/runs") for _ in range(20)]
            health = found.get("/dashboard/health")
        clock.advance(5000)
        monkeypatch.setattr(window, "_PATIENCE_S", 30)
        after = found.get("/api/v1/runs")
    assert "somebody keeps it locked" in page.text
    assert {one.status_code for one in answers} == {503}
    assert (page.status_code, health.status_code, after.status_code) == (200, 200, 200)


def test_a_store_may_come_later_and_be_replaced(tmp_path: Path) -> None:
    clock = ManualClock()
    other = tmp_path / "other"
    other.mkdir()
    filled(other)
    with client(settings_in(tmp_path), clock=clock) as found:

        def runs() -> int:
            clock.advance(1000)
            return int(found.get("/api/v1/runs").status_code)

        before = runs()
        filled(tmp_path)
        came = runs()
        (other / "store.sqlite").replace(tmp_path / "store.sqlite")
        for name in ("store.sqlite-wal", "store.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        assert [before, came, runs(), runs()] == [503, 200, 200, 200]


def test_unknown_ids_are_not_found(folder: Path) -> None:
    odd = ["none", "run-1-r99", "%00", "..%2f..", "é", "a" * 3000]
    with client(settings_in(folder)) as found:
        for name in odd:
            for path in ("/api/v1/runs/", "/api/v1/rollouts/", "/runs/", "/rollouts/"):
                answer = found.get(path + name)
                assert answer.status_code == 404, (path, name)
                assert "Traceback" not in answer.text


def test_api_lists_what_the_store_holds(folder: Path) -> None:
    with client(settings_in(folder)) as found:
        runs = found.get("/api/v1/runs").json()
        run = found.get(f"/api/v1/runs/{RUN}").json()
        curve = found.get(f"/api/v1/runs/{RUN}/curve").json()
        rollout = found.get(f"/api/v1/rollouts/{RUN}-r1").json()
        workers = found.get("/api/v1/workers").json()["workers"]
    assert [one["id"] for one in runs["runs"]] == [RunId(RUN)]
    assert run["counts"]["succeeded"] == 1
    assert curve["best"] == [], "one score says nothing of what is best"
    assert curve["candidates"][0]["mean"] == 1.0
    assert {one["condition"] for one in (run["run"], *runs["runs"])} == {"crashed"}
    assert (rollout["status"], rollout["score"], rollout["attempts"][0]["spans"]) == (
        "succeeded", 1.0, 2,
    )  # fmt: skip
    assert len(workers) == 2


def test_no_token_is_kept_or_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = settings_in(tmp_path, password=PASSWORD)
    with client(settings) as found:
        answers = [found.get(path).text for path, _ in READS]
        answers += [found.get("/dashboard/health", headers={"Authorization": "Bearer x"}).text]
        answers.append(repr(settings))
    captured = capfd.readouterr()
    for text in (*answers, captured.out, captured.err):
        assert TOKEN not in text
        assert PASSWORD not in text
