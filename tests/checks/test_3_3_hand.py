"""Section 3.3 on a session whose every number is worked by hand, and on four bots that each make one mistake in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from checks.hand_3_3 import BASE, LIMITS, NINE, T0_MS, Tables, amount, changed, look, statuses, write
from checks.regression import run_pytest

from mmverify.report.regression import render

RIGHT = dict.fromkeys(NINE[:5], "not_assessed") | dict.fromkeys(NINE[5:], "verified")


def test_the_base_session_is_right(tmp_path: Path) -> None:
    seen = look(write(tmp_path / "hand", BASE, limits=LIMITS))
    assert (seen.findings, seen.errors, seen.notes) == ((), (), ())
    assert statuses(seen) == RIGHT
    # 4 VWAPs of BTC-USDT, the empty one too, and 1 of BTC-USD; 7 EMAs; 2 volatilities; all 14 state their newest input
    assert {item.id: item.exercised for item in seen.items[5:]} == {"3.3.1": 5, "3.3.2": 7, "3.3.3": 2, "3.3.4": 14}


class Bad(NamedTuple):
    """A bot's mistake: the cells of signals that it changes, and the finding that it is."""

    name: str
    item: str
    check: str
    severity: str
    cells: dict[int, dict[str, str]]
    location: str
    count: int
    amount: str
    currency: str
    key: str
    cause: str
    work: tuple[str, ...]
    current: str
    correct: str

    def tables(self) -> Tables:
        """Return the base session with the mistake in it."""
        tables = dict(BASE)
        for row, values in self.cells.items():
            tables = tables | {"signals": changed(tables["signals"], row, **values)}
        return tables


def time(ms: int) -> str:
    """Return a time as a finding prints it."""
    return f"{T0_MS + ms}000000"


WRONG = [
    # The bare mean of the prices: (100 + 101 + 103) / 3 = 101.333..., with t4 414 / 4 = 103.5, (104 + 102) / 2 = 103.
    # Furthest off is the second: 105.7 - 103.5 = 2.2, and an order is 0.5: 1.1 USDT.
    Bad(
        "prices averaged without quantities", "3.3.1", "vwap", "HIGH",
        {3: {"value": "101.33333333"}, 6: {"value": "103.5"}, 10: {"value": "103"}},
        "signals:3", 3, "1.1", "USDT", "BTC-USDT", "prices were averaged without their quantities",
        ("trades:1: 100 x 2 = 200", "trades:2: 101 x 1 = 101", "trades:3: 103 x 2 = 206",
         "sum(price x qty) / sum(qty) = 507 / 5 = 101.4",
         "signals:3 claims 101.33333333: it is off by -0.06666667"),
        "vwap of BTC-USDT was 101.33333333", "should be 101.4",
    ),
    # The late t4 is appended: 102.875, (102.875 + 110) / 2 = 106.4375, not 104.9375; then (106.4375 + 102) / 2 =
    # 104.21875, not 103.46875. Furthest off 1.5, an order is 0.5: 0.75 USDT.
    Bad(
        "a late trade appended", "3.3.2", "ema", "MEDIUM",
        {7: {"value": "106.4375"}, 9: {"value": "104.21875"}},
        "signals:7", 2, "0.75", "USDT", "BTC-USDT", "trades entered in the order of their arrival",
        ("5 prices, alpha 0.5, started by first; before the newest price it stood at 105.875",
         "0.5 x 104 + (1 - 0.5) x 105.875 = 104.9375",
         "signals:7 claims 106.4375: it is off by 1.5"),
        "ema of BTC-USDT was 106.4375", "should be 104.9375",
    ),
    # Simple returns 0.1, -0.1, 0.1: mean 1/30, squares around it (4 + 16 + 4) / 900 = 24 / 900, over 2 and times 43200:
    # 12 / 900 x 43200 = 576 = 24^2. Then -0.1, 0.1, 0: mean 0, 0.02 / 2 x 43200 = 432, its root 20.7846096908...
    # The first is further off: 24.0804834554581393... - 24 = 0.0804834554581393... a year, over sqrt(365) =
    # 19.1049731745428... a day, of 1000 x 0.1 x 108.9 = 10890 USDT: 876.4648299... / 19.1049731... = 45.876265929910...
    Bad(
        "simple returns for log", "3.3.3", "volatility", "HIGH",
        {13: {"value": "24"}, 14: {"value": "20.78460969"}},
        "signals:13", 2, "45.87626593", "USDT", "ETH-PERP", "simple returns were used",
        # the mean (2a + b) / 3 = (0.19062035960865 - 0.10536051565783) / 3 = 0.0284199479836...; the squares 2/3 x
        # 0.200670695462151^2 = 2/3 x 0.0402687280172634... = 0.0268458186781756...
        ("4 closes: 100, 110, 99, 108.9; 3 log returns ln(p1/p0), mean 0.0284199479836, sum of squares around it "
         "0.0268458186782",
         "sqrt(0.0268458186782 / (3 - 1) x 43200) = ~24.080483455458",
         "signals:13 claims 24: it is off by ~-0.080483455458"),
        "volatility of ETH-PERP was 24", "should be ~24.080483455458",
    ),
    # The value is right, but its newest input is t7, which came 305 ms later. Between the two the last trade to arrive
    # went from t4 110 to t7 102: 8 a unit, an order is 0.5: 4 USDT.
    Bad(
        "an input of after the signal", "3.3.4", "no_look_ahead", "CRITICAL",
        {6: {"ts_input_max": "1505"}},
        "signals:6", 1, "4", "USDT", "BTC-USDT vwap", "vwap was computed from data of up to 305000000 ns after it",
        (f"ts_input_max - ts_local = {time(1505)} - {time(1200)} = 305000000 ns after the signal",
         "last trade known at signals:6: 110; at its newest input: 102"),
        f"the newest input of vwap was of {time(1505)}", f"should be {time(1200)} or before",
    ),
]  # fmt: skip


@pytest.mark.armed
@pytest.mark.parametrize("bad", WRONG, ids=lambda bad: bad.name.replace(" ", "-"))
def test_a_mistake_fails_its_item_alone(tmp_path: Path, bad: Bad) -> None:
    seen = look(write(tmp_path / "hand", bad.tables(), limits=LIMITS))
    assert statuses(seen) == RIGHT | {bad.item: "failed"}
    assert [f.id for f in seen.findings] == [f"{bad.item}:{bad.check}:{bad.key.replace(' ', '-')}"]
    finding = seen.findings[0]
    assert (finding.severity, finding.location, finding.count) == (bad.severity, bad.location, bad.count)
    assert (round(amount(finding), 8), finding.impact.currency) == (Fraction(bad.amount), bad.currency)
    assert finding.cause == bad.cause
    assert finding.work == bad.work
    assert finding.current == bad.current
    assert finding.correct.splitlines()[0] == bad.correct


@pytest.mark.armed
def test_the_regression_tests_fail_on_the_wrong_sessions_and_pass_on_the_right_one(tmp_path: Path) -> None:
    for n, bad in enumerate(WRONG):
        folder = write(tmp_path / f"wrong{n}", bad.tables(), limits=LIMITS)
        for path, text in render(look(folder), {folder.name: folder}, {}).items():
            file = tmp_path / "regression" / folder.name / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
    right = write(tmp_path / "right", BASE, limits=LIMITS)
    assert run_pytest(tmp_path / "regression") == "4 failed"
    assert run_pytest(tmp_path / "regression", MMVERIFY_SESSION=str(right)) == "4 passed"
