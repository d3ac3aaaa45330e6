"""Where the real data is."""

import os
from pathlib import Path

import pytest

# Read at import: the shared fixture clears TAU_* before each test.
_DATA = os.environ.get("TAU_ACCEPTANCE_DATA")


@pytest.fixture(scope="session")
def acceptance_data() -> Path:
    """The folder of real data; tests that need it are skipped on machines without it."""
    if not _DATA or not Path(_DATA).is_dir():
        pytest.skip("TAU_ACCEPTANCE_DATA names no folder")
    return Path(_DATA)
