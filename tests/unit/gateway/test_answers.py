"""Answers as their declared models."""

import json

from tau.gateway.answers import dump
from tau.gateway.api_documents import WorkerBody, WorkersDocument


def test_a_declared_answer_with_a_lone_surrogate_is_escaped() -> None:
    worker = WorkerBody(
        name="a\ud800b", role="worker", process="h:1", offers=[], in_flight=0,
        heartbeat_unix_ms=0, lease_ms=1,
    )  # fmt: skip
    found = json.loads(dump(WorkersDocument(workers=[worker])))
    assert found["workers"][0]["name"] == "a\\ud800b"
    assert found["workers"][0]["offers"] == []
