"""Which mode the flags ask for; the command line counts before the environment."""

import pytest
from click.core import ParameterSource

from tau.cli.modes import Mode, chosen
from tau.errors import UsageError

RUN = Mode(name="run", selectors=("run_config",), modifiers=("run_store", "state_dir"))
CONTROL = Mode(name="control", selectors=("pause", "resume"), modifiers=("state_dir", "principal"))
MODES = (RUN, CONTROL)

TYPED = ParameterSource.COMMANDLINE
EXPORTED = ParameterSource.ENVIRONMENT
DEFAULT = ParameterSource.DEFAULT


@pytest.mark.parametrize(
    ("sources", "mode"),
    [
        ({}, None),
        ({"run_config": TYPED}, RUN),
        ({"run_config": EXPORTED}, RUN),
        ({"run_config": EXPORTED, "pause": TYPED}, CONTROL),
        ({"run_config": TYPED, "pause": EXPORTED}, RUN),
        ({"run_config": TYPED, "state_dir": TYPED}, RUN),
        ({"pause": TYPED, "state_dir": TYPED}, CONTROL),
        ({"run_config": DEFAULT, "run_store": DEFAULT}, None),
        ({"run_store": EXPORTED}, None),
        ({"pause": TYPED, "run_store": EXPORTED}, CONTROL),
        ({"run_config": EXPORTED, "run_store": TYPED}, RUN),
    ],
)
def test_the_mode(sources: dict[str, ParameterSource], mode: Mode | None) -> None:
    assert chosen(MODES, sources) is mode


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"run_config": TYPED, "resume": TYPED},
            "the flag --run-config cannot be used with --resume",
        ),
        ({"run_store": TYPED}, "the flag --run-store requires --run-config"),
        ({"state_dir": TYPED}, "the flag --state-dir requires --pause or --resume or --run-config"),
        ({"pause": TYPED, "run_store": TYPED}, "the flag --run-store cannot be used with --pause"),
        (
            {"pause": TYPED, "run_config": EXPORTED, "run_store": TYPED},
            "the flag --run-store cannot be used with --pause",
        ),
    ],
)
def test_what_does_not_fit_together(sources: dict[str, ParameterSource], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(MODES, sources)

    assert refused.value.what == message
