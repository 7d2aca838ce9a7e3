"""A small venue: prices, an order book with a crowd in it, matching, fees, funding, and reports of all that.

The venue tells the bot what happens as rows of the session's tables, without `ts_local`: that is stamped on arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any

from mmverify.simulate.clock import MILLISECOND, MINUTE, SECOND, Clock, Wire

Row = dict[str, Any]

DIGITS = 8  # of every amount of money that the venue books
LEVELS = 5  # that the crowd quotes on each side
HALF_SPREAD = 3  # of the crowd, in grid steps
WALL = 1000  # clips on the deepest level, more than anybody takes: the book always has two sides
BNB_DISCOUNT = Decimal("0.75")  # of the fee rate, where the fee is paid in BNB
OPENING_WALLET = {"USDT": "100000", "BTC": "0", "BNB": "2", "ETH": "3", "EUR": "-2500"}
DEPOSIT = Decimal("5000")


@dataclass(frozen=True)
class Market:
    """An instrument, its fee rates by liquidity, and the basis, price grid and clip that the crowd trades it with."""

    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    multiplier: Decimal
    fee_rates: dict[str, Decimal]
    later_rates: dict[str, Decimal]  # from half of the session on: a better tier, stated on each fill
    basis: Decimal
    grid: Decimal
    clip: Decimal


def _rates(maker: str, taker: str) -> dict[str, Decimal]:
    return {"maker": Decimal(maker), "taker": Decimal(taker)}


MARKETS = (
    Market(
        "BTC-USDT", "spot", "BTC", "USDT", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal("0.00010"), Decimal(1),
        _rates("0.0001", "0.0004"), {}, Decimal(0), Decimal(2), Decimal("0.001"),
    ),
    Market(
        "BTC-USDT-PERP", "linear", "BTC", "USDT", "USDT", Decimal("0.1"), Decimal(1), Decimal(10), Decimal("0.0001"),
        _rates("-0.00005", "0.0003"), _rates("-0.00008", "0.00025"), Decimal(12), Decimal(2), Decimal(10),
    ),
    Market(
        "BTC-USD-PERP", "inverse", "BTC", "USD", "BTC", Decimal("0.5"), Decimal(1), Decimal(1), Decimal(100),
        _rates("0.0001", "0.0004"), {}, Decimal(-9), Decimal(2), Decimal(1),
    ),
)  # fmt: skip


@dataclass
class Order:
    """An order of the bot's; `ioc` takes what it can and is gone, the others rest and never take (post only)."""

    client_order_id: str
    symbol: str
    side: str
    price: Decimal
    leaves_qty: Decimal
    ioc: bool = False
    order_id: str = ""


@dataclass
class State:
    """What the venue knows of one market: prices, the crowd's levels, the bot's orders, position and executions."""

    fair: Decimal = Decimal(0)
    mark: Decimal = Decimal(0)
    last: Decimal = Decimal(0)
    crowd: dict[str, dict[Decimal, Decimal]] = field(default_factory=lambda: {"bid": {}, "ask": {}})
    shown: dict[str, dict[Decimal, Decimal]] = field(default_factory=lambda: {"bid": {}, "ask": {}})
    seq: int = 0
    resting: list[Order] = field(default_factory=list)
    position: Decimal = Decimal(0)
    executions: list[Row] = field(default_factory=list)


def rounded(value: Fraction, digits: int = DIGITS) -> Decimal:
    """Round once, half to even, to so many digits."""
    return Decimal(round(value * 10**digits)).scaleb(-digits)


def notional(market: Market, price: Decimal, qty: Decimal) -> Fraction:
    """Worth of a quantity in the settlement currency: an inverse contract's face is fixed in quote, so divide."""
    if market.kind == "inverse":
        return Fraction(qty) * Fraction(market.multiplier) / Fraction(price)
    return Fraction(qty) * Fraction(market.multiplier) * Fraction(price)


class Venue:
    """The venue: one index price, and on each market a book in which the crowd and the bot meet.

    Parameters
    ----------
    markets : Sequence of Market
        What is traded.
    deliver : Callable
        Called with a table's name and rows when a message arrives at the bot.
    """

    def __init__(
        self, clock: Clock, wire: Wire, rng: Random, *, markets: Sequence[Market], deliver: Callable[..., None]
    ) -> None:
        self.clock, self.wire, self.rng, self.deliver = clock, wire, rng, deliver
        self.markets = {market.symbol: market for market in markets}
        self.states = {market.symbol: State() for market in markets}
        self.wallet = {asset: Decimal(total) for asset, total in OPENING_WALLET.items()}
        self.index, self.bnb, self.eth, self.eur = Decimal(60000), Decimal(610), Decimal("0.0412"), Decimal("0.9215")
        self.numbers = {"trade": 0, "exec": 0, "order": 0}

    def open(self) -> None:
        """Publish the first rates, marks, books and account, and put what recurs on the clock."""
        length = self.clock.end - self.clock.start
        self._publish_rates()
        self._publish_account()
        self._every(1 * SECOND, self._move_index)
        self._every(10 * SECOND, self._publish_rates)
        self._every(1 * MINUTE, self._publish_account)
        self.clock.at(self.clock.start + length // 2, self._deposit)
        for market in self.markets.values():
            self._move_fair(market)
            self._every(5 * SECOND // 2, partial(self._requote_crowd, market))
            self._every(1 * SECOND, partial(self._publish_mark, market))
            self.clock.at(self.clock.start + 2 * SECOND, partial(self._aggress, market))
            self._requote_crowd(market)
            self._publish_mark(market)
            if market.kind != "spot":
                self._every(2 * MINUTE, partial(self._fund, market))
            if market.kind != "inverse":
                self.clock.at(self.clock.start + length * 7 // 10, partial(self._restate, market, "correction"))
                self.clock.at(self.clock.start + length * 8 // 10, partial(self._restate, market, "bust"))

    # Messages

    def _send(self, stream: str | None, table: str, rows: list[Row], delay: int = 0) -> None:
        self.wire.carry(partial(self.deliver, table, rows), stream=stream, delay=delay)

    def _every(self, period: int, action: Callable[[], None]) -> None:
        def happen() -> None:
            action()
            self._every(period, action)

        self.clock.at(self.clock.now + period + self.rng.randrange(period // 50), happen)

    def _number(self, kind: str) -> str:
        self.numbers[kind] += 1
        return f"{kind}-{self.numbers[kind]}"

    # Prices

    def _move_index(self) -> None:
        self.index += Decimal(self.rng.randint(-600, 600)) / 100
        self.bnb += Decimal(self.rng.randint(-5, 5)) / 1000
        self.eth += Decimal(self.rng.randint(-2, 2)) / 100_000
        for market in self.markets.values():
            self._move_fair(market)

    def _move_fair(self, market: Market) -> None:
        if not self._is_quiet(market):
            noise = Decimal(self.rng.randint(-200, 200)) / 100
            self.states[market.symbol].fair = self.index + market.basis + noise

    def _is_quiet(self, market: Market) -> bool:
        """Each market has one spell in which nobody comes and its price stands: the windows run empty."""
        length = self.clock.end - self.clock.start
        begin = self.clock.start + length * (2 + 2 * list(self.markets).index(market.symbol)) // 10
        return begin <= self.clock.now < begin + min(100 * SECOND, length // 9)

    def _publish_mark(self, market: Market) -> None:
        state = self.states[market.symbol]
        premium = market.basis * 3 / 4 + Decimal(self.rng.randint(-100, 100)) / 100
        state.mark = (self.index + premium).quantize(market.tick_size) // market.tick_size * market.tick_size
        row = {"symbol": market.symbol, "mark": state.mark, "index": self.index, "last": state.last or state.mark}
        self._send("marks", "marks", [{"ts_exchange": self.clock.now, **row}])

    def _publish_rates(self) -> None:
        rates = {"BTC USDT": self.index, "BNB USDT": self.bnb, "ETH BTC": self.eth, "USDT EUR": self.eur}
        pairs = [(*pair.split(), rate) for pair, rate in rates.items()]
        rows = [{"ts_exchange": self.clock.now, "asset": a, "currency": c, "rate": rate} for a, c, rate in pairs]
        self._send("rates", "rates", rows)

    # The book

    def _requote_crowd(self, market: Market) -> None:
        """The crowd withdraws and quotes anew around the fair price; what now crosses an order of the bot's trades."""
        state = self.states[market.symbol]
        before, state.crowd = state.crowd, {"bid": {}, "ask": {}}
        middle = round(state.fair / market.grid) * market.grid
        for step in range(HALF_SPREAD, HALF_SPREAD + LEVELS):
            for side, book_side, price in (
                ("buy", "bid", middle - step * market.grid),
                ("sell", "ask", middle + step * market.grid),
            ):
                qty = before[book_side].get(price, Decimal(0))
                if step == HALF_SPREAD + LEVELS - 1:
                    qty = WALL * market.clip
                elif not qty or self.rng.randrange(10) == 0:
                    qty = self.rng.randint(4, 40) * market.clip
                left = self._match(market, side, qty, price, None)
                if left:
                    state.crowd[book_side][price] = left
        self._publish_book(market)

    def _aggress(self, market: Market) -> None:
        """Somebody in the crowd takes; now and then on the stroke of a second, now and then less than min_qty."""
        pause = self.rng.randrange(50 * MILLISECOND, 4 * SECOND)
        if self.rng.randrange(20) == 0:
            pause += -(self.clock.now + pause) % SECOND
        self.clock.at(self.clock.now + pause, partial(self._aggress, market))
        if self._is_quiet(market):
            return
        side = self.rng.choice(("buy", "sell"))
        qty = self.rng.randint(1, 60) * market.clip
        if market.min_qty > market.lot_size and self.rng.randrange(25) == 0:
            qty = self.rng.randint(1, 9) * market.lot_size
        reach = 20 * market.grid * (1 if side == "buy" else -1)
        self._match(market, side, qty, self.states[market.symbol].fair + reach, None)
        self._publish_book(market)

    def _match(self, market: Market, side: str, qty: Decimal, limit: Decimal, taker: Order | None) -> Decimal:
        """THE MATCHING RULE: best price first; at one price the crowd, who stood there first, then the bot's orders.

        Each one who is hit makes one trade, at the price that rested. What finds no counterparty is returned.
        """
        state = self.states[market.symbol]
        sign, against, against_book = (1, "sell", "ask") if side == "buy" else (-1, "buy", "bid")
        own = [order for order in state.resting if order.side == against]
        prints: list[Row] = []
        fills: list[Row] = []
        for price in sorted({*state.crowd[against_book], *(order.price for order in own)}, key=lambda p: p * sign):
            if (price - limit) * sign > 0 or not qty:
                break
            crowd_qty = min(qty, state.crowd[against_book].get(price, Decimal(0)))
            if crowd_qty:
                qty -= crowd_qty
                state.crowd[against_book][price] -= crowd_qty
                prints.append(self._trade(market, side, price, crowd_qty))
                if taker:
                    fills.append(self._fill(market, taker, price, crowd_qty, "taker"))
            for order in own:
                own_qty = min(qty, order.leaves_qty)
                if order.price == price and own_qty:
                    qty -= own_qty
                    prints.append(self._trade(market, side, price, own_qty))
                    fills.append(self._fill(market, order, price, own_qty, "maker"))
        state.resting = [order for order in state.resting if order.leaves_qty]
        if prints:
            state.last = prints[-1]["price"]
            late = self.rng.randrange(2 * SECOND, 20 * SECOND) if self.rng.randrange(40) == 0 else 0
            self._send(None, "trades", prints, late)
        if fills:
            self._report(fills)
        return qty

    def _trade(self, market: Market, aggressor: str, price: Decimal, qty: Decimal) -> Row:
        row = {"ts_exchange": self.clock.now, "symbol": market.symbol, "trade_id": self._number("trade")}
        return {**row, "price": price, "qty": qty, "aggressor": aggressor}

    def _publish_book(self, market: Market) -> None:
        """Send the levels that changed since the last update; the first update is a snapshot of all."""
        state = self.states[market.symbol]
        shown = {side: {price: qty for price, qty in levels.items() if qty} for side, levels in state.crowd.items()}
        for order in state.resting:
            levels = shown["bid" if order.side == "buy" else "ask"]
            levels[order.price] = levels.get(order.price, Decimal(0)) + order.leaves_qty
        kind, prev_seq = ("delta", state.seq) if state.seq else ("snapshot", None)
        head = {"ts_exchange": self.clock.now, "symbol": market.symbol, "seq": state.seq + 1, "prev_seq": prev_seq}
        rows = [
            {**head, "kind": kind, "side": side, "price": price, "qty": shown[side].get(price, Decimal(0))}
            for side in ("bid", "ask")
            for price in sorted({*shown[side], *state.shown[side]})
            if shown[side].get(price) != state.shown[side].get(price)
        ]
        if rows:
            state.seq, state.shown = state.seq + 1, shown
            self._send(f"book {market.symbol}", "book", rows)

    # The bot's orders and executions

    def submit(self, order: Order) -> None:
        """Take an order of the bot's: an ioc trades at once, a quote rests, or is refused where it would take."""
        market, state = self.markets[order.symbol], self.states[order.symbol]
        order.order_id = self._number("order")
        if order.ioc:
            self._match(market, order.side, order.leaves_qty, order.price, order)
        else:
            crowd = [price for price, qty in state.crowd["ask" if order.side == "buy" else "bid"].items() if qty]
            if order.side == "buy" and order.price < min(crowd, default=order.price + 1):
                state.resting.append(order)
            if order.side == "sell" and order.price > max(crowd, default=order.price - 1):
                state.resting.append(order)
        self._publish_book(market)

    def cancel(self, symbol: str) -> None:
        """Withdraw all that rests of the bot's on a market."""
        self.states[symbol].resting = []
        self._publish_book(self.markets[symbol])

    def _fill(self, market: Market, order: Order, price: Decimal, qty: Decimal, liquidity: str) -> Row:
        order.leaves_qty -= qty
        fee, fee_asset, fee_rate = self._fee(market, order.side, price, qty, liquidity)
        row = {"ts_exchange": self.clock.now, "symbol": market.symbol, "exec_id": self._number("exec")}
        row |= {"client_order_id": order.client_order_id, "order_id": order.order_id, "side": order.side}
        row |= {"price": price, "qty": qty, "liquidity": liquidity, "fee": fee, "fee_asset": fee_asset}
        row |= {"fee_rate": fee_rate, "correction_of": None, "kind": "trade"}
        self._settle(row, qty, qty * price)
        self.states[market.symbol].executions.append(row)
        return row

    def _fee(
        self, market: Market, side: str, price: Decimal, qty: Decimal, liquidity: str
    ) -> tuple[Decimal, str, Decimal | None]:
        """THE FEE RULE: rate of the execution's liquidity x notional, a cost positive, a rebate negative.

        A derivative pays in its settlement currency, by the better tier from half of the session on. Spot pays in
        what it receives (a buy in base, a sell in quote), but in every third minute in BNB at a discount.
        """
        rate = market.fee_rates[liquidity]
        if market.kind != "spot":
            is_later = self.clock.now - self.clock.start > self.clock.end - self.clock.now
            tier = market.later_rates.get(liquidity) if is_later else None
            fee = rounded(notional(market, price, qty) * Fraction(rate if tier is None else tier))
            return fee, market.settle, tier
        if (self.clock.now - self.clock.start) // MINUTE % 3 == 2:
            rate *= BNB_DISCOUNT
            return rounded(notional(market, price, qty) * Fraction(rate) / Fraction(self.bnb)), "BNB", rate
        if side == "buy":
            return rounded(Fraction(qty) * Fraction(rate)), market.base, None
        return rounded(notional(market, price, qty) * Fraction(rate)), market.quote, None

    def _settle(self, row: Row, qty: Decimal, value: Decimal) -> None:
        """Book an execution, or the change that a restatement makes, into position and wallet.

        The wallet is the spot wallet: what derivatives gain and pay is settled in a wallet of their own.
        """
        market, direction = self.markets[row["symbol"]], 1 if row["side"] == "buy" else -1
        if market.kind != "spot":
            self.states[market.symbol].position += direction * qty
            return
        self.wallet[market.base] += direction * qty
        self.wallet[market.quote] -= direction * value
        self.wallet[row["fee_asset"]] -= row["fee"]

    def _report(self, fills: list[Row]) -> None:
        """Report executions, in order: now and then seconds late, and now and then twice."""
        late = self.rng.randrange(1 * SECOND, 3 * SECOND) if self.rng.randrange(40) == 0 else 0
        self._send("private", "fills", fills, late)
        if self.rng.randrange(25) == 0:
            again = self.clock.now + self.rng.randrange(50 * MILLISECOND, 5 * SECOND)
            self.clock.at(again, partial(self._send, "private", "fills", fills[-1:]))

    def _restate(self, market: Market, kind: str) -> None:
        """Correct an execution (a tick and a lot more) or take it back: one older than a minute, its fee in quote."""
        state = self.states[market.symbol]
        restated = {row["correction_of"] for row in state.executions}
        old = [
            row
            for row in state.executions
            if row["kind"] == "trade"
            and row["exec_id"] not in restated
            and row["fee_asset"] == market.quote
            and row["ts_exchange"] < self.clock.now - MINUTE
        ]
        if not old:
            return
        was = old[-1]
        price, qty, fee = was["price"], was["qty"], Decimal(0)
        if kind == "correction":
            price, qty = price + market.tick_size, qty + market.lot_size
            rate = was["fee_rate"] or market.fee_rates[was["liquidity"]]
            fee = rounded(notional(market, price, qty) * Fraction(rate))
        row = {**was, "ts_exchange": self.clock.now, "exec_id": self._number("exec"), "price": price, "qty": qty}
        row |= {"fee": fee - was["fee"], "correction_of": was["exec_id"], "kind": kind}
        held = qty if kind == "correction" else Decimal(0)
        self._settle(row, held - was["qty"], held * price - was["qty"] * was["price"])
        state.executions.append(row)
        self._send("private", "fills", [row])

    # Payments and account

    def _fund(self, market: Market) -> None:
        """Funding: rate x notional at mark; where the rate is positive longs pay shorts, so received is minus that."""
        state = self.states[market.symbol]
        rate = Decimal(self.rng.randint(-30, 50)) / 1_000_000
        amount = rounded(-notional(market, state.mark, state.position) * Fraction(rate))
        row = {"ts_exchange": self.clock.now, "symbol": market.symbol, "rate": rate, "position": state.position}
        self._send("private", "funding", [{**row, "mark": state.mark, "amount": amount, "asset": market.settle}])

    def _deposit(self) -> None:
        self.wallet["USDT"] += DEPOSIT
        row = {"ts_exchange": self.clock.now, "asset": "USDT", "amount": DEPOSIT, "kind": "deposit"}
        self._send("private", "transfers", [row])

    def _publish_account(self) -> None:
        positions = [
            {"symbol": symbol, "qty": self.states[symbol].position, "source": "exchange"}
            for symbol, market in self.markets.items()
            if market.kind != "spot"
        ]
        balances = [{"asset": asset, "total": total, "source": "exchange"} for asset, total in self.wallet.items()]
        self._send("private", "positions", positions)
        self._send("private", "balances", balances)
