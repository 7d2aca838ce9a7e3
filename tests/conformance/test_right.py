"""Right targets fail nothing, and every item that they serve is exercised."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import conform

RIGHT = ["right_decimal", "right_float", "right_plain", "right_ticks", "right_adapter"]
#: One or two for each way to look at a name.
FEW = ["quote", "ema", "order_id", "Breaker", "Position", "on_book_update"]
#: Many times what a machine with nothing else to do needs. [s]
BUDGET_S = 900.0


def look(target: str, chosen: Sequence[str], seed: int) -> None:
    results = conform(f"conformance.targets.{target}", names=chosen, budget=BUDGET_S, seed=seed)
    expected = [(item, f"target_{name.lower()}") for name in names() if name in chosen for item in items_of(name)]
    assert [(each.item, each.check.name) for each in results] == expected
    assert [(each.item, each.looked.breaches[0].was) for each in results if each.looked.breaches] == []
    assert [(each.item, each.check.name) for each in results if not each.looked.exercised] == []
    assert [(each.error, each.looked.notes) for each in results if each.error or each.looked.notes] == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("target", RIGHT)
def test_a_right_target_fails_nothing(target: str, seed: int) -> None:
    look(target, names(), seed)


def test_a_right_target_fails_nothing_of_a_few_names() -> None:
    look("right_decimal", FEW, 0)
