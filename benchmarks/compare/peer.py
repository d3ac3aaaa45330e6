"""What a peer's worker needs besides its library: the endpoint, and jobs as lines of JSON.

Standard library only: it runs in environments that have no Tau.
"""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


class Endpoint:
    """One run's server over one kept connection: calls one after another, in a fixed order."""

    def __init__(self, base_url: str, model: str) -> None:
        self.base_url = base_url
        self.model = model
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=60)

    def chat(self, messages: list[dict[str, str]]) -> str:
        """The answer of the model."""
        body = {"model": self.model, "messages": messages}
        said = self._post("/v1/chat/completions", body)
        return str(said["choices"][0]["message"]["content"])

    def grade(self, prompt: str, output: str) -> tuple[float, str]:
        """Score and feedback."""
        said = self._post("/grade", {"prompt": prompt, "output": output})
        return said["score"], said["feedback"]

    def task_calls(self) -> int:
        """Task calls the server has counted."""
        return int(self._ask("GET", "/sim/stats", None)["task_calls"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {data[:500]!r}")
        answer: dict[str, Any] = json.loads(data)
        return answer


def task_messages(system_prompt: str, prompt: str) -> list[dict[str, str]]:
    """A task call as Tau's `chat` executor sends it."""
    return [
        {"role": "system", "content": system_prompt},
        {"role": "user", "content": prompt},
    ]


def serve(run: Callable[[dict[str, Any], Endpoint], dict[str, Any]]) -> None:
    """Do the jobs on standard input; answers alone go to standard output.

    What `run` gives has `messages`: the call that the optimized program makes for the job's probe.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print; their words must not mix with the answers
    sys.stdout = sys.stderr
    for line in sys.stdin:
        job = json.loads(line)
        began = time.perf_counter()
        found = run(job, Endpoint(job["base_url"], job["model"]))
        found["seconds"] = round(time.perf_counter() - began, 2)
        print(json.dumps(found), file=answers, flush=True)
