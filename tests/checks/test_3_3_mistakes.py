"""Every mistake that the review names in a signal, made by a slow signal maker: the finding names it and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from checks.hand_3_3 import (
    MARKETS,
    Row,
    Tables,
    Trade,
    changed,
    claim,
    closes,
    ema,
    known,
    look,
    printed,
    row_of,
    tape,
    volatility,
    vwap,
    write,
)  # fmt: skip

HELD = tape(7, 90)
LAST = 24_000
#: Every trade of the tape, by the venue's time; a bot that replays a file with all of it sees what had not arrived.
FUTURE = 10**12


def tables(signals: list[Row]) -> Tables:
    """Return the session of the tape and these signals."""
    marks = [{"trade_id": t.trade_id, "symbol": "BTC-USDT", "side": "buy", "used": str(t.used).lower()} for t in HELD]
    return {"instruments": MARKETS, "trades": [row_of(t) for t in HELD], "bot_trades": marks, "signals": signals}


def shift(held: list[Trade], at: float, start: int, end: int) -> list[Trade]:
    """Leave out the last trade to arrive of those in a window."""
    inside = known(held, at, start=start, end=end)
    newest = max((trade.ts_local for trade in inside), default=0)
    return [trade for trade in inside if trade.ts_local < newest]


def last_of_each_time(held: list[Trade]) -> list[Trade]:
    return [t for n, t in enumerate(held) if n + 1 == len(held) or held[n + 1].ts_exchange != t.ts_exchange]


def mean(held: list[Trade]) -> Fraction | None:
    return sum((t.price for t in held), Fraction(0)) / len(held) if held else None


Window = Callable[[int, int, int], Fraction | None]

VWAP: dict[str, Window] = {
    "": lambda at, start, end: vwap(known(HELD, at, start=start, end=end)),
    "prices were averaged without their quantities": lambda at, start, end: mean(known(HELD, at, start=start, end=end)),
    "the window was cut by ts_local": lambda at, start, end: vwap(
        known(HELD, at, start=start, end=end, clock="ts_local")
    ),
    "the window's end was counted in": lambda at, start, end: vwap(known(HELD, at, start=start, end=end + 1)),
    "the window's start was left out": lambda at, start, end: vwap(known(HELD, at, start=start + 1, end=end)),
    "of trades with the same timestamp only the last was taken": lambda at, start, end: vwap(
        last_of_each_time(known(HELD, at, start=start, end=end))
    ),
    "trades that had not arrived yet were in it": lambda at, start, end: vwap(
        known(HELD, FUTURE, start=start, end=end)
    ),
    "trades marked as unused were in it": lambda at, start, end: vwap(
        known(HELD, at, start=start, end=end, unused=True)
    ),
    "repeated trades were counted again": lambda at, start, end: vwap(
        known(HELD, at, start=start, end=end, repeats=True)
    ),
    "the newest trade was left out": lambda at, start, end: vwap(shift(HELD, at, start, end)),
}


def vwap_claims(make: Window) -> list[Row]:
    """Claim VWAPs of three seconds that are over, and of four seconds of which the last still runs."""
    return [
        claim("vwap", at + 200, printed(make(at + 200, at - 3000, end)), start=at - 3000, end=end)
        for at in range(3000, LAST, 1000)
        for end in (at, at + 1000)
    ]


@pytest.mark.armed
@pytest.mark.parametrize("cause", VWAP)
def test_a_mistake_in_a_vwap_is_named(tmp_path: Path, cause: str) -> None:
    named(tmp_path, tables(vwap_claims(VWAP[cause])), vwap_claims(VWAP[""]), cause, "3.3.1")


EMA: dict[str, tuple[str, dict[str, Any]]] = {
    # stated start, then what the maker does in place of the stated thing
    "it was started from the first value": ("adjusted", {"init": "first"}),
    "it was started from the mean of the first n values": ("first", {"init": "sma"}),
    "its weights were normalised over what there was (pandas adjust=True)": ("first", {"init": "adjusted"}),
    "it was smoothed by 1 / span (Wilder's)": ("first", {"alpha": Fraction(1, 9)}),
    "it was smoothed by 2 / span": ("sma", {"alpha": Fraction(2, 9)}),
    "it was smoothed by 1 - alpha": ("first", {"alpha": Fraction(8, 10)}),
    "it is the mean of fewer than n values": ("sma", {"early": True}),
    "trades entered in the order of their arrival": ("first", {"order": "ts_local"}),
    "trades that had not arrived yet were in it": ("first", {"at": FUTURE}),
    "trades marked as unused were in it": ("sma", {"unused": True}),
    "repeated trades were counted again": ("adjusted", {"repeats": True}),
    "the newest trade was left out": ("first", {"stale": True}),
}


def ema_claims(
    stated: str, *, start: int = 2000, init: str = "", alpha: Fraction = Fraction(2, 10), order: str = "ts_exchange",
    at: int = 0, early: bool = False, stale: bool = False, **mistakes: bool,
) -> list[Row]:  # fmt: skip
    """Claim EMAs of span 9 over windows from `start` on: alpha 2 / (9 + 1) = 0.2, nine values make an sma start."""
    rows = []
    for now in range(2600, LAST, 600):
        end = now - 100
        inside = known(HELD, at or now, start=start, end=end, **mistakes)
        if stale:
            inside = shift(HELD, now, start, end)
        prices = [t.price for t in sorted(inside, key=lambda t: getattr(t, order))]
        value = ema(prices, alpha=alpha, init=init or stated, n=9)
        if early and value is None:
            value = mean(inside)
        rows.append(claim("ema", now, printed(value), start=start, end=end, span=9))
    return rows


@pytest.mark.armed
@pytest.mark.parametrize("cause", EMA)
def test_a_mistake_in_an_ema_is_named(tmp_path: Path, cause: str) -> None:
    stated, mistake = EMA[cause]
    named(tmp_path, tables(ema_claims(stated, **mistake)), ema_claims(stated), cause, "3.3.2", ema_init=stated)


PERIOD = 500
YEAR = Fraction(365 * 86_400_000, PERIOD)
VOLATILITY: dict[str, dict[str, Any]] = {
    "simple returns were used": {"kind": "simple"},
    "log returns were used": {"stated": "simple", "kind": "log"},
    "the other ddof was used": {"ddof": 0},
    "it was annualized by a 252-day year": {"periods": YEAR * 252 / 365},
    "it was annualized by a 365-day year": {"periods": YEAR, "year": YEAR * 252 / 365},
    "it was annualized by a 260-day year": {"periods": YEAR * 260 / 365},
    "it was annualized by 252 periods": {"periods": Fraction(252)},
    "it was annualized by 365 periods": {"periods": Fraction(365)},
    "it was not annualized": {"periods": Fraction(1)},
    "simple returns were used, and the other ddof was used": {"kind": "simple", "ddof": 0},
    "simple returns were used, and it was annualized by a 252-day year": {
        "kind": "simple",
        "periods": YEAR * 252 / 365,
    },
    "simple returns were used, and it was not annualized": {"kind": "simple", "periods": Fraction(1)},
    "the other ddof was used, and it was annualized by a 252-day year": {"ddof": 0, "periods": YEAR * 252 / 365},
    "the other ddof was used, and it was annualized by 365 periods": {"ddof": 0, "periods": Fraction(365)},
    "it is in percent": {"turn": lambda value: 100 * value},
    "it is the variance": {"turn": lambda value: value * value},
    "trades that had not arrived yet were in it": {"at": FUTURE},
    "trades marked as unused were in it": {"unused": True},
}


def volatility_claims(
    *, stated: str = "log", kind: str = "", ddof: int = 1, periods: Fraction | None = None,
    year: Fraction | None = None, at: int = 0, turn: Callable[[Fraction], Fraction] = Fraction, **mistakes: bool,
) -> list[Row]:  # fmt: skip
    """Claim volatilities of eight buckets, none of an empty first one; declared are ddof 1, 365 days or `year`."""
    rows = []
    for end in range(4000, LAST, 500):
        if closes(known(HELD, end + 60, start=end - 4000, end=end), start=end - 4000, period=PERIOD, buckets=8) is None:
            continue
        inside = known(HELD, at or end + 60, start=end - 4000, end=end, **mistakes)
        prices = closes(inside, start=end - 4000, period=PERIOD, buckets=8) or []
        value = turn(volatility(prices, kind=kind or stated, ddof=ddof, periods=periods or year or YEAR))
        declared = {"periods_per_year": float(year)} if year else {}
        rows.append(claim("volatility", end + 60, printed(value), start=end - 4000, end=end, ddof=1,
                          period_ns=PERIOD * 10**6, **declared))  # fmt: skip
    return rows


@pytest.mark.armed
@pytest.mark.parametrize("cause", VOLATILITY)
def test_a_mistake_in_a_volatility_is_named(tmp_path: Path, cause: str) -> None:
    mistake = VOLATILITY[cause]
    stated = {name: value for name, value in mistake.items() if name in ("stated", "year")}
    kind = mistake.get("stated", "log")
    named(tmp_path, tables(volatility_claims(**mistake)), volatility_claims(**stated), cause, "3.3.3", volatility=kind)


STALE: list[tuple[str, Callable[[], list[Row]]]] = [
    ("3.3.1", lambda: vwap_claims(VWAP[""])),
    ("3.3.2", lambda: ema_claims("first")),
    ("3.3.3", lambda: volatility_claims()),
]


@pytest.mark.armed
@pytest.mark.parametrize(("item", "right"), STALE)
def test_the_value_of_the_claim_before_is_named(tmp_path: Path, item: str, right: Callable[[], list[Row]]) -> None:
    moving = [row for row in right() if row["value"]][:9]
    stuck = changed(moving, 4, 5, 6, 7, 8, 9, value=moving[2]["value"])
    named(tmp_path, tables(stuck), moving, "it is the value of the claim before", item)


@pytest.mark.armed
def test_what_no_known_mistake_makes_is_said_so(tmp_path: Path) -> None:
    right = vwap_claims(VWAP[""])
    wrong = changed(right, 4, value="100.12345678")
    seen = look(write(tmp_path / "wrong", tables(wrong)), "3.3.1")
    assert [(f.cause, f.count, f.location) for f in seen.findings] == [("", 1, "signals:4")]
    assert "No convention or known mistake that the review tries reproduces it." in seen.findings[0].description


def wrong_rows(made: list[Row], right: list[Row]) -> Iterator[int]:
    """Yield the rows whose value is not the right one; the first is 1."""
    for n, (a, b) in enumerate(zip(made, right, strict=True), 1):
        if a["value"] and a["value"] != b["value"]:
            yield n


def named(folder: Path, made: Tables, right: list[Row], cause: str, item: str, **conventions: str) -> None:
    """Check that right claims give nothing, and those made one finding, on every wrong row, that names the cause."""
    seen = look(write(folder / "right", made | {"signals": right}, **conventions), item)
    assert (seen.findings, seen.items[0].status) == ((), "verified")
    wrong = list(wrong_rows(made["signals"], right))
    seen = look(write(folder / "wrong", made, **conventions), item)
    if not cause:
        assert not wrong
        return
    assert wrong
    assert [(f.cause, f.count, f.location) for f in seen.findings] == [(cause, len(wrong), f"signals:{wrong[0]}")]
