"""The venue: one book a market, in which the crowd and the bot meet, and what it tells of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from random import Random

from mmverify.simulate.account import Account
from mmverify.simulate.clock import MINUTE, SECOND, Clock, Wire
from mmverify.simulate.crowd import Crowd
from mmverify.simulate.feed import Feed, Message
from mmverify.simulate.gateway import Gateway
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.matching import OPPOSITE, Book, Match, Order

LATE_TRADES = 1 / 40  # of the messages, and by how much [ns]
LATE_BY = 2 * SECOND, 15 * SECOND


class Venue:
    """The venue with its parts.

    Parameters
    ----------
    deliver : Callable
        Called with each market data message that arrives at the bot.
    """

    def __init__(
        self,
        clock: Clock,
        wire: Wire,
        rng: Random,
        *,
        markets: Mapping[str, Market],
        deliver: Callable[[Message], None],
    ) -> None:
        self._clock, self._rng, self._markets = clock, rng, markets
        self.books = {symbol: Book() for symbol in markets}
        self.feed = Feed(clock, wire, rng, markets=markets, books=self.books, deliver=deliver)
        self.crowd = Crowd(clock, rng, self.feed, markets=markets, books=self.books, trade=self.trade)
        self.gateway = Gateway(clock, wire, rng, markets=markets, books=self.books, feed=self.feed, trade=self.trade)
        tell, prices = self.gateway.tell, self.crowd.prices
        self.account = Account(clock, rng, markets=markets, prices=prices, tell=tell)
        self.gateway.account = self.account
        self._trades = 0

    def open(self) -> None:
        """Publish the account, open the markets, and put what recurs on the clock."""
        self.account.publish()
        self.crowd.open()
        self.feed.open()
        self._clock.every(MINUTE, self.account.publish, rng=self._rng)
        for symbol, market in self._markets.items():
            if market.kind != "spot":
                self._clock.every(2 * MINUTE, partial(self.account.fund, symbol), rng=self._rng)

    def trade(
        self, symbol: str, side: str, lots: int, limit: int | None, taker: Order | None = None, *, kind: str = "trade"
    ) -> int:
        """Match an order, print its trades, report the bot's executions; return what found no counterparty. [lots]"""
        name = taker.client_order_id if taker else ""
        matches = self.books[symbol].match(side, lots, limit, client_order_id=name)
        if not matches:
            return lots
        self.crowd.lasts[symbol] = matches[-1].price
        late = self._rng.randrange(*LATE_BY) if self._rng.random() < LATE_TRADES else 0
        self.feed.send("trades", [self._print(symbol, side, match) for match in matches], stream=None, delay=late)
        fills = []
        for resting, price, qty in matches:
            if taker:
                taker.leaves -= qty
                fills.append(self.account.execute(taker, price, qty, "taker", kind))
            if resting.client_order_id:
                fills.append(self.account.execute(resting, price, qty, "maker"))
                if not resting.leaves:
                    resting.state = "FILLED"
        if fills:
            self.gateway.report(fills)
        return lots - sum(match.qty for match in matches)

    def take(self, order: Order, lots: int) -> None:
        """Let the crowd trade with an order of the bot's, after all that stands before it, and then quote again."""
        book, ahead = self.books[order.symbol], 0
        for price, queue in book.queues[order.side].items():
            if price > order.price if order.side == "buy" else price < order.price:
                ahead += book.depth(order.side, price)
            elif price == order.price:
                ahead += sum(other.leaves for other in queue[: queue.index(order)])
        self.trade(order.symbol, OPPOSITE[order.side], ahead + lots, order.price)
        self.crowd.requote(order.symbol)

    def liquidate(self, symbol: str, maintenance: Decimal) -> None:
        """Close a part of the bot's position at the market, if its margin is too low."""
        lots = self.account.margin_call(symbol, maintenance)
        if lots:
            order = self.gateway.take_over(symbol, self._closing_side(symbol), lots, "liquidation")
            self.trade(symbol, order.side, lots, None, order, kind="liquidation")
            self.feed.publish(symbol)

    def deleverage(self, symbol: str) -> None:
        """Close half of the bot's position at the mark, against a trader who went bankrupt: ADL, without a fee."""
        market = self._markets[symbol]
        lots = (abs(market.lots(self.account.positions[symbol])) + 1) // 2
        if lots:
            order = self.gateway.take_over(symbol, self._closing_side(symbol), lots, "adl")
            price = int(self.crowd.prices[symbol] / market.tick_size)
            order.leaves = 0
            self.gateway.report([self.account.execute(order, price, lots, "taker", "adl")])

    def _closing_side(self, symbol: str) -> str:
        return "sell" if self.account.positions[symbol] > 0 else "buy"

    def _print(self, symbol: str, side: str, match: Match) -> Row:
        self._trades += 1
        market = self._markets[symbol]
        row = {"symbol": symbol, "trade_id": f"t{self._trades}", "price": market.price(match.price)}
        return {**row, "qty": market.qty(match.qty), "aggressor": side}
