"""How the tests run on a mutant.

Hypothesis tries the same examples, and the first failure is enough, it is not made smaller. Loops run as they are
written: a mutant is no code that numba compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings

from mmverify import compiled

settings.register_profile(
    "mutation", derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutation")


@pytest.fixture(scope="module", params=["columns", "loops"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run what asks for it over whole columns, and in loops however short its columns are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_compiled", _wrapping)
        patch.setattr(compiled, "LARGE", 0 if request.param == "loops" else 2**62)
        yield


def _wrapping(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loop in which integers wrap around, as they do in a compiled one."""

    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return loop(*arguments)

    return run
