"""What `tau worker --ray` refuses before it reaches a cluster."""

import socket
import sys
from collections.abc import Callable

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

STORE = "postgresql://tau@127.0.0.1:1/tau"
SECRET = "tell-nobody"
Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """The exit code of `tau worker` with these arguments, and what it says."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("RAY_AUTH_MODE", "RAY_NUM_REDIS_GET_RETRIES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str]:
        code = program(tau_group, Surface(program="tau"), ["worker", *arguments])
        told = capsys.readouterr()
        assert told.out == ""
        return code, told.err

    return run


def test_a_file_cannot_be_shared_by_machines(refused: Refused) -> None:
    code, told = refused("--ray", "auto", "--store", "somewhere/store.sqlite")
    assert code == 2
    assert "cannot share a SQLite store" in told
    assert "a file belongs to one machine" in told
    assert "tau store copy" in told


@pytest.mark.parametrize(
    "store", [f"postgresql://tau:{SECRET}@db/tau", f"postgresql://tau@db/tau?password={SECRET}"]
)
def test_a_password_is_not_given_to_ray(refused: Refused, store: str) -> None:
    code, told = refused("--ray", "auto", "--store", store)
    assert code == 2
    assert "PGPASSWORD" in told
    assert SECRET not in told


def test_a_missing_extra_is_named(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "ray.exceptions", "tau.wiring.placing", "tau.wiring.ray_cluster"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, told = refused("--ray", "auto", "--store", STORE)
    assert code == 2
    assert told == "Error: Ray is not installed\n  fix: pip install 'tau[ray]'\n"


@pytest.mark.parametrize("address", ["local", "head", "ray://head:10001", "head:0", "head:x"])
def test_an_address_that_is_none_is_refused(refused: Refused, address: str) -> None:
    pytest.importorskip("ray")
    code, told = refused("--ray", address, "--store", STORE)
    assert code == 1
    assert f"'{address}' is no address of a Ray cluster" in told
    assert "ray job submit" in told


def test_a_cluster_that_does_not_answer_is_told_at_once(refused: Refused) -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, told = refused("--ray", address, "--store", STORE)
    assert code == 1
    assert told.startswith(f"Error: no Ray cluster answers\n  where: {address}\n")
