"""Two more right targets: neither fails anything, and all that they expose is exercised."""

from __future__ import annotations

import time
from pathlib import Path

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import Conformed, conform

TARGETS = Path(__file__).with_name("targets")


def failures(results: list[Conformed]) -> list[str]:
    return [
        f"{result.item}: {breach.was}, should be {breach.should}"
        for result in results
        for breach in result.looked.breaches
    ]


def test_plain_floats_fail_nothing_whatever_the_seed() -> None:
    results = conform(str(TARGETS / "floats.py"), budget=120, seed=1)
    assert not failures(results)
    assert not [result.error for result in results if result.error]
    assert [(result.item, result.check.name) for result in results if not result.looked.exercised] == []


def test_the_oracles_as_a_target_are_right_within_a_minute_and_cover_every_item() -> None:
    started = time.monotonic()
    results = conform(str(TARGETS / "exact.py"), budget=60)
    assert time.monotonic() - started < 60
    assert not failures(results)
    assert not [result.error for result in results if result.error]
    assert not [note for result in results for note in result.looked.notes]
    expected = [(item, f"target_{name.lower()}") for name in names() for item in items_of(name)]
    assert [(result.item, result.check.name) for result in results] == expected
