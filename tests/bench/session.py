"""A clean session of any length: two cycles of a market maker are played, and what follows continues them linearly.

A cycle starts and ends flat and without open orders, and repeats the one before it. So each cell of a row is a constant
or grows by the same amount from cycle to cycle: times, sequence numbers, the numbers of ids, cumulative P&L. The two
cycles that are played give first value and growth, the rest is arithmetic on whole columns.
"""

from __future__ import annotations

import heapq
import shutil
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from columns import decimals
from numpy.typing import NDArray

from mmverify.session.schema import TABLES, Column

START, SECOND, MS = 1_741_003_200 * 10**9, 10**9, 10**6
ROUNDS = 8  # in a cycle; one in four is stopped out, the others earn the spread
PARTS = 25  # fills of an order
LENGTH = 20 * SECOND  # of a cycle
SILENCE = 5 * SECOND  # at its end, in which the book goes stale
DIGITS = 8  # of money and of averages; prices and quantities are exact in them
CHUNK = 64  # cycles that are written at once
ZERO = Fraction(0)

Row = dict[str, Any]


@dataclass(frozen=True)
class Id:
    """A name and its number, which grows."""

    stem: str
    number: int


@dataclass
class Market:
    """A market, and what the bot has in it: lots, and sums since the session's start in the settlement currency."""

    symbol: str
    kind: str
    quote: str
    settle: str
    tick_size: Fraction
    lot_size: Fraction
    multiplier: Fraction
    maker_fee: Fraction
    taker_fee: Fraction
    part: Fraction
    fee_asset: str
    mark: Fraction = ZERO
    seq: int = 0
    lots: deque[tuple[Fraction, Fraction]] = field(default_factory=deque)
    realized: Fraction = ZERO
    fees: Fraction = ZERO
    funding: Fraction = ZERO

    def value(self, price: Fraction) -> Fraction:
        """Value of a unit, so that a gain is the exit's less the entry's."""
        return self.multiplier * (-1 / price if self.kind == "inverse" else price)

    @property
    def qty(self) -> Fraction:
        """Signed position."""
        return sum((qty for qty, _ in self.lots), ZERO)

    @property
    def avg_px(self) -> Fraction | None:
        """Average entry of the lots, which are of one size."""
        return _average(self.kind, [price for _, price in self.lots])

    @property
    def unrealized(self) -> Fraction:
        """Open gain at the mark."""
        return sum((qty * (self.value(self.mark) - self.value(price)) for qty, price in self.lots), ZERO)

    def book(self, qty: Fraction, price: Fraction) -> None:
        """Match a fill with the oldest lots; all are of one size."""
        if self.lots and self.lots[0][0] * qty < 0:
            held, entry = self.lots.popleft()
            self.realized += held * (self.value(price) - self.value(entry))
        else:
            self.lots.append((qty, price))


def markets() -> list[Market]:
    """Return a spot market, a linear and an inverse perpetual."""
    f = Fraction
    return [
        Market("BTC-USDT", "spot", "USDT", "USDT", f("0.01"), f("0.00001"), f(1), f("0.0001"), f("0.0004"),
               f("0.001"), "BNB"),
        Market("BTC-USDT-PERP", "linear", "USDT", "USDT", f("0.1"), f(1), f("0.0001"), f("-0.00005"), f("0.0003"),
               f(12), "USDT"),
        Market("BTC-USD-PERP", "inverse", "USD", "BTC", f("0.5"), f(1), f(100), f("0.0001"), f("0.0004"), f(1), "BTC"),
    ]  # fmt: skip


@dataclass
class Order:
    """An order as the bot knows it; without a price it is a market order."""

    market: Market
    side: str
    price: Fraction | None
    intent: str
    id: Id
    order_id: Id | None = None
    fills: list[Fraction] = field(default_factory=list)
    qty: Fraction = ZERO
    over: bool = False
    level: int = 0

    @property
    def cum_qty(self) -> Fraction:
        """Filled quantity."""
        return self.market.part * len(self.fills)

    @property
    def leaves_qty(self) -> Fraction:
        """Quantity that may still be filled."""
        return ZERO if self.over else self.qty - self.cum_qty

    @property
    def avg_px(self) -> Fraction | None:
        """Average price of its fills, which are of one size."""
        return _average(self.market.kind, self.fills)


def _average(kind: str, prices: list[Fraction]) -> Fraction | None:
    """Return the mean of some prices, the harmonic one on an inverse contract."""
    if not prices:
        return None
    return len(prices) / sum(1 / price for price in prices) if kind == "inverse" else sum(prices, ZERO) / len(prices)


@dataclass
class Play:
    """The markets at a time, and the rows written so far."""

    markets: list[Market] = field(default_factory=markets)
    time: int = START
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    names: int = 0
    rates: dict[str, Fraction] = field(default_factory=dict)
    high_water: Fraction = Fraction(100_000)

    def add(self, table: str, *, late: int = 0, **row: Any) -> None:
        """Write a row of the bot's."""
        self.rows[table].append({"ts_local": self.time + late} | row)

    def hear(self, table: str, **row: Any) -> None:
        """Write a row of the venue's, a millisecond old."""
        self.add(table, ts_exchange=self.time - MS, **row)

    def id(self, stem: str) -> Id:
        """Return a new name."""
        self.names += 1
        return Id(stem, self.names)

    def cycle(self) -> None:
        """Play one cycle."""
        self.rows = defaultdict(list)
        start = self.time
        stories = [_trades(self, market, start + place * MS) for place, market in enumerate(self.markets)]
        agenda = [(start, place, story) for place, story in enumerate([_venue(self, start), *stories])]
        while agenda:
            self.time, place, story = heapq.heappop(agenda)
            if (until := next(story, None)) is not None:
                heapq.heappush(agenda, (until, place, story))
        self.time = start + LENGTH


def _price(place: int) -> Fraction:
    return Fraction(60_000 + 3 * (place % 3))


def _mark(play: Play, market: Market, price: Fraction) -> None:
    market.mark = price
    play.hear("marks", symbol=market.symbol, mark=price, index=price, last=price)


def _snapshot(play: Play, market: Market, mid: Fraction) -> None:
    market.seq += 1
    for side, away in (("bid", -5), ("bid", -6), ("ask", 5), ("ask", 6)):
        play.hear("book", symbol=market.symbol, seq=market.seq, kind="snapshot", side=side, price=mid + away,
                  qty=market.part * 100)  # fmt: skip


def _venue(play: Play, start: int) -> Iterator[int]:
    """Rates, books and marks of each round; a funding in the middle of the first; a silence at the end."""
    for market in play.markets:
        market.mark = _price(0)
    for place in range(ROUNDS):
        yield start + 2 * place * SECOND + 2 * MS
        play.rates = {"USDT": Fraction(1), "BTC": _price(place), "BNB": 600 + Fraction(place, 10)}
        for asset in ("BTC", "BNB"):
            play.hear("rates", asset=asset, currency="USDT", rate=play.rates[asset])
        for market in play.markets:
            _snapshot(play, market, _price(place))
            _mark(play, market, _price(place))
        yield start + 2 * place * SECOND + 800 * MS
        for market in play.markets:
            if market.kind != "spot" and place == 1:
                notional = abs(market.value(market.mark)) * market.qty
                amount = _rounded(-notional * Fraction("0.0001"))
                market.funding += amount
                play.hear("funding", symbol=market.symbol, rate=Fraction("0.0001"), position=market.qty,
                          mark=market.mark, amount=amount, asset=market.settle)  # fmt: skip
        yield start + (2 * place + 2) * SECOND - 5 * MS
        _account(play)
    silent = 2 * (ROUNDS - 1) * SECOND + 2 * MS
    yield start + silent + 4 * SECOND + MS
    for market in play.markets:
        play.add("risk_events", rule="stale", event="trip", symbol=market.symbol, value=Fraction(4001),
                 threshold=Fraction(4000), action="cancel_all")  # fmt: skip
    yield start + silent + SILENCE
    for market in play.markets:
        _snapshot(play, market, _price(0))
        play.add("risk_events", late=MS, rule="stale", event="reset", symbol=market.symbol, value=Fraction(1),
                 threshold=Fraction(4000), action="cancel_all")  # fmt: skip


def _account(play: Play) -> None:
    """Equity, without the inverse contract's; balances; what the venue says of positions."""
    equity = 100_000 + sum(m.realized - m.fees + m.funding for m in play.markets if m.settle == "USDT")
    play.high_water = max(play.high_water, equity)
    play.add("equity", equity=equity, high_water=play.high_water, currency="USDT")
    for asset, total in (("USDT", Fraction(100_000)), ("BTC", Fraction(2))):
        haircut = Fraction("0.1") if asset == "BTC" else ZERO
        play.add("balances", asset=asset, total=total, haircut=haircut, value=total * play.rates[asset] * (1 - haircut),
                 currency="USDT", source="bot")  # fmt: skip
    for market in play.markets:
        play.add("positions", symbol=market.symbol, qty=market.qty, avg_px=None, source="exchange")


def _trades(play: Play, market: Market, start: int) -> Iterator[int]:
    """Quote both sides, be filled on one, move the other, close by it; each fourth round by a market order."""
    for place in range(ROUNDS):
        begin, mid, tick = start + 2 * place * SECOND, _price(place), market.tick_size
        lost, sign = place % 4 == 0, -1 if place % 4 >= 2 else 1
        opens, closes = ("buy", "sell") if sign > 0 else ("sell", "buy")
        half = Fraction(25 if place % 4 == 3 else 15)
        yield begin + 10 * MS
        prices = _quote(play, market, mid, half)
        orders = {side: _submit(play, market, side, price) for side, price in prices.items()}
        if place == 5:
            deeper = _quote(play, market, mid, half + tick, level=1)["buy"]
            refused = _submit(play, market, "buy", deeper, level=1)
            yield begin + 11 * MS
            refused.over = True
            _event(play, refused, "reject", "REJECTED", reason="post only would cross", code="-5022")
        yield begin + 15 * MS
        for order in orders.values():
            _ack(play, order)
        stop = {"stop_id": play.id("stop"), "symbol": market.symbol, "side": closes, "stop_price": mid - 20 * sign,
                "price_type": "mark"}  # fmt: skip
        for part in range(PARTS):
            yield begin + 100 * MS + part * 20 * MS
            _fill(play, orders[opens], prices[opens])
            if not part:
                play.add("stops", late=10, event="arm", **stop)
        yield begin + 850 * MS
        _mark(play, market, mid - sign * (25 if lost else -5))
        yield begin + 900 * MS
        if lost:
            play.add("stops", event="fire", price=market.mark, **stop)
            quote = orders[closes]
            _event(play, quote, "cancel_request", "PENDING_CANCEL")
            exit = _submit(play, market, closes, None, PARTS - 1)
            yield begin + 910 * MS
            quote.over = True
            _event(play, quote, "cancel_ack", "CANCELED")
            _ack(play, exit)
            yield begin + 911 * MS
            _fill(play, quote, prices[closes], age=5 * MS)
        else:
            if place == 2:
                refused = _replace(play, market, orders[closes], mid, half + 2 * tick)
                yield begin + 905 * MS
                refused.price = orders[closes].price
                _event(play, refused, "replace_reject", "NEW", orig_client_order_id=orders[closes].id,
                       reason="too many requests", code="-1003")  # fmt: skip
            exit = _replace(play, market, orders[closes], mid, half + tick)
            yield begin + 910 * MS
            _event(play, exit, "replace_ack", "NEW", orig_client_order_id=orders[closes].id)
        while market.lots:
            yield begin + 1000 * MS + len(exit.fills) * 20 * MS
            _fill(play, exit, exit.price or mid - sign * (25 + tick * (len(exit.fills) % 3)))
        if not lost:
            play.add("stops", late=10, event="disarm", **stop)
        yield begin + 1600 * MS
        if place == 3:
            _repeat(play, market)
        if place == 6 and market.kind != "inverse":
            _correct(play, exit)


def _quote(play: Play, market: Market, mid: Fraction, half: Fraction, level: int = 0) -> dict[str, Fraction]:
    size = market.part * PARTS
    play.add("quotes", symbol=market.symbol, fair_value=mid, bid=mid - half, ask=mid + half, bid_qty=size, ask_qty=size,
             half_spread=half, level=level, mid=mid, skew=ZERO, volatility=Fraction("0.0001"), best_bid=mid - 5,
             best_ask=mid + 5, book_seq=market.seq, state="adverse" if half > 20 else "normal")  # fmt: skip
    return {"buy": mid - half, "sell": mid + half}


def _submit(play: Play, market: Market, side: str, price: Fraction | None, parts: int = PARTS, level: int = 0) -> Order:
    intent = {"buy": "quote_bid", "sell": "quote_ask"}[side]
    if price is None:
        intent = "close_long" if side == "sell" else "close_short"
    order = Order(market, side, price, intent, play.id("mm"), qty=market.part * parts, level=level)
    _event(play, order, "submit", "PENDING_NEW")
    return order


def _ack(play: Play, order: Order) -> None:
    order.order_id = play.id("o")
    _event(play, order, "ack", "NEW")


def _replace(play: Play, market: Market, old: Order, mid: Fraction, half: Fraction) -> Order:
    price = _quote(play, market, mid, half)[old.side]
    order = Order(market, old.side, price, old.intent, play.id("mm"), old.order_id, qty=old.qty)
    _event(play, order, "replace_request", "PENDING_REPLACE", orig_client_order_id=old.id)
    return order


def _event(play: Play, order: Order, event: str, state: str, age: int = MS, **more: Any) -> None:
    quote = order.price is not None
    row = {
        "ts_exchange": None if event in ("submit", "cancel_request", "replace_request") else play.time - age,
        "symbol": order.market.symbol, "client_order_id": order.id, "order_id": order.order_id, "event": event,
        "side": order.side, "type": "limit" if quote else "market", "tif": "GTC" if quote else "IOC",
        "post_only": quote, "reduce_only": not quote, "level": order.level if quote else None, "price": order.price,
        "qty": order.qty, "cum_qty": order.cum_qty, "leaves_qty": order.leaves_qty, "avg_px": order.avg_px,
        "state": state, "orig_client_order_id": None, "exec_id": None, "reason": None, "code": None, "origin": "bot",
        "intent": order.intent,
    }  # fmt: skip
    play.add("order_events", **row | more)


def _fill(play: Play, order: Order, price: Fraction, age: int = MS) -> None:
    market, maker, name = order.market, order.price is not None, play.id("e")
    order.fills.append(price)
    market.book(market.part if order.side == "buy" else -market.part, price)
    rate = play.rates["BNB"] if market.fee_asset == "BNB" else Fraction(1)
    notional = abs(market.value(price)) * market.part
    fee = _rounded(notional * (market.maker_fee if maker else market.taker_fee) / rate)
    market.fees += fee * rate
    done = order.cum_qty == order.qty
    event, state = ("fill", "FILLED") if done else ("partial_fill", "PARTIALLY_FILLED")
    _event(play, order, event, "CANCELED" if order.over else state, age, exec_id=name)
    play.add("fills", ts_exchange=play.time - age, symbol=market.symbol, exec_id=name, client_order_id=order.id,
             order_id=order.order_id, side=order.side, price=price, qty=market.part,
             liquidity="maker" if maker else "taker", fee=fee, fee_asset=market.fee_asset, correction_of=None,
             kind="trade")  # fmt: skip
    play.add("positions", late=1, symbol=market.symbol, qty=market.qty, avg_px=market.avg_px, source="bot")
    if len(play.rows["fills"]) % 4 == 0:
        _claim(play)


def _repeat(play: Play, market: Market) -> None:
    """The venue sends its newest execution report again."""
    for table in ("fills", "order_events"):
        last = next(row for row in reversed(play.rows[table]) if row["symbol"] == market.symbol and row["exec_id"])
        play.add(table, **last | {"ts_local": play.time})


def _correct(play: Play, order: Order) -> None:
    """The venue restates the price of the newest execution, which closed the position, a tick lower."""
    market, name = order.market, play.id("e")
    last = next(row for row in reversed(play.rows["fills"]) if row["symbol"] == market.symbol)
    order.fills[-1] -= market.tick_size
    market.realized -= market.value(market.tick_size) * market.part * (1 if order.side == "sell" else -1)
    restated = {"exec_id": name, "price": order.fills[-1], "fee": ZERO, "correction_of": last["exec_id"]}
    times = {"ts_exchange": play.time - MS, "ts_local": play.time}
    play.add("fills", **last | restated | times | {"kind": "correction"})
    _event(play, order, "reconcile", "FILLED", exec_id=name, reason="restated")
    _claim(play)


def _claim(play: Play) -> None:
    """Claim the P&L of each market, then of all in USDT."""
    sums = defaultdict[str, Fraction](Fraction)
    for market in play.markets:
        parts = {name: getattr(market, name) for name in ("realized", "unrealized", "fees", "funding")}
        parts["total"] = market.realized + market.unrealized - market.fees + market.funding
        for name, value in parts.items():
            sums[name] += value * play.rates[market.settle]
        play.add("pnl", late=2, symbol=market.symbol, **parts, price=market.mark, currency=market.settle)
    play.add("pnl", late=2, symbol="*", **sums, price=None, currency="USDT")


def _rounded(value: Fraction) -> Fraction:
    return Fraction(round(value * 10**DIGITS), 10**DIGITS)


# --- whole columns ----------------------------------------------------------------------------------------------------


def write(out: Path, cycles: int) -> None:
    """Write the session folder of so many cycles, 2 at least."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    play = Play()
    play.cycle()
    first = play.rows
    play.cycle()
    (out / "session.toml").write_text(Path(__file__).with_name("session.toml").read_text())
    pq.write_table(_instruments(play.markets), out / "instruments.parquet")
    for table, rows in first.items():
        names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        columns = [(TABLES[table][name], [row.get(name) for row in rows], [row.get(name) for row in play.rows[table]])
                   for name in names]  # fmt: skip
        writer = None
        for start in range(0, cycles, CHUNK):
            numbers = np.arange(start, min(start + CHUNK, cycles))
            data = {column.name: _continued(column, *values, numbers) for column, *values in columns}
            if table == "equity":
                data["drawdown"] = _drawdown(data["equity"], data["high_water"])
            part = pa.table(data)
            writer = writer or pq.ParquetWriter(out / f"{table}.parquet", part.schema, compression="zstd")
            writer.write_table(part)
        assert writer
        writer.close()


def _continued(column: Column, first: list[Any], second: list[Any], cycles: NDArray[np.int64]) -> pa.Array:
    """Continue one column of the first two cycles to these."""
    assert len(first) == len(second), column.name
    missing = np.tile([value is None for value in first], len(cycles))
    if column.type in ("dec", "udec"):
        unit = 10**DIGITS
        begin = [Fraction(value or 0) * unit for value in first]
        growth = [Fraction(value or 0) * unit - old for value, old in zip(second, begin, strict=True)]
        if any(growth):
            whole = [round(old + int(n) * grown) for n in cycles for old, grown in zip(begin, growth, strict=True)]
        else:
            whole = [round(old) for old in begin] * len(cycles)
        return decimals(np.array(whole, dtype=np.int64), DIGITS, missing)
    if column.type in ("ts", "int"):
        start = np.array([value or 0 for value in first], dtype=np.int64)
        step = np.array([value or 0 for value in second], dtype=np.int64) - start
        return pa.array((start + cycles[:, None] * step).ravel(), mask=missing)
    if any(isinstance(value, Id) for value in first):
        names = [(old.stem, old.number, new.number - old.number) if old else ("", 0, 0)
                 for old, new in zip(first, second, strict=True)]  # fmt: skip
        return pa.array([f"{stem}-{number + int(n) * step}" for n in cycles for stem, number, step in names],
                        mask=missing)  # fmt: skip
    assert first == second, column.name
    return pa.array(first * len(cycles))


def _drawdown(equity: pa.Array, high_water: pa.Array) -> pa.Array:
    shares = [round((1 - Fraction(e) / Fraction(h)) * 10**DIGITS)
              for e, h in zip(equity.to_pylist(), high_water.to_pylist(), strict=True)]  # fmt: skip
    return decimals(np.array(shares, dtype=np.int64), DIGITS)


def _instruments(listed: list[Market]) -> pa.Table:
    words = {name: [getattr(market, name) for market in listed] for name in ("symbol", "kind", "quote", "settle")}
    numbers = {
        name: [str(float(getattr(market, name))) for market in listed]
        for name in ("tick_size", "lot_size", "multiplier", "maker_fee", "taker_fee")
    }
    return pa.table(words | {"base": ["BTC"] * len(listed)} | numbers)
