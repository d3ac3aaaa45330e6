"""What programs under a run inherit: nothing secret, and what the configuration names."""

import json
import sys
from pathlib import Path

import pytest

from acceptance.programs import config, environment, run

SECRETS = {
    "PGPASSWORD", "OPENAI_KEY", "OPENAI_API_KEY", "OPENAI_API_KEY_2", "DATABASE_URL", "GITHUB_PAT",
    "DB_PASS", "SSHPASS", "JWT", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN",
    "NPM_AUTH", "REDIS_URL", "MONGO_URI", "KUBECONFIG", "VAULT_ADDR", "COOKIE", "PASSPHRASE",
    "MYSQL_PWD", "SENTRY_DSN", "PYTHONPATH_SECRET", "TAU_GATEWAY_TOKEN", "SSH_AUTH_SOCK",
    "GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY", "LESSOPEN", "my_key", "ÄPFEL",
}  # fmt: skip
VALUE = "canary-7f3c"
PROXY = f"http://user:{VALUE}@proxy:1"
TELL = "import json, os, sys; sys.stdin.read(); from pathlib import Path; "
APP = TELL + "Path(sys.argv[1]).write_text(json.dumps(dict(os.environ))); print({answer!r})"


def seen(folder: Path, env: list[str] | None) -> dict[str, dict[str, str]]:
    """The environments of an executor and a grader of a run that was started with all secrets."""
    more = {} if env is None else {"env": env}
    (folder / "app.py").write_text(APP.format(answer='{"text": "4"}'))
    (folder / "grade.py").write_text(APP.format(answer='{"score": 1}'))
    path = config(
        folder,
        model="sim/rules",
        executor={"type": "command", "command": [sys.executable, "app.py", "app.json"], **more},
        graders=[
            {"type": "command", "command": [sys.executable, "grade.py", "grade.json"], **more}
        ],
    )
    planted = {name: PROXY if name == "HTTPS_PROXY" else VALUE for name in SECRETS}
    ended = run("tau", "run", path, "--store", folder / "store.sqlite", cwd=folder, env=planted)
    assert ended.code == 0, ended.err
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("app", "grade")}


@pytest.mark.parametrize("named", [None, ["GITHUB_PAT", "DATABASE_URL"]])
def test_secrets_stay_here_but_for_what_is_named(tmp_path: Path, named: list[str] | None) -> None:
    for which, got in seen(tmp_path, named).items():
        told = {name for name, value in got.items() if VALUE in value}
        assert told == set(named or []), which
        assert got.get("PATH") == environment()["PATH"]
