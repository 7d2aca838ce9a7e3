"""What every test may ask for, and how the property tests run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine, and no deadline: a slow machine is not a defect.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the folder of the checkout."""
    return Path(__file__).parents[1]
