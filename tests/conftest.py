"""What every test may ask for, and how the property tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mmverify import compiled

# The same examples on every machine, and no deadline: a slow machine is not a defect.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the folder of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="module", params=["columns", "loops"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run what asks for it over whole columns, and in compiled loops however short its columns are."""
    if request.param == "loops":
        pytest.importorskip("numba")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "LARGE", 0 if request.param == "loops" else 2**62)
        yield
