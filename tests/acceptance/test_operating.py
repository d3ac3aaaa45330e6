"""What an operator meets: encrypted pages, a damaged checkpoint of a measured run, run choice."""

import json
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from acceptance.programs import config, environment, inside, run, script, started

PATIENCE_S = 30.0


def certificate(folder: Path) -> tuple[Path, Path]:
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A folder where a run of one wave has ended."""
    path = config(tmp_path, model="sim/rules")
    ended = run("tau", "run", path, "--store", tmp_path / "store.sqlite", cwd=tmp_path)
    assert ended.code == 0, ended.err
    return tmp_path


def test_pages_come_encrypted_with_a_certificate_of_ones_own(measured: Path) -> None:
    made, key = certificate(measured)
    words = ("serve", "--store", "store.sqlite", "--bind", "127.0.0.1:0",
             "--tls-cert", str(made), "--tls-key", str(key))  # fmt: skip
    with started("tau", *words, cwd=measured) as child:
        assert child.stdout is not None
        url = child.stdout.readline()
        assert url.startswith("https://127.0.0.1:"), url
        base = "https://" + url.split("https://")[1].split()[0].split("/")[0]
        trusted = ssl.create_default_context(cafile=str(made))
        with urlopen(f"{base}/healthz", context=trusted, timeout=PATIENCE_S) as answer:
            assert json.load(answer) == {"status": "ok"}
        with pytest.raises(URLError, match="certificate"):
            urlopen(f"{base}/healthz", timeout=PATIENCE_S)
        with pytest.raises(OSError):  # noqa: PT011  (closed, reset or nonsense: none is an answer)
            urlopen(f"{base.replace('https', 'http')}/healthz", timeout=PATIENCE_S)
        child.send_signal(signal.SIGTERM)


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(measured: Path) -> None:
    made, _ = certificate(measured)
    other = measured / "other"
    other.mkdir()
    _, key = certificate(other)
    ended = run("tau", "serve", "--store", "store.sqlite", "--bind", "127.0.0.1:0",
                "--tls-cert", made, "--tls-key", key, cwd=measured)  # fmt: skip
    assert ended.code != 0
    assert "--tls-cert" in ended.err


def test_a_measured_run_has_a_fallback_checkpoint(measured: Path) -> None:
    primary = json.loads((measured / "policy-checkpoint.json").read_text())
    fallback = json.loads((measured / "policy-checkpoint.rollback.json").read_text())
    assert (primary["global_step"], fallback["global_step"]) == (2, 0)
    assert primary["run_id"] == fallback["run_id"]
    status = json.loads((measured / "status.json").read_text())
    (measured / "status.json").write_text(json.dumps({**status, "run_state": "running"}))
    (measured / "policy-checkpoint.json").write_text("{")
    state = measured / "control-state.json"
    assert json.loads(state.read_text())["lifecycle_state"] == "running"
    resumed = inside("resume", "--store", "store.sqlite", "--json", cwd=measured)
    assert resumed.code == 0, resumed.err
    assert resumed.json()["recovery_checkpoint_source"] == "fallback"


def test_going_back_on_a_completed_run_says_what_it_would_cost(measured: Path) -> None:
    kept = measured / "kept.json"
    shutil.copy(measured / "policy-checkpoint.json", kept)
    ended = inside("rollback", str(kept), "--store", "store.sqlite", cwd=measured)
    said = " ".join((ended.err + ended.out).split())
    assert "its next start is a new run, which pays for what this one paid" in said
    assert "(2 rollouts, 2 calls" in said


def test_a_killed_run_is_not_the_one_that_a_later_command_means(tmp_path: Path) -> None:
    """Start A, kill -9, start B, pause B, cancel A: A is cancelled, and B is paused still."""
    slow = {"graders": [{"type": "command", "command": ["sleep", "60"], "time_limit_s": 90}],
            "completion_timeout_secs": 90}  # fmt: skip
    runs: list[str] = []
    child: subprocess.Popen[bytes] | None = None
    for name in ("a", "b"):
        path = config(tmp_path, f"{name}.json", model="sim/rules",
                      resources={"system_prompt": f"You are {name}."}, **slow)  # fmt: skip
        child = subprocess.Popen(
            [script("tau"), "run", str(path), "--store", "store.sqlite"], cwd=tmp_path,
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        runs.append(_begun(tmp_path, but=runs))
        if name == "a":
            child.kill()
            child.wait()
    try:
        doctor = inside("doctor", "--store", "store.sqlite", cwd=tmp_path)
        said = " ".join(doctor.out.split())
        assert f"{runs[0][-6:]} stopped without a word" in said
        assert f"{runs[1][-6:]} stopped" not in said
        assert inside("pause", "--store", "store.sqlite", cwd=tmp_path).code == 0
        ended = inside("cancel", "--run-id", runs[0], "--store", "store.sqlite", cwd=tmp_path)
        assert ended.code == 0
        assert "nobody drives the run; it has ended" in " ".join(ended.out.split())
        state = json.loads((tmp_path / "control-state.json").read_text())
        assert (state["lifecycle_state"], state["run_id"]) == ("paused", runs[1])
    finally:
        if child is not None:
            child.kill()
            child.wait()


def _begun(folder: Path, *, but: list[str]) -> str:
    """The run that `control-state.json` names, once it is another one than those before."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        file = folder / "control-state.json"
        found = json.loads(file.read_text())["run_id"] if file.exists() else None
        if found is not None and found not in but:
            return str(found)
        time.sleep(0.02)
    raise AssertionError("it did not begin")
