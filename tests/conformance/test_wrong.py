"""Wrong targets fail the item of their mistake, and nothing but what follows from it."""

from __future__ import annotations

import re

import pytest
from conformance.targets.wrong import TABLE

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import Conformed, again, conform

#: At least one for each way to look at a name, and each object.
FEW = [
    "quote_at_or_below_0", "trades_alike_once", "vwap_of_nothing_0", "ema_of_the_next", "in_float64", "taker_rate",
    "counted_ids", "flip_cut_off", "late_fill_revives", "gap_by_one", "refused_counts", "nan_passes", "reads_its_rules",
    "prints_each",
]  # fmt: skip
#: A target exposes one name: many times what that needs. [s]
BUDGET_S = 120.0


def still_fails(found: Conformed, target: str) -> bool:
    """Run the regression test of a finding against a target."""
    code = found.test.replace(repr(found.target), repr(target))
    values: dict[str, object] = {"again": again}
    exec("from decimal import Decimal", values)
    try:
        exec(code, values)
    except AssertionError:
        return True
    return False


def look(name: str) -> None:
    wrong, target = TABLE[name], f"conformance.targets.wrong:TARGETS.{name}"
    results = conform(target, budget=BUDGET_S)
    found = {each.item: each for each in results if each.looked.breaches}
    assert wrong.item in found
    assert set(found) <= {wrong.item, *wrong.also.split()}
    assert [each.error for each in results if each.error] == []
    for each in found.values():
        (breach,) = each.looked.breaches
        assert breach.was.startswith(f"{breach.where[0]} was ") and breach.should
        assert breach.count >= 1
        assert still_fails(each, target)
        assert not still_fails(each, "conformance.targets.right_decimal")


@pytest.mark.campaign
@pytest.mark.armed
@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_target_fails_its_item(name: str) -> None:
    look(name)


@pytest.mark.armed
@pytest.mark.parametrize("name", FEW)
def test_each_way_to_look_sees_a_mistake(name: str) -> None:
    look(name)


def test_every_name_has_a_wrong_target() -> None:
    assert {name for wrong in TABLE.values() for name in wrong.exposed} - {"NUMBER"} == set(names())


def test_every_item_of_a_name_is_failed_by_some_target() -> None:
    served = {item for name in names() for item in items_of(name)}
    assert served - {wrong.item for wrong in TABLE.values()} == set()


def test_sources_are_threads_or_say_that_there_is_none() -> None:
    sources = [wrong.source for wrong in TABLE.values()]
    threads = [each for each in sources if re.fullmatch(r"[\w.-]+/[\w.-]+ #\d+", each)]
    assert {each for each in sources if each not in threads} == {"constructed"}
    assert len(threads) >= 40
