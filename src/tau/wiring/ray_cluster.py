"""The door to a Ray cluster, and who is refused at it. Imported only when it is asked for."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import ray
from ray.exceptions import AuthenticationError, RayError

from tau.errors import ClusterError

_KNOCK_S = 5.0
_SAID = 300
_ELSEWHERE = "`ray job submit -- tau worker --ray auto`"


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Be a driver of the cluster at `address`: HOST:PORT of its head, or `auto` on a node.

    Actors live as long as this does. Call it before signals are handled: Ray handles them too.

    Raises:
        ClusterError: nobody answers there, or not to us.
    """
    _check_answers(address)
    try:
        with _without_stderr():
            ray.init(
                address=address, namespace="tau", log_to_driver=False,
                logging_level=logging.CRITICAL,
            )  # fmt: skip
    except (RayError, OSError, RuntimeError, ValueError) as error:
        raise _refused(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray itself would go on knocking for ten minutes."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return
    if not colon or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ClusterError(
            f"'{address}' is no address of a Ray cluster",
            fix="HOST:PORT of its head (6379 as a rule), or auto on one of its nodes; "
            f"from elsewhere {_ELSEWHERE}",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except OSError as error:
        raise ClusterError(
            "no Ray cluster answers",
            where=address,
            why=error.strerror or str(error),
            fix="start one (`ray start --head`), or name the address that it printed",
        ) from error


def _refused(address: str, error: Exception) -> ClusterError:
    said = f"{error} {error.__cause__}"
    if isinstance(error, AuthenticationError) or "InvalidAuthToken" in said:
        return ClusterError(
            "the Ray cluster did not let us in",
            where=address,
            why="it was given no token, or another one",
            fix="put the cluster's token into RAY_AUTH_TOKEN or ~/.ray/auth_token; where it has "
            "none, anyone who reaches it can run code there: RAY_AUTH_MODE=disabled accepts that",
        )
    return ClusterError(
        "the Ray cluster cannot be used from here",
        where=address,
        why=" ".join(str(error).split())[:_SAID],
        fix=f"run it on a node of the cluster, with the same Ray and Python: {_ELSEWHERE}",
    )


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Ray's core writes there, past Python; what matters is in the error."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as void:
            os.dup2(void.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
