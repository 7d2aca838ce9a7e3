"""Tiny sessions written by hand for section 3.3, and a slow signal maker that makes a bot's mistakes on purpose.

Times are milliseconds since 2026-01-01 00:00 UTC. ``-`` is an empty cell. Nothing here knows mmverify but `look`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from checks.hand_1_3 import NINE, T0_MS, Row, Tables, amount, changed, look, statuses, table

__all__ = [
    "NINE", "T0_MS", "Row", "Tables", "Trade", "amount", "changed", "claim", "closes", "ema", "known", "look",
    "printed", "row_of", "statuses", "table", "tape", "trades", "volatility", "vwap", "write",
]  # fmt: skip


def trades(text: str, **defaults: str) -> list[Row]:
    """Read public trades."""
    return table("ts_exchange ts_local symbol trade_id price qty\n" + text, **defaults)


def claim(
    name: str, ts_local: float, value: Any, *, start: float | str = "", end: float | str = "", symbol: str = "BTC-USDT",
    newest: float | str = "", **params: Any,
) -> Row:  # fmt: skip
    """Return a row of signals."""
    return {
        "ts_local": str(ts_local), "symbol": symbol, "name": name, "value": str(value), "window_start": str(start),
        "window_end": str(end), "params": json.dumps(params) if params else "", "ts_input_max": str(newest),
    }  # fmt: skip


def _nanoseconds(value: str) -> str:
    return str(int((Decimal(T0_MS) + Decimal(value)) * 1_000_000)) if value.replace(".", "").isdigit() else value


def _cell(name: str, value: str) -> str:
    return _nanoseconds(value) if name.startswith(("ts_", "window_")) else value


def write(
    folder: Path, tables: Mapping[str, list[Row]], *, limits: str = "", timing: Mapping[str, Any] | None = None,
    floats: Sequence[str] = (), **conventions: str,
) -> Path:  # fmt: skip
    """Write a session folder; `limits` is TOML; the tables of `floats` are Parquet, their numbers float64."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = {"volatility": "log", "ema_init": "first"} | conventions
    lines = [
        "[session]",
        'currency = "USDT"',
        "[conventions]",
        *(f'{name} = "{value}"' for name, value in stated.items()),
    ]
    lines += ["[timing]", *(f"{name} = {value}" for name, value in (timing or {}).items()), limits]
    (folder / "session.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for table_name, rows in tables.items():
        names = list(dict.fromkeys(name for row in rows for name in row))
        body = [[_cell(name, row.get(name, "")) for name in names] for row in rows]
        if table_name in floats:
            columns = {name: [line[n] or None for line in body] for n, name in enumerate(names)}
            made = {
                name: pa.array([None if v is None else float(v) for v in values], pa.float64())
                if name in ("price", "qty", "value")
                else pa.array([None if v is None else int(v) for v in values], pa.int64())
                if name.startswith(("ts_", "window_"))
                else pa.array(values, pa.string())
                for name, values in columns.items()
            }
            pq.write_table(pa.table(made), folder / f"{table_name}.parquet")
            continue
        with open(folder / f"{table_name}.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *body])
    return folder


# --- the base session: three markets, every number by hand -----------------------------------------------------------

LIMITS = """
[limits."BTC-USDT"]
max_order_qty = 0.5
max_position = 2
[limits."ETH-PERP"]
max_position = 1000
"""

MARKETS = table("""
    symbol   kind    base quote settle multiplier tick_size lot_size
    BTC-USDT spot    BTC  USDT  -      -          0.01      0.0001
    ETH-PERP linear  ETH  USDT  USDT   0.1        0.01      1
    BTC-USD  inverse BTC  USD   BTC    100        0.5       1
""")

BASE: Tables = {
    "instruments": MARKETS,
    # t1 is at the very start of the first window, t6 at its end. t2 and t3 have the same time. t5 is marked as unused
    # in bot_trades. The second row of t3 is the same trade again. t4 is late: of 700, seen at 1100.
    "trades": trades("""
        0       5       BTC-USDT t1 100   2     # row 1
        400     405     BTC-USDT t2 101   1
        400     405     BTC-USDT t3 103   2
        800     805     BTC-USDT t5 90    5
        1000    1005    BTC-USDT t6 104   1     # row 5
        400     1006    BTC-USDT t3 103   2
        700     1100    BTC-USDT t4 110   5
        1500    1505    BTC-USDT t7 102   3
        250     255     BTC-USD  u1 50000 10
        750     755     BTC-USD  u2 50100 20    # row 10
        100000  100005  ETH-PERP e1 95    3
        700000  700005  ETH-PERP e2 100   1
        1000000 1000005 ETH-PERP e3 110   1
        2000000 2000005 ETH-PERP e4 99    1
        2900000 2900005 ETH-PERP e5 108.9 1     # row 15
    """),
    "bot_trades": table("""
        trade_id symbol   side used  reason
        t1       BTC-USDT buy  true  -
        t3       BTC-USDT buy  true  -
        t5       BTC-USDT sell false block
        t3       BTC-USDT buy  false repeat     # the trade itself was used
    """),
    "signals": [
        # 1: both or neither of the two trades of the same moment: of 405, claimed at 405
        #    100, (100 + 101) / 2 = 100.5, (100.5 + 103) / 2 = 101.75
        claim("ema", 405, "101.75000000", newest=405, span=3),
        # 2: alpha 0.25: 100 + (101 - 100) / 4 = 100.25; 100.25 + (103 - 100.25) / 4 = 100.25 + 0.6875 = 100.9375
        claim("ema", 410, "100.9375", newest=405, alpha=0.25),
        # 3: t1 t2 t3 = (100 x 2 + 101 x 1 + 103 x 2) / 5 = 507 / 5 = 101.4
        claim("vwap", 1010, "101.4", start=0, end=1000, newest=405),
        # 4: (101.75 + 104) / 2 = 102.875
        claim("ema", 1010, "102.875", newest=1005, span=3),
        # 5: u1 u2 = (50000 x 10 + 50100 x 20) / 30 = (500000 + 1002000) / 30 = 1502000 / 30 = 50066.666...
        claim("vwap", 1010, "50066.66666667", start=0, end=1000, newest=755, symbol="BTC-USD"),
        # 6: with the late t4: (507 + 110 x 5) / 10 = 1057 / 10 = 105.7
        claim("vwap", 1200, "105.7", start=0, end=1000, newest=1100),
        # 7: in the venue's order t1 t2 t3 t4 t6: 101.75, (101.75 + 110) / 2 = 105.875, (105.875 + 104) / 2 = 104.9375
        claim("ema", 1200, "104.9375", newest=1100, span=3),
        # 8: closes of 250 ms: t1 100, t3 103, t4 110, none in the fourth, which repeats 110 (t5 is unused):
        #    100, 101.5, 105.75, 107.875
        claim("ema", 1200, "107.875", start=0, end=1000, newest=1100, span=3, period_ns=250_000_000),
        # 9: (104.9375 + 102) / 2 = 103.46875
        claim("ema", 1510, "103.46875", newest=1505, span=3),
        # 10: t6 t7 = (104 x 1 + 102 x 3) / 4 = 410 / 4 = 102.5
        claim("vwap", 2010, "102.5", start=1000, end=2000, newest=1505),
        # 11: closes of 500 ms: t3 103, t4 110, t6 104, t7 102: 103, 106.5, 105.25, 103.625
        claim("ema", 2010, "103.625", start=0, end=2000, newest=1505, span=3, period_ns=500_000_000),
        # 12: nothing traded from 2000 to 3000
        claim("vwap", 3010, "", start=2000, end=3000, newest=1505),
        # 13: four closes of 730 s: 100 (not 95, the one before), 110, 99, 108.9. Returns a = ln 1.1, b = ln 0.9, a.
        #     Mean (2a + b) / 3; deviations (a - b) / 3, -2 (a - b) / 3, (a - b) / 3; their squares sum to
        #     (1 + 4 + 1) / 9 (a - b)^2 = 2/3 (a - b)^2. Over 3 - 1: (a - b)^2 / 3.
        #     A year of 365 x 86400 = 31536000 s has 43200 periods; 43200 / 3 = 14400 = 120^2. So 120 (a - b),
        #     a - b = ln(11/9) = 0.2006706954621511612...: 24.0804834554581393...
        claim("volatility", 2_920_010, "24.08048346", start=0, end=2_920_000, newest=2_900_005, symbol="ETH-PERP",
              period_ns=730 * 10**9, n=3, ddof=1),
        # 14: nothing in the last bucket: 110, 99, 108.9, 108.9. Returns b, a, 0; squares around the mean sum to
        #     a^2 + b^2 - (a + b)^2 / 3, a + b = ln 0.99 = -0.0100503358535014...
        #     a^2 = 0.0953101798043248...^2 = 0.0090840303743327...
        #     b^2 = 0.1053605156578263...^2 = 0.0111008382596830..., together
        #     0.0201848686340157... - 0.0000336697502560... = 0.0201511988837597...
        #     / 2 x 43200 = 435.2658958892..., its root 20.8630270068657...
        claim("volatility", 3_650_010, "20.86302701", start=730_000, end=3_650_000, newest=2_900_005, symbol="ETH-PERP",
              period_ns=730 * 10**9, ddof=1),
    ],
}  # fmt: skip


# --- a signal maker, by definition and by mistake ---------------------------------------------------------------------


class Trade(NamedTuple):
    """A trade as the signal maker holds it; `used` is what bot_trades says."""

    ts_exchange: int
    ts_local: int
    trade_id: str
    price: Fraction
    qty: Fraction
    used: bool = True


def row_of(trade: Trade, symbol: str = "BTC-USDT") -> Row:
    """Return a trade as a row of the table `trades`."""
    return {
        "ts_exchange": str(trade.ts_exchange), "ts_local": str(trade.ts_local), "symbol": symbol,
        "trade_id": trade.trade_id, "price": printed(trade.price, 2), "qty": printed(trade.qty, 3),
    }  # fmt: skip


def tape(seed: int, count: int) -> list[Trade]:
    """Draw trades in the order of their arrival: some late, some unused, some twice, some of the same moment.

    They arrive at odd milliseconds, and claims are made at even ones: none is of the very moment of a claim.
    """
    draw, found, at = Random(seed), [], 0
    for n in range(count):
        at += draw.choice([0, 0, 40, 100, 260, 500, 1000 - at % 1000])
        late = draw.choice([3, 3, 3, 3, 700, 1900])
        price = Fraction(draw.randrange(9000, 11000), 100)
        new = Trade(
            at, (at + late + n % 3) | 1, f"t{n}", price, Fraction(draw.randrange(1, 9000), 1000), draw.random() > 0.12
        )
        found.append(new)
        if draw.random() < 0.12:
            found.append(new._replace(ts_local=new.ts_local + 450))
    return sorted(found, key=lambda trade: trade.ts_local)


def known(
    held: Iterable[Trade], at: float, *, start: float = 0, end: float = 10**15, unused: bool = False,
    repeats: bool = False, clock: str = "ts_exchange",
) -> list[Trade]:  # fmt: skip
    """Return the trades of a window that a claim at `at` has, in the venue's order; the keywords are mistakes."""
    seen: set[str] = set()
    found = []
    for trade in held:
        if trade.ts_local <= at and (repeats or trade.trade_id not in seen) and (unused or trade.used):
            seen.add(trade.trade_id)
            if start <= getattr(trade, clock) < end:
                found.append(trade)
    return sorted(found, key=lambda trade: trade.ts_exchange)


def vwap(held: Iterable[Trade]) -> Fraction | None:
    """Sum of price x qty over sum of qty, None of nothing."""
    held = list(held)
    volume = sum((trade.qty for trade in held), Fraction(0))
    return sum((trade.price * trade.qty for trade in held), Fraction(0)) / volume if volume else None


def ema(prices: Iterable[Fraction], *, alpha: Fraction, init: str, n: int = 0) -> Fraction | None:
    """The recursion, step by step, exact."""
    prices = list(prices)
    if init == "adjusted":
        weights = [(1 - alpha) ** k for k in range(len(prices))][::-1]
        return (
            sum((w * p for w, p in zip(weights, prices, strict=True)), Fraction(0)) / sum(weights) if prices else None
        )
    size = n if init == "sma" else 1
    if len(prices) < size:
        return None
    value = sum(prices[:size], Fraction(0)) / size
    for price in prices[size:]:
        value = alpha * price + (1 - alpha) * value
    return value


def closes(held: Iterable[Trade], *, start: int, period: int, buckets: int) -> list[Fraction] | None:
    """Last price of each bucket, an empty one repeats; None where the first is empty."""
    out: list[Fraction] = []
    held = list(held)
    for k in range(buckets):
        inside = [t.price for t in held if start + k * period <= t.ts_exchange < start + (k + 1) * period]
        if not inside and not out:
            return None
        out.append(inside[-1] if inside else out[-1])
    return out


def volatility(prices: Sequence[Fraction], *, kind: str, ddof: int, periods: Fraction) -> Fraction:
    """Standard deviation of returns, annualized, at 40 digits."""
    with localcontext(prec=40):
        steps = list(pairwise(prices))
        ratios = [Decimal(b.numerator * a.denominator) / (b.denominator * a.numerator) for a, b in steps]
        changes = [ratio.ln() if kind == "log" else ratio - 1 for ratio in ratios]
        mean = sum(changes, Decimal(0)) / len(changes)
        squares = sum(((change - mean) ** 2 for change in changes), Decimal(0))
        year = Decimal(periods.numerator) / periods.denominator
        return Fraction((squares / (len(changes) - ddof) * year).sqrt())


def printed(value: Fraction | None, digits: int = 8) -> str:
    """Print as a bot does: rounded half to even; empty for no value."""
    return "" if value is None else f"{Decimal(round(value * 10**digits)).scaleb(-digits):f}"


Maker = Callable[[list[Trade], int], Fraction | None]
