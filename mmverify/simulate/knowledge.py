"""What the bot knows: books, marks, rates and trades that have reached it, and its own account of its money."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from mmverify.simulate.ledger import Execution, Ledger
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.policy import CURRENCY
from mmverify.simulate.signals import Ema, Tape
from mmverify.simulate.view import View

EMA_SPAN = 20


class Booked(NamedTuple):
    """An execution as it entered the books: its change of the order's lots, and the row of the report."""

    qty: Decimal
    price: Decimal
    row: Row


class Knowledge:
    """What has arrived, and what follows from it.

    Parameters
    ----------
    conventions : Mapping of str to str
        How the bot computes what it claims.
    """

    def __init__(self, markets: Mapping[str, Market], conventions: Mapping[str, str]) -> None:
        self.markets, self.conventions = markets, conventions
        self.least = Decimal(conventions["mid_min_qty"])
        self.views = {symbol: View() for symbol in markets}
        basis, init = conventions["cost_basis"], conventions["ema_init"]
        self.ledgers = {symbol: Ledger(market, cost_basis=basis) for symbol, market in markets.items()}
        self.tapes = {symbol: Tape(Ema(span=EMA_SPAN, init=init)) for symbol in markets}
        self.marks: dict[str, Row] = {}
        self.rates: dict[tuple[str, str], Decimal] = {}
        self.wallet: dict[str, Decimal] = {}
        self.transferred = Decimal(0)
        self._booked: dict[str, Booked] = {}
        self._mids: dict[str, list[tuple[int, Decimal]]] = {symbol: [] for symbol in markets}

    def position(self, symbol: str) -> Decimal:
        """The signed position."""
        return self.ledgers[symbol].position

    def rate(self, asset: str, currency: str) -> Decimal:
        """The last known rate: direct, else the inverse pair's, else through one currency between."""
        if asset == currency:
            return Decimal(1)
        if (asset, currency) in self.rates:
            return self.rates[asset, currency]
        if (currency, asset) in self.rates:
            return 1 / self.rates[currency, asset]
        between = next(middle for known, middle in self.rates if known == asset)
        return self.rates[asset, between] * self.rate(between, currency)

    # Public data

    def see_book(self, symbol: str, rows: list[Row]) -> None:
        """Take in an update of a book."""
        view = self.views[symbol]
        view.apply(rows)
        mid = view.mid(self.least)
        if mid is not None and self.conventions["trade_sign"] == "lee_ready":
            self._mids[symbol].append((view.ts_exchange, mid))

    def see_trade(self, row: Row) -> Row:
        """Classify a trade, let it enter the signals unless it is smaller than an order may be; return its claim."""
        market, used = self.markets[row["symbol"]], row["qty"] >= self.markets[row["symbol"]].min_qty
        tape = self.tapes[market.symbol]
        sign = self.conventions["trade_sign"]
        tick = tape.tick(row["ts_exchange"], row["price"])
        side = row["aggressor"] if sign == "venue" else tick
        if sign == "lee_ready":
            mid = self._mid_before(market.symbol, row["ts_exchange"])
            if mid is not None and mid != row["price"]:
                side = "buy" if row["price"] > mid else "sell"
        if used:
            tape.add(ts_exchange=row["ts_exchange"], ts_local=row["ts_local"], price=row["price"], qty=row["qty"])
        reason = None if used else "below min_qty"
        return {"trade_id": row["trade_id"], "symbol": market.symbol, "side": side, "used": used, "reason": reason}

    def _mid_before(self, symbol: str, ts_exchange: int) -> Decimal | None:
        """The mid in force when a trade took place: the last one strictly before it."""
        mids = self._mids[symbol]
        place = bisect_left(mids, ts_exchange, key=lambda pair: pair[0])
        return mids[place - 1][1] if place else None

    def price(self, symbol: str, kind: str) -> Decimal | None:
        """The price that a convention names; to exit, a long sells at the best bid, a short buys at the best ask."""
        if kind == "mid":
            return self.views[symbol].mid(self.least)
        if kind == "exit":
            (bid, ask), position = self.views[symbol].best(), self.position(symbol)
            return bid if position > 0 else ask if position else None
        return self.marks[symbol][kind] if symbol in self.marks else None

    # Money

    def book(self, row: Row) -> Booked | None:
        """Book an execution once, however often it is reported; restate the one that a correction or bust names.

        Returns
        -------
        Booked or None
            By how much the order's executions change, and at which price; None for a report that was booked before.
        """
        if row["exec_id"] in self._booked:
            return None
        market, ledger = self.markets[row["symbol"]], self.ledgers[row["symbol"]]
        direction = 1 if row["side"] == "buy" else -1
        qty = Decimal(0) if row["kind"] == "bust" else row["qty"]
        self._booked[row["exec_id"]] = booked = Booked(qty, row["price"], row)
        fee, base_fee = row["fee"], Decimal(0)
        if market.kind == "spot" and row["fee_asset"] == market.base:
            base_fee = row["fee"]
            fee *= row["price"]
        elif row["fee_asset"] != market.settle:
            fee *= self.rate(row["fee_asset"], market.settle)
        rate = self.rate(market.settle, CURRENCY)
        was = self._booked.get(row["correction_of"])
        if was:
            ledger.restate(row["correction_of"], direction * qty, row["price"])
        else:
            ledger.execute(row["exec_id"], Execution(direction * qty - base_fee, row["price"], rate))
        ledger.pay_fee(fee, rate)
        if market.kind == "spot":
            qty_was, value_was = (was.qty, was.qty * was.price) if was else (Decimal(0), Decimal(0))
            self.wallet[market.base] += direction * (qty - qty_was)
            self.wallet[market.quote] -= direction * (qty * row["price"] - value_was)
            self.wallet[row["fee_asset"]] -= row["fee"]
        return booked

    def booked(self, exec_id: str) -> Booked:
        """What was booked of an execution."""
        return self._booked[exec_id]

    def receive_funding(self, row: Row) -> None:
        """Book a funding payment."""
        self.ledgers[row["symbol"]].receive_funding(row["amount"], self.rate(row["asset"], CURRENCY))

    def receive_transfer(self, row: Row) -> None:
        """Book money that was moved in or out."""
        self.wallet[row["asset"]] += row["amount"]
        self.transferred += row["amount"] * self.rate(row["asset"], CURRENCY)

    def equity(self) -> Decimal:
        """What all is worth: the wallet, and what the derivatives have gained."""
        total = sum((qty * self.rate(asset, CURRENCY) for asset, qty in self.wallet.items()), Decimal(0))
        for symbol, market in self.markets.items():
            if market.kind != "spot" and symbol in self.marks:
                own = self.ledgers[symbol]
                gain = own.settled.realized - own.settled.fees + own.settled.funding
                gain += own.unrealized(self.marks[symbol]["mark"])
                total += gain * self.rate(market.settle, CURRENCY)
        return total
