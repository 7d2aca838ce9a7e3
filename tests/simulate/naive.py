"""A slow second opinion on a recorded session: everything from the tables anew, in exact fractions, claim by claim.

It knows session.md and the CSV files, and nothing of mmverify.
"""

from __future__ import annotations

import csv
import json
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

HALF_UNIT = Fraction(1, 2 * 10**8)  # every claimed column is printed with 8 decimals
YEAR_NS = 365 * 86400 * 10**9

Row = dict[str, str]


class Recorded:
    """The tables of a session folder, and what was known at an instant."""

    def __init__(self, folder: Path) -> None:
        self.settings: dict[str, Any] = tomllib.loads((folder / "session.toml").read_text(encoding="utf-8"))
        self.conventions: dict[str, str] = self.settings["conventions"]
        self.tables: dict[str, list[Row]] = {}
        for path in sorted(folder.glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                self.tables[path.stem] = list(csv.DictReader(file))
        self.instruments = {row["symbol"]: row for row in self.tables["instruments"]}
        self._arrivals: dict[tuple[Any, ...], tuple[list[Row], list[int]]] = {}
        self.unused = {row["trade_id"] for row in self.tables["bot_trades"] if row["used"] == "false"}

    def known(self, table: str, ts: int, **where: str) -> list[Row]:
        """Rows that had arrived at `ts`, in the order of arrival."""
        key = (table, *where.items())
        if key not in self._arrivals:
            rows = [row for row in self.tables[table] if where.items() <= row.items()]
            times = [int(row["ts_local"]) for row in rows]
            assert times == sorted(times)
            self._arrivals[key] = rows, times
        rows, times = self._arrivals[key]
        return rows[: bisect_right(times, ts)]

    def rate(self, asset: str, currency: str, ts: int) -> Fraction:
        """The newest known rate: the pair's, or one over the inverse pair's, or through BTC."""
        if asset == currency:
            return Fraction(1)
        direct = self.known("rates", ts, asset=asset, currency=currency)
        if direct:
            return Fraction(direct[-1]["rate"])
        inverse = self.known("rates", ts, asset=currency, currency=asset)
        if inverse:
            return 1 / Fraction(inverse[-1]["rate"])
        return self.rate(asset, "BTC", ts) * self.rate("BTC", currency, ts)

    def book(self, symbol: str, ts: int) -> tuple[Fraction, Fraction]:
        """Best bid and ask at `ts`."""
        sides: dict[str, dict[Fraction, Fraction]] = {"bid": {}, "ask": {}}
        for row in self.known("book", ts, symbol=symbol):
            sides[row["side"]][Fraction(row["price"])] = Fraction(row["qty"])
        bids, asks = ([price for price, qty in sides[side].items() if qty] for side in ("bid", "ask"))
        return max(bids), min(asks)


def executions(session: Recorded, symbol: str, ts: int) -> tuple[list[tuple[Fraction, Fraction, int]], list[Row]]:
    """(signed move, price, booking time) of each execution as it stands corrected, and every distinct report."""
    reports: dict[str, Row] = {}
    for row in session.known("fills", ts, symbol=symbol):
        reports.setdefault(row["exec_id"], row)
    restated = {row["correction_of"]: row for row in reports.values() if row["correction_of"]}
    moves = []
    for exec_id, row in reports.items():
        if row["correction_of"]:
            continue
        now = restated.get(exec_id, row)
        if now["kind"] == "bust":
            continue
        move = Fraction(now["qty"]) * (1 if row["side"] == "buy" else -1)
        if session.instruments[symbol]["kind"] == "spot" and row["fee_asset"] == session.instruments[symbol]["base"]:
            move -= Fraction(row["fee"])
        moves.append((move, Fraction(now["price"]), int(row["ts_local"])))
    return moves, list(reports.values())


def gain(session: Recorded, symbol: str, entry: Fraction, leave: Fraction, qty: Fraction) -> Fraction:
    """P&L of a signed quantity from entry to leave, in the settlement currency."""
    row = session.instruments[symbol]
    per_unit = 1 / entry - 1 / leave if row["kind"] == "inverse" else leave - entry
    return per_unit * qty * Fraction(row["multiplier"])


def match(
    session: Recorded, symbol: str, moves: list[tuple[Fraction, Fraction, int]]
) -> tuple[list[tuple[Fraction, int]], list[tuple[Fraction, Fraction]]]:
    """(Gain, booking time) of each closing, and the open (signed quantity, entry price)."""
    basis, inverse = session.conventions["cost_basis"], session.instruments[symbol]["kind"] == "inverse"
    lots: list[tuple[Fraction, Fraction]] = []
    closings = []
    for move, price, ts in moves:
        rest, gained = move, Fraction(0)
        while rest and lots and (lots[0][0] > 0) != (rest > 0):
            qty, entry = lots.pop() if basis == "lifo" else lots.pop(0)
            size = min(abs(qty), abs(rest))
            sign = 1 if qty > 0 else -1
            gained += gain(session, symbol, entry, price, size * sign)
            rest += size * sign
            if size < abs(qty):
                left = (qty - size * sign, entry)
                lots = [*lots, left] if basis == "lifo" else [left, *lots]
        if rest:
            lots.append((rest, price))
        if basis == "average" and lots:
            total = sum(qty for qty, _ in lots)
            weighed = sum(qty / entry if inverse else qty * entry for qty, entry in lots)
            lots = [(Fraction(total), total / weighed if inverse else weighed / total)]
        closings.append((gained, ts))
    return closings, lots


def unrealized_price(session: Recorded, symbol: str, ts: int, position: Fraction) -> Fraction:
    """The price that `unrealized_price` names, as known at `ts`."""
    kind = session.conventions["unrealized_price"]
    if kind in ("mark", "index", "last"):
        return Fraction(session.known("marks", ts, symbol=symbol)[-1][kind])
    bid, ask = session.book(symbol, ts)
    return (bid + ask) / 2 if kind == "mid" else bid if position > 0 else ask


def profit(session: Recorded, symbol: str, ts: int) -> dict[str, Fraction]:
    """What the pnl row of a symbol at `ts` should say, and each part as it enters the `*` row."""
    settle = session.instruments[symbol]["settle"]
    moves, reports = executions(session, symbol, ts)
    closings, lots = match(session, symbol, moves)
    fees = []
    for row in reports:
        fee, when = Fraction(row["fee"]), int(row["ts_local"])
        if row["fee_asset"] == settle:
            fees.append((fee, when))
        elif row["fee_asset"] == session.instruments[symbol]["base"]:
            fees.append((fee * Fraction(row["price"]), when))
        else:
            fees.append((fee * session.rate(row["fee_asset"], settle, when), when))
    funding = [(Fraction(row["amount"]), int(row["ts_local"])) for row in session.known("funding", ts, symbol=symbol)]
    position = sum((qty for qty, _ in lots), Fraction(0))
    out = {"unrealized": Fraction(0), "position": position}
    if position:
        price = out["price"] = unrealized_price(session, symbol, ts, position)
        out["unrealized"] = sum((gain(session, symbol, entry, price, qty) for qty, entry in lots), Fraction(0))
        # However lots are matched, what was gained in all is what closing each execution at this price would give.
        in_all = sum(gain(session, symbol, entry, price, qty) for qty, entry, _ in moves)
        assert in_all == out["unrealized"] + sum(part for part, _ in closings)
    out["* unrealized"] = out["unrealized"] * session.rate(settle, "USDT", ts)
    for name, parts in (("realized", closings), ("fees", fees), ("funding", funding)):
        out[name] = sum((part for part, _ in parts), Fraction(0))
        out[f"* {name}"] = out[name] * session.rate(settle, "USDT", ts)
        if session.conventions["conversion"] == "fill" and settle != "USDT":
            out[f"* {name}"] = sum((part * session.rate(settle, "USDT", when) for part, when in parts), Fraction(0))
    return out


def expected_pnl(session: Recorded) -> Iterator[tuple[Row, dict[str, Fraction]]]:
    """Each pnl row beside what it should say."""
    by_time: dict[int, dict[str, dict[str, Fraction]]] = {}
    for row in session.tables["pnl"]:
        ts = int(row["ts_local"])
        if ts not in by_time:
            by_time[ts] = {symbol: profit(session, symbol, ts) for symbol in session.instruments}
        names = ("realized", "unrealized", "fees", "funding")
        if row["symbol"] == "*":
            should = {name: sum(part[f"* {name}"] for part in by_time[ts].values()) for name in names}
        else:
            should = dict(by_time[ts][row["symbol"]])
        should["total"] = should["realized"] + should["unrealized"] - should["fees"] + should["funding"]
        if session.conventions["realized"] == "net":
            should["realized"] -= should["fees"]
        yield row, should


def expected_value(session: Recorded, row: Row) -> Fraction:
    """What a bot's balances row should say: no haircut on what is owed."""
    total = Fraction(row["total"])
    kept = 1 - Fraction(row["haircut"]) if total > 0 else 1
    return total * kept * session.rate(row["asset"], "USDT", int(row["ts_local"]))


def ema(prices: list[Decimal], span: int, init: str) -> Decimal | None:
    """The average as one weighted sum instead of a recursion."""
    alpha = Decimal(2) / (span + 1)
    keep = 1 - alpha
    if init == "sma":
        if len(prices) < span:
            return None
        prices = [sum(prices[:span], Decimal(0)) / span, *prices[span:]]
    if not prices:
        return None
    weights = [Decimal(1)]
    for _ in prices[1:]:
        weights.append(weights[-1] * keep)
    if init != "adjusted":
        weights = [*(alpha * weight for weight in weights[:-1]), weights[-1]]
    top = sum((w * x for w, x in zip(weights, reversed(prices), strict=True)), Decimal(0))
    return top / sum(weights)


def expected_signal(session: Recorded, row: Row) -> Fraction | None:
    """What a signals row should say, None where it should be empty."""
    start, end, ts = int(row["window_start"]), int(row["window_end"]), int(row["ts_local"])
    params = json.loads(row["params"] or "{}")
    trades = [
        trade
        for trade in session.known("trades", ts, symbol=row["symbol"])
        if start <= int(trade["ts_exchange"]) < end and trade["trade_id"] not in session.unused
    ]
    assert row["ts_input_max"] == (max(trades, key=lambda t: int(t["ts_local"]))["ts_local"] if trades else "")
    if row["name"] == "volume":
        return sum((Fraction(trade["qty"]) for trade in trades), Fraction(0))
    if row["name"] == "vwap":
        volume = sum(Fraction(trade["qty"]) for trade in trades)
        return sum(Fraction(t["price"]) * Fraction(t["qty"]) for t in trades) / volume if volume else None
    trades.sort(key=lambda trade: int(trade["ts_exchange"]))
    with localcontext(prec=60):
        prices = [Decimal(trade["price"]) for trade in trades]
        if "period_ns" in params:
            period = params["period_ns"]
            closes = {(int(t["ts_exchange"]) - start) // period: Decimal(t["price"]) for t in trades}
            prices = [closes[0]]
            for bucket in range(1, (end - start) // period):
                prices.append(closes.get(bucket, prices[-1]))
        if row["name"] == "ema":
            value = ema(prices, params["span"], session.conventions["ema_init"])
            return None if value is None else Fraction(value)
        assert len(prices) == params["n"] + 1
        pairs = list(zip(prices[1:], prices[:-1], strict=True))
        log = session.conventions["volatility"] == "log"
        returns = [now.ln() - before.ln() if log else (now - before) / before for now, before in pairs]
        squares = sum((r * r for r in returns), Decimal(0)) - sum(returns, Decimal(0)) ** 2 / len(returns)
        per_year = Decimal(params.get("periods_per_year", YEAR_NS // params["period_ns"]))
        return Fraction((squares / (len(returns) - params["ddof"])).sqrt() * per_year.sqrt())
