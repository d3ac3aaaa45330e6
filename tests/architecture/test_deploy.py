"""The examples of deployment say what the programs understand."""

from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface
from tau.stores.postgres.address import parse

DEPLOY = Path(__file__).parents[2] / "deploy"


def containers() -> list[tuple[list[str], dict[str, str], int]]:
    """Command, environment and time to finish of every worker."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["worker"]
    seconds = int(compose["stop_grace_period"].removesuffix("s"))
    pod: dict[str, Any] = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())
    assert (pod["apiVersion"], pod["kind"]) == ("apps/v1", "Deployment")
    spec = pod["spec"]["template"]["spec"]
    assert pod["spec"]["selector"]["matchLabels"] == pod["spec"]["template"]["metadata"]["labels"]
    made = [(compose["command"], compose["environment"], seconds)]
    for each in spec["containers"]:
        environment = {variable["name"]: variable["value"] for variable in each["env"]}
        made.append((each["args"], environment, spec["terminationGracePeriodSeconds"]))
    return made


@pytest.mark.parametrize(("command", "environment", "seconds"), containers())
def test_workers_are_started_as_they_can_be(
    command: list[str], environment: dict[str, str], seconds: int
) -> None:
    program, name, *arguments = command
    assert program == "tau"
    known = tau_group.commands[name]
    with known.make_context(name, list(arguments), obj=Surface(program="tau")) as context:
        assert context.params["workers"] == 4
    assert isinstance(known, click.Command)
    assert parse(environment["TAU_STORE"]).schema == "tau"
    assert seconds >= 60, "a model call may take that long"
