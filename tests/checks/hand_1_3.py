"""Tiny sessions written by hand for section 1.3, and a slow bookkeeper that makes a bot's mistakes on purpose.

Times are milliseconds since 2026-01-01 00:00 UTC. ``-`` is an empty cell. Nothing here knows mmverify but `look`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmverify.review.engine import review
from mmverify.review.results import Assessment, Finding
from mmverify.session import open_session

T0_MS = 1_767_225_600_000
Row = dict[str, str]
Tables = dict[str, list[Row]]

NINE = ("1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5", "3.3.1", "3.3.2", "3.3.3", "3.3.4")


def table(text: str, **defaults: str) -> list[Row]:
    """Read a table: the first line names the columns; further ``name=value`` cells may follow those of a line."""
    lines = [line.split("#")[0].split() for line in text.strip().splitlines()]
    names, *body = [line for line in lines if line]
    out = []
    for cells in body:
        row = dict(zip(names, cells, strict=False)) | dict(cell.split("=", 1) for cell in cells[len(names) :])
        out.append(defaults | {name: "" if value == "-" else value for name, value in row.items()})
    return out


def fills(text: str) -> list[Row]:
    """Read fills; the venue's clock is 5 ms early and every order has one fill unless a line says otherwise."""
    rows = table("ts_local symbol exec_id side price qty liquidity fee fee_asset\n" + text)
    return [
        {"ts_exchange": str(Decimal(row["ts_local"] or 5) - 5), "client_order_id": f"o-{row['exec_id']}",
         "kind": "trade", "fee_rate": "", "correction_of": ""} | row
        for row in rows
    ]  # fmt: skip


def pnl(text: str, **defaults: str) -> list[Row]:
    """Read claims of P&L."""
    return table("ts_local symbol realized unrealized fees funding total\n" + text, **defaults)


def marks(text: str) -> list[Row]:
    """Read venue prices; they arrive 5 ms after the venue made them."""
    rows = table("ts_local symbol mark index last\n" + text)
    return [{"ts_exchange": str(Decimal(row["ts_local"] or 5) - 5)} | row for row in rows]


def rates(text: str) -> list[Row]:
    """Read conversion rates."""
    rows = table("ts_local asset currency rate\n" + text)
    return [{"ts_exchange": row["ts_local"]} | row for row in rows]


MARKETS = table("""
    symbol   kind    base quote settle multiplier tick_size lot_size maker_fee taker_fee
    BTC-USDT spot    BTC  USDT  -      -          0.01      0.0001   -         -
    ETH-PERP linear  ETH  USDT  USDT   1          0.01      0.01     -         -
    BTC-USD  inverse BTC  USD   BTC    100        0.5       1        -         -
    ETH-USDQ quanto  ETH  USD   BTC    0.0001     0.05      1        -         -
""")


def changed(rows: list[Row], *which: int, **values: str) -> list[Row]:
    """Return rows with values replaced, in those named by number (the first is 1), in all where none is named."""
    return [row | values if not which or n in which else row for n, row in enumerate(rows, 1)]


def market(symbol: str, **values: str) -> list[Row]:
    """Return one of the four markets, changed."""
    return changed([row for row in MARKETS if row["symbol"] == symbol], **values)


def _cell(name: str, value: str) -> str:
    if name.startswith("ts_") and value and value.replace(".", "").isdigit():
        return str(int((Decimal(T0_MS) + Decimal(value)) * 1_000_000))
    return value


def cells(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells as a CSV holds them, times in nanoseconds."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[_cell(name, row.get(name, "")) for name in names] for row in rows]


def write(
    folder: Path, tables: Mapping[str, list[Row]], *, fills_from: str = "venue", currency: str = "USDT",
    timing: Mapping[str, Any] | None = None, **conventions: str,
) -> Path:  # fmt: skip
    """Write a session folder: FIFO, mark and gross unless said otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = {
        "cost_basis": "fifo",
        "unrealized_price": "mark",
        "realized": "gross",
        "conversion": "claim",
    } | conventions
    lines = [
        "[session]",
        f'fills_from = "{fills_from}"',
        f'currency = "{currency}"' if currency else "",
        "[conventions]",
    ]
    lines += [f'{name} = "{value}"' for name, value in stated.items()]
    lines += ["[timing]", *(f"{name} = {value}" for name, value in (timing or {}).items())]
    (folder / "session.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows)
    return folder


def write_csv(path: Path, rows: list[Row]) -> None:
    """Write one table as CSV, compressed where the name says so."""
    names, body = cells(rows)
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *body])


def look(folder: Path, *focus: str) -> Assessment:
    """Review one folder on a fixed day."""
    return review([open_session(folder)], focus=focus or ("1.3", "3.3"), today=date(2026, 1, 2))


def statuses(assessment: Assessment) -> dict[str, str]:
    """Return the status of every item looked at."""
    return {item.id: item.status for item in assessment.items}


def amount(finding: Finding) -> Fraction:
    """Return the money of a finding, the digits that it prints."""
    assert finding.impact.amount is not None
    return Fraction(repr(finding.impact.amount))


# --- the base session: three markets, every number by hand -----------------------------------------------------------

BASE: Tables = {
    "instruments": table("""
        symbol   kind    base quote settle multiplier tick_size lot_size maker_fee taker_fee
        BTC-USDT spot    BTC  USDT  -      -          0.01      0.0001   -0.0001   0.001
        ETH-PERP linear  ETH  USDT  USDT   0.1        0.01      1        0.0002    0.0005
        BTC-USD  inverse BTC  USD   BTC    100        0.5       1        -0.00025  0.00075
    """),
    # BTC-USDT  1: 1 bought at 50000, taker: 0.001 x 1 = 0.001 BTC, worth 50 USDT; the position is +0.999
    #           4: 0.5 at 52000 = 26000, maker: -0.0001 x 26000 = -2.6 USDT, a rebate; position 1.499, cost
    #              0.999 x 50000 + 26000 = 75950
    #           8: 1.2 sold at 53000 = 63600, taker: 63.6 USDT, paid as 63.6 / 600 = 0.106 BNB. FIFO closes 0.999 at
    #              50000: 3000 x 0.999 = 2997, and 0.201 at 52000: 1000 x 0.201 = 201; 3198. Of those 0.299 stay
    # ETH-PERP  2, 3: one order sold in two parts, 10 at 3000 and 20 at 3010; maker: 3000 x 10 x 0.1 x 0.0002 = 0.6 and
    #              3010 x 20 x 0.1 x 0.0002 = 1.204
    #           6: 15 bought at 2990, taker: 4485 x 0.0005 = 2.2425. FIFO closes 10: (3000 - 2990) x 10 x 0.1 = 10; 5:
    #              (3010 - 2990) x 5 x 0.1 = 10; together 20. Short 15 at 3010 stay
    #           7: 30 at 2980, taker: 8940 x 0.0005 = 4.47; closes 15: (3010 - 2980) x 15 x 0.1 = 45, 65 so far, and
    #              flips to 15 long at 2980
    # BTC-USD   5: 100 contracts of 100 USD bought at 50000 = 0.2 BTC, maker: -0.00025 x 0.2 = -0.00005
    #           9: 60 sold at 62500 = 0.096 BTC, taker: 0.000072; (1/50000 - 1/62500) x 60 x 100 = 0.024
    "fills": fills("""
        1000 BTC-USDT A1 buy  50000 1.0 taker 0.001    BTC  client_order_id=s1
        1500 ETH-PERP B1 sell 3000  10  maker 0.6      USDT client_order_id=p1
        1600 ETH-PERP B2 sell 3010  20  maker 1.204    USDT client_order_id=p1
        1650 BTC-USDT A2 buy  52000 0.5 maker -2.6     USDT client_order_id=s2
        1700 BTC-USD  C1 buy  50000 100 maker -0.00005 BTC  client_order_id=i1
        2400 ETH-PERP B3 buy  2990  15  taker 2.2425   USDT client_order_id=p2
        2500 ETH-PERP B4 buy  2980  30  taker 4.47     USDT client_order_id=p3
        2600 BTC-USDT A3 sell 53000 1.2 taker 0.106    BNB  client_order_id=s3
        2700 BTC-USD  C2 sell 62500 60  taker 0.000072 BTC  client_order_id=i2
    """),
    "marks": marks("""
        2440 BTC-USDT 53000 53010 52990
        2440 ETH-PERP 3000  3001  2999
        2440 BTC-USD  62500 62510 62490
        2900 BTC-USDT 54000 54010 53990
        2900 ETH-PERP 3000  3002  2995
        2900 BTC-USD  64000 64010 63990
    """),
    # a long of 15 x 0.1 at 2985 = 4477.5 pays 0.0001: -0.44775; a long of 40 x 100 / 64000 = 0.0625 BTC at -0.0002
    # receives 0.0000125 BTC
    "funding": table("""
        ts_exchange ts_local symbol   rate    position mark  amount    asset
        2800        2805     ETH-PERP 0.0001  15       2985  -0.44775  USDT
        2800        2805     BTC-USD  -0.0002 40       64000 0.0000125 BTC
    """),
    "rates": rates("""
        500  BNB  USDT 600
        500  USDT EUR  0.8
        2400 BTC  USDT 53000
        3400 BTC  USDT 54000
    """),
    # At 2450, before the last fill of each market. BTC-USDT: 1.499 x 53000 - 75950 = 3497; fees 50 - 2.6 = 47.4; total
    # 3497 - 47.4 = 3449.6. ETH-PERP: (3010 - 3000) x 15 x 0.1 = 15; fees 0.6 + 1.204 + 2.2425 = 4.0465; 20 + 15 -
    # 4.0465 = 30.9535. BTC-USD: (1/50000 - 1/62500) x 100 x 100 = 0.04; 0.04 + 0.00005 = 0.04005. All, at 53000:
    # unrealized 3497 + 15 + 2120 = 5632, fees 47.4 + 4.0465 - 2.65 = 48.7965, total 3449.6 + 30.9535 + 2122.65 =
    # 5603.2035.
    # At 3500. BTC-USDT: (54000 - 52000) x 0.299 = 598; fees 47.4 + 63.6 = 111; 3198 + 598 - 111 = 3685. ETH-PERP:
    # (3000 - 2980) x 15 x 0.1 = 30; fees 4.0465 + 4.47 = 8.5165; 65 + 30 - 8.5165 - 0.44775 = 86.03575. BTC-USD:
    # (1/50000 - 1/64000) x 40 x 100 = 0.000004375 x 4000 = 0.0175; fees 0.000072 - 0.00005 = 0.000022; 0.024 + 0.0175
    # - 0.000022 + 0.0000125 = 0.0414905. All, at 54000: realized 3198 + 65 + 1296 = 4559, unrealized 598 + 30 + 945 =
    # 1573, fees 111 + 8.5165 + 1.188 = 120.7045, funding -0.44775 + 0.675 = 0.22725, total 3685 + 86.03575 + 2240.487 =
    # 6011.52275
    "pnl": pnl("""
        2450 BTC-USDT 0.00000000 3497.0 47.4     0         3449.6     price=53000 currency=USDT
        2450 ETH-PERP 20         15     4.0465   0         30.9535    price=3000  currency=USDT
        2450 BTC-USD  0          0.04   -0.00005 0         0.04005    price=62500 currency=BTC
        2460 *        20         5632   48.7965  0         5603.2035  price=      currency=USDT
        3500 BTC-USDT 3198       598    111      0         3685       price=54000 currency=USDT
        3500 ETH-PERP 65         30     8.5165   -0.44775  86.03575   price=3000  currency=USDT
        3500 BTC-USD  0.024      0.0175 0.000022 0.0000125 0.0414905  price=64000 currency=BTC
        3510 *        4559       1573   120.7045 0.22725   6011.52275 price=      currency=USDT
        4000 BTC-USDT 3198       598    111      0         3685       price=54000 currency=USDT
    """),
    # BTC: 2 x 54000 x (1 - 0.05) = 102600; USDT in its own currency, owed: no haircut; EUR, owed: -100 / 0.8 = -125, no
    # haircut; BNB into EUR through USDT: 10 x 600 x 0.8 x (1 - 0.2) = 3840
    "balances": table("""
        ts_local asset total haircut value  currency source
        3500     BTC   2     0.05    102600 USDT     bot
        3500     USDT  -500  0.02    -500   USDT     bot
        3500     EUR   -100  0.1     -125   USDT     bot
        3500     BNB   10    0.2     3840   EUR      bot
    """),
}


def base() -> Tables:
    """Return the base session, its money printed with 8 decimals."""
    money = ("realized", "unrealized", "fees", "funding", "total")
    claims = [row | {name: f"{Decimal(row[name]):.8f}" for name in money} for row in BASE["pnl"]]
    return BASE | {"pnl": claims}


# --- a bookkeeper of its own -----------------------------------------------------------------------------------------

Deal = tuple[Fraction, Fraction]  # signed quantity, price


def deals(text: str) -> list[Deal]:
    """Read ``+1@100 -2.5@110``."""
    return [(Fraction(qty), Fraction(price)) for qty, price in (word.split("@") for word in text.split())]


def gain(kind: str, qty: Fraction, entry: Fraction, exit: Fraction) -> Fraction:
    """What a signed quantity gains between two prices, per unit of multiplier."""
    return qty * (1 / entry - 1 / exit) if kind == "inverse" else qty * (exit - entry)


def mean(kind: str, lots: Iterable[Deal]) -> Fraction:
    """The entry of some lots taken together."""
    lots = list(lots)
    size = sum((qty for qty, _ in lots), Fraction(0))
    if kind == "inverse":
        return size / sum((qty / price for qty, price in lots), Fraction(0))
    return sum((qty * price for qty, price in lots), Fraction(0)) / size


def bookkeep(
    trades: Iterable[Deal], *, basis: str = "fifo", kind: str = "linear", multiplier: Fraction | int = 1,
    entry_kind: str = "",
) -> tuple[Fraction, list[Deal]]:  # fmt: skip
    """Return realized P&L and the open lots; `entry_kind` averages as another kind of contract would."""
    realized, lots = Fraction(0), []  # type: Fraction, list[Deal]
    for qty, price in trades:
        while qty and lots and lots[0][0] * qty < 0:
            place = -1 if basis == "lifo" else 0
            held, entry = lots[place]
            closed = min(abs(held), abs(qty)) * (1 if held > 0 else -1)
            realized += gain(kind, closed, entry, price)
            qty += closed
            lots[place] = (held - closed, entry)
            if held == closed:
                del lots[place]
        if qty:
            lots.append((qty, price))
            if basis == "average":
                lots = [(sum((q for q, _ in lots), Fraction(0)), mean(entry_kind or kind, lots))]
    return realized * multiplier, lots


def worth(lots: Iterable[Deal], price: Fraction, *, kind: str = "linear", multiplier: Fraction | int = 1) -> Fraction:
    """Unrealized P&L of open lots at a price."""
    return sum((gain(kind, qty, entry, price) for qty, entry in lots), Fraction(0)) * multiplier


def printed(value: Fraction, digits: int = 8) -> str:
    """Print as a bot does: rounded half to even."""
    return f"{Decimal(round(value * 10**digits)).scaleb(-digits):f}"
