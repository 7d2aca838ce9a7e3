"""Right targets of several makes: none of them fails anything, and all that they expose is exercised."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import Conformed, conform

TARGETS = Path(__file__).with_name("targets")


def failures(results: list[Conformed]) -> list[str]:
    return [
        f"{result.item}: {breach.was}, should be {breach.should}"
        for result in results
        for breach in result.looked.breaches
    ]


@pytest.mark.parametrize(
    "path", [*sorted(TARGETS.glob("right_*.py")), TARGETS / "floats.py"], ids=lambda path: path.stem
)
def test_an_independent_right_target_fails_nothing(path: Path) -> None:
    results = conform(str(path), budget=120, seed=1)
    assert not failures(results)
    assert not [result.error for result in results if result.error]
    assert len(results) > 60
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
