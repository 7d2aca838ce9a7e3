"""The mistakes of P&L and of signals that are seeded in sessions: each is caught by its item, at what it costs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from mmverify.checks import items
from mmverify.defects import Defect, Planted, defects
from mmverify.defects.recording import Recording
from mmverify.errors import NotExercised
from mmverify.importers import import_session
from mmverify.review.arm import arm
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session import open_session
from mmverify.simulate import simulate

FOCUS = ["1.3", "3.3"]
SECTIONS = [id for id, item in items().items() if item.section in FOCUS]
SEEDED = [each for each in defects().values() if each.item in SECTIONS and each.evidence == "session"]
ODD = [each for each in defects().values() if each.plant.__module__.endswith(("s1_3", "s3_3")) and not each.item]
OTHER = {
    "cost_basis": "lifo", "unrealized_price": "exit", "volatility": "simple", "ema_init": "sma", "realized": "net",
    "conversion": "fill",
}  # fmt: skip
CHOSEN = {"5": (5, None), "9": (9, None), "5-other": (5, OTHER), "9-other": (9, OTHER)}
SHARED = Path(os.environ.get("MMVERIFY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = SHARED / "sessions" / "nautilus" / "linear_btcusdt_quoter_l2"
HALF_UNIT = 5e-9  # of a claim that is printed to eight digits


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("simulated")
    for name, (seed, conventions) in CHOSEN.items():
        simulate(folder / name, seed=seed, hours=0.1, symbols=3, conventions=conventions)
    return {name: Recording(folder / name) for name in CHOSEN}


def planted(chosen: Defect, recordings: dict[str, Recording], folder: Path) -> Iterator[tuple[Planted, Assessment]]:
    """Plant a mistake in every session, and review each."""
    for name, recording in recordings.items():
        copy = recording.fresh()
        found = chosen.plant(copy)
        copy.write(folder / name)
        yield found, review([open_session(folder / name)], focus=FOCUS)


def failed(assessment: Assessment) -> set[str]:
    assert assessment.errors == ()
    return {item.id for item in assessment.items if item.status == "failed"}


def tells(assessment: Assessment, chosen: Defect, cost: Fraction, currency: str) -> bool:
    """Whether a finding of the mistake's item says what it costs, within 1 %."""
    stated = [(f.impact.amount, f.impact.currency) for f in assessment.findings if f.item == chosen.item]
    close = pytest.approx(float(cost), rel=0.01, abs=HALF_UNIT)
    return any(amount == close for amount, named in stated if named == currency)


@pytest.mark.armed
def test_the_sessions_exercise_every_item_and_break_none(recordings: dict[str, Recording]) -> None:
    for recording in recordings.values():
        assessment = review([open_session(recording.folder)], focus=FOCUS)
        assert {item.status for item in assessment.items} == {"verified"}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_defect_is_caught_at_its_cost(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    for found, assessment in planted(chosen, recordings, tmp_path):
        assert chosen.item in failed(assessment)
        assert failed(assessment) <= {chosen.item, *chosen.consequences}
        assert found.cost is None or tells(assessment, chosen, found.cost, found.currency)


def test_most_defects_have_a_cost(recordings: dict[str, Recording]) -> None:
    costs = {each.id: each.plant(recordings["5"].fresh()).cost for each in SEEDED}
    assert {id for id, cost in costs.items() if cost is None} == {
        "3.3.1-empty-window-keeps-the-last-vwap",  # a price made of nothing
        "3.3.2-mean-of-fewer-than-n-prices",
        "3.3.4-input-of-a-nanosecond-after",  # no trade came in between
    }
    assert all(cost is None or cost > 0 for cost in costs.values())


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_is_not_reported(chosen: Defect, recordings: dict[str, Recording], tmp_path: Path) -> None:
    for _, assessment in planted(chosen, recordings, tmp_path):
        assert (failed(assessment), assessment.findings) == (set(), ())


@pytest.mark.armed
@pytest.mark.parametrize("item", SECTIONS)
def test_every_check_is_armed_by_a_defect_of_its_item(item: str, recordings: dict[str, Recording]) -> None:
    armings = arm(open_session(recordings["5"].folder), [item])
    assert {each.check for each in armings} == {check.name for check in items()[item].checks}
    assert [each.words for each in armings if not each.armed] == []


# --- a session that no simulator made ---------------------------------------------------------------------------------


@pytest.mark.armed
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded runs are not at hand")
def test_on_an_imported_session_what_can_be_planted_is_caught(tmp_path: Path) -> None:
    import_session("nautilus", RECORDED, tmp_path / "clean")
    recording = Recording(tmp_path / "clean")
    assert failed(review([open_session(tmp_path / "clean")], focus=["1.3"])) == set()
    caught = []
    for chosen in (each for each in SEEDED if each.item.startswith("1.3")):
        copy = recording.fresh()
        try:
            found = chosen.plant(copy)
        except NotExercised:
            continue
        copy.write(tmp_path / chosen.id)
        assessment = review([open_session(tmp_path / chosen.id)], focus=["1.3"])
        assert chosen.item in failed(assessment) <= {chosen.item, *chosen.consequences}
        assert found.cost is None or tells(assessment, chosen, found.cost, found.currency)
        caught.append(chosen.id)
    assert len(caught) >= 3
