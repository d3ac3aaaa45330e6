"""What every test shares: a clean environment and steady property tests."""

import os

import pytest
from hypothesis import settings

# The same examples every time: a change is judged by itself. `make fuzz` looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and keys of the person who runs the tests must not reach the code under test."""
    for name in list(os.environ):
        if name.startswith("TAU_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
