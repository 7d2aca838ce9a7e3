"""Unrealized P&L of a session without fills is held to the position that the bot states."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mmverify.review.engine import review
from mmverify.session import open_session

FILES = {
    "session.toml": '[session]\ncurrency = "USDT"\n[conventions]\nunrealized_price = "mark"\n',
    "instruments.csv": "symbol,kind,base,quote,settle,tick_size,lot_size,multiplier\n"
    "LIN,linear,BTC,USDT,USDT,0.1,1,0.1\nINV,inverse,BTC,USD,BTC,0.1,1,100\n",
    "positions.csv": "ts_local,symbol,qty,avg_px,source\n1,LIN,20,100.5,bot\n1,INV,-30,200.0,bot\n",
    "marks.csv": "ts_exchange,ts_local,symbol,mark,index,last\n1,2,LIN,101.5,101,102\n1,2,INV,250,251,249\n",
    # linear: (101.5 - 100.5) x 20 x 0.1 = 2; inverse: (1/200 - 1/250) x -30 x 100 = 0.001 x -3000 = -3 BTC
    "pnl.csv": "ts_local,symbol,unrealized,price,currency\n3,LIN,2.00,101.5,USDT\n3,INV,-3.00,250,BTC\n",
}


def outcome(folder: Path, **changed: str) -> tuple[str, int, list[Fraction]]:
    folder.mkdir()
    for name, text in (FILES | {f"{name}.csv": text for name, text in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    assessment = review([open_session(folder)], focus=["1.3.2"])
    (item,) = assessment.items
    return item.status, item.exercised, [Fraction(str(f.impact.amount)) for f in assessment.findings]


def test_what_the_stated_position_gives_is_verified(tmp_path: Path) -> None:
    assert outcome(tmp_path / "right") == ("verified", 2, [])


@pytest.mark.armed
def test_the_last_price_in_place_of_the_mark_fails(tmp_path: Path) -> None:
    # (102 - 100.5) x 20 x 0.1 = 3, one more than the 2 of the mark
    wrong = FILES["pnl.csv"].replace("2.00,101.5", "3.00,102.0")
    assert outcome(tmp_path / "wrong", pnl=wrong) == ("failed", 2, [Fraction(1)])


def test_the_digits_of_a_stated_entry_leave_room(tmp_path: Path) -> None:
    # an entry printed 100.5 may be 100.549: 0.05 x 20 x 0.1 = 0.1 either way, and half a unit of the claim
    assert outcome(tmp_path / "near", pnl=FILES["pnl.csv"].replace("LIN,2.00", "LIN,1.91"))[0] == "verified"
    assert outcome(tmp_path / "far", pnl=FILES["pnl.csv"].replace("LIN,2.00", "LIN,1.88"))[0] == "failed"


def test_without_a_position_nothing_is_assessed(tmp_path: Path) -> None:
    status, exercised, _ = outcome(tmp_path / "bare", positions="ts_local,symbol,qty,avg_px,source\n")
    assert (status, exercised) == ("not_assessed", 0)
