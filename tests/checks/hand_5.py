"""Tiny sessions for section 5, by hand: one linear market X of multiplier 1, lot 1 and tick 0.5; times in ms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from audit import audit
from checks.hand_1_3 import Row, look, table, write

from mmverify.review.results import Assessment

_HEADS = {
    "order_events": "ts_local event client_order_id state",
    "requests": "ts_local endpoint status code ts_response",
    "fills": "ts_local exec_id side qty price",
    "positions": "ts_local qty",
    "pnl": "ts_local realized",
    "quotes": "ts_local bid ask",
    "signals": "ts_local name value window_start window_end",
    "trades": "ts_local price qty",
    "risk_events": "ts_local rule event",
    "balances": "ts_local asset total value",
    "equity": "ts_local equity high_water drawdown",
    "marks": "ts_local mark",
    "bot_book": "ts_local side level price qty",
}
_DEFAULTS = {
    "order_events": {"symbol": "X", "side": "buy", "type": "limit", "price": "100", "qty": "5"},
    "fills": {"symbol": "X", "liquidity": "taker", "fee": "0", "fee_asset": "USDT", "kind": "trade"},
    "positions": {"symbol": "X", "source": "bot"},
    "pnl": {"symbol": "X", "currency": "USDT"},
    "quotes": {"symbol": "X", "fair_value": "100"},
    "signals": {"symbol": "X"},
    "trades": {"symbol": "X"},
    "balances": {"source": "bot", "currency": "USDT"},
    "marks": {"symbol": "X"},
    "bot_book": {"symbol": "X"},
}
_MARKET = {"symbol": "X", "kind": "linear", "base": "BTC", "quote": "USDT", "settle": "USDT", "multiplier": "1",
           "tick_size": "0.5", "lot_size": "1"}  # fmt: skip


class Bad(NamedTuple):
    """A mistake made by hand: the one finding that it is, figures and all."""

    name: str
    item: str
    tables: Mapping[str, str]
    location: str
    was: str
    should: str
    amount: float | None
    work: str
    cause: str = ""
    settings: str = ""


class Odd(NamedTuple):
    """What is odd and legal, and how many records exercise its item."""

    name: str
    item: str
    exercised: int
    tables: Mapping[str, str]
    settings: str = ""


def rows(name: str, text: str) -> list[Row]:
    """Read a table; fills and trades have the venue's time too."""
    read = table(f"{_HEADS[name]}\n{text}", **_DEFAULTS.get(name, {}))
    if name in ("fills", "trades", "marks"):
        return [{"ts_exchange": row["ts_local"]} | row for row in read]
    return [
        {key: str(_ns(value)) if key.startswith("window_") and value else value for key, value in row.items()}
        for row in read
    ]


def _ns(ms: str) -> int:
    return (1_767_225_600_000 + int(ms)) * 1_000_000


def session(folder: Path, tables: Mapping[str, str], settings: str = "", **market: str) -> Path:
    """Write a session of one market; `settings` follow ``[timing]``: of it first, then other sections."""
    found = {name: rows(name, text) for name, text in tables.items()}
    write(folder, {"instruments": [_MARKET | market], **found})
    with (folder / "session.toml").open("a", encoding="utf-8") as file:
        file.write(settings)
    return folder


def check(bad: Bad, folder: Path) -> None:
    """Hold the one finding of a mistake to what was worked by hand, and the slow detector to the same verdict."""
    session(folder, bad.tables, bad.settings)
    seen = look(folder, bad.item)
    assert seen.errors == ()
    (finding,) = seen.findings
    assert (finding.item, finding.occurrences[0]) == (bad.item, bad.location)
    assert bad.was in finding.current
    should, *work = finding.correct.split("\n")
    assert bad.should in should
    assert any(bad.work in line for line in work), work
    assert finding.impact.amount == bad.amount
    assert bad.cause == finding.cause
    assert audit(folder, [bad.item])[bad.item].violations


def legal(odd: Odd, folder: Path) -> Assessment:
    """Hold what is legal to no finding; return what was seen."""
    session(folder, odd.tables, odd.settings)
    seen = look(folder, odd.item)
    assert (seen.findings, seen.errors) == ((), ())
    assert [item.exercised for item in seen.items] == [odd.exercised]
    return seen
