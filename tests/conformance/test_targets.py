"""Targets that are right fail nothing; targets that are wrong fail their item, and nothing but what follows from it."""

from __future__ import annotations

import re
import time

import pytest
from conformance.targets.wrong import TABLE

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import Conformed, again, conform

RIGHT = ["right_decimal", "right_float", "right_ticks", "right_adapter"]
#: A target exposes one name, and most fail on a vector. [s]
BUDGET_S = 4.0
FULL_S = 60.0


def failed(target: str, budget: float) -> dict[str, Conformed]:
    """Return the checks with a finding, by item."""
    return {each.item: each for each in conform(target, budget=budget) if each.looked.breaches}


def still_fails(found: Conformed, target: str) -> bool:
    """Run the regression test of a finding against a target."""
    code = found.test.replace(repr(found.target), repr(target))
    values: dict[str, object] = {"again": again}
    exec("from decimal import Decimal\nfrom fractions import Fraction", values)
    try:
        exec(code, values)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_target_fails_nothing(name: str, record_property: pytest.RecordProperty) -> None:
    start = time.perf_counter()
    results = conform(f"conformance.targets.{name}", budget=FULL_S)
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    print(f"conform {name}: {seconds:.1f} s")
    assert [(each.item, each.looked.breaches[0].was) for each in results if each.looked.breaches] == []
    assert [(each.item, each.check.name) for each in results if not each.looked.exercised] == []
    assert len(results) == sum(len(items_of(each)) for each in names())
    assert seconds < FULL_S


@pytest.mark.armed
@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_target_fails_its_item(name: str) -> None:
    wrong, target = TABLE[name], f"conformance.targets.wrong:TARGETS.{name}"
    found = failed(target, BUDGET_S)
    assert wrong.item in found
    assert set(found) <= {wrong.item, *wrong.also.split()}
    assert still_fails(found[wrong.item], target)
    assert not still_fails(found[wrong.item], "conformance.targets.right_decimal")


def test_every_name_has_a_wrong_target() -> None:
    assert {name for wrong in TABLE.values() for name in wrong.exposed} - {"NUMBER"} == set(names())
    assert len(TABLE) >= 60


def test_every_item_of_a_function_is_failed_by_some_target() -> None:
    served = {item for name in names() for item in items_of(name)}
    assert served - {item for wrong in TABLE.values() for item in (wrong.item, *wrong.also.split())} == set()


def test_sources_are_threads_or_say_that_there_is_none() -> None:
    sources = [wrong.source for wrong in TABLE.values()]
    threads = [each for each in sources if re.fullmatch(r"[\w.-]+/[\w.-]+ #\d+", each)]
    assert {each for each in sources if each not in threads} == {"constructed"}
    assert len(threads) >= 40
