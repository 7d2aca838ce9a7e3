"""The bot's account at the venue: executions, positions, wallet, funding, corrections, liquidation and ADL.

The wallet is the spot wallet, on margin: what derivatives gain and pay is settled in a wallet of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

from mmverify.simulate.clock import SECOND, Clock
from mmverify.simulate.fees import fee, rounded
from mmverify.simulate.markets import Market, Row
from mmverify.simulate.matching import Order

OPENING_WALLET = {"USDT": "100000", "BTC": "0", "BNB": "2", "ETH": "30", "EUR": "-2500"}
TRANSFER = Decimal(5000)
INITIAL_MARGIN = Decimal("0.02")  # of what a position cost, put up for it
RESTATED_AGE = 10 * SECOND  # of an execution that is restated

Tell = Callable[[str, list[Row]], None]


class Account:
    """What the venue has booked for the bot.

    Parameters
    ----------
    prices : Mapping of str to Decimal
        Marks by symbol and ``BNB`` in USDT, kept up by the crowd.
    tell : Callable
        Called with a table's name and rows of each message to the bot.
    """

    def __init__(
        self, clock: Clock, rng: Random, *, markets: Mapping[str, Market], prices: Mapping[str, Decimal], tell: Tell
    ) -> None:
        self._clock, self._rng, self._markets, self._prices, self._tell = clock, rng, markets, prices, tell
        self.positions = dict.fromkeys(markets, Decimal(0))
        self.wallet = {asset: Decimal(total) for asset, total in OPENING_WALLET.items()}
        self._costs = dict.fromkeys(markets, Decimal(0))
        self._executions: dict[str, Row] = {}
        self._restated: set[str] = set()
        self._numbers = 0

    def execute(self, order: Order, price: int, lots: int, liquidity: str, kind: str = "trade") -> Row:
        """Book an execution of an order of the bot's and return its report."""
        market = self._markets[order.symbol]
        into, length = self._clock.now - self._clock.start, self._clock.end - self._clock.start
        px, qty = market.price(price), market.qty(lots)
        amount, asset, rate = fee(
            market, side=order.side, price=px, qty=qty, liquidity=liquidity, into=into, length=length,
            bnb=self._prices["BNB"],
        )  # fmt: skip
        if kind == "adl":
            amount, rate = Decimal(0), Decimal(0)
        row = self._row(order.symbol, kind) | {"client_order_id": order.client_order_id, "order_id": order.order_id}
        row |= {"side": order.side, "price": px, "qty": qty, "liquidity": liquidity, "fee": amount, "fee_asset": asset}
        row |= {"fee_rate": rate, "order_qty": order.qty}
        self._book(row, qty, px * qty, market.notional(px, qty))
        self._executions[row["exec_id"]] = row
        return row

    def restate(self, symbol: str, kind: str) -> bool:
        """Correct an execution (a better price, a lot less) or bust it; one that made the position what it is.

        Not of an inverse contract: at which rate its change of P&L is converted is nowhere agreed.
        """
        market, position = self._markets[symbol], self.positions[symbol]
        if market.kind == "inverse":
            return False
        side = "buy" if position > 0 else "sell"
        for was in reversed(self._executions.values()):
            if was["symbol"] != symbol or was["side"] != side or was["fee_asset"] != market.settle:
                continue
            young = was["ts_exchange"] > self._clock.now - RESTATED_AGE
            if young or was["kind"] != "trade" or was["qty"] > abs(position) or was["exec_id"] in self._restated:
                continue
            better = -market.tick_size if side == "buy" else market.tick_size
            price, qty = was["price"] + better, max(was["qty"] - market.lot_size, market.lot_size)
            usual = market.maker_fee if was["liquidity"] == "maker" else market.taker_fee
            rate = usual if was["fee_rate"] is None else was["fee_rate"]
            if kind == "bust":
                price, qty = was["price"], was["qty"]
            held = qty if kind == "correction" else Decimal(0)
            owed = rounded(rate * market.notional(price, held))
            row = {**was, **self._row(symbol, kind), "price": price, "qty": qty, "fee": owed - was["fee"]}
            row["correction_of"] = was["exec_id"]
            self._restated.add(was["exec_id"])
            value = held * price - was["qty"] * was["price"]
            worth = market.notional(price, held) - market.notional(was["price"], was["qty"])
            self._book(row, held - was["qty"], value, worth)
            self._tell("fills", [row])
            return True
        return False

    def fund(self, symbol: str) -> None:
        """Pay funding: rate x notional at the mark; where the rate is positive longs pay shorts."""
        market, mark, position = self._markets[symbol], self._prices[symbol], self.positions[symbol]
        rate = Decimal(self._rng.randint(-30, 50)) / 1_000_000
        amount = rounded(-market.notional(mark, position) * rate)
        row = {"ts_exchange": self._clock.venue_now, "symbol": symbol, "rate": rate, "position": position}
        self._tell("funding", [{**row, "mark": mark, "amount": amount, "asset": market.settle}])

    def transfer(self, amount: Decimal) -> None:
        """Move money in (positive) or out."""
        self.wallet["USDT"] += amount
        kind = "deposit" if amount > 0 else "withdrawal"
        self._tell(
            "transfers", [{"ts_exchange": self._clock.venue_now, "asset": "USDT", "amount": amount, "kind": kind}]
        )

    def margin_call(self, symbol: str, maintenance: Decimal) -> int:
        """THE LIQUIDATION RULE: where margin + gain < maintenance x worth, half of the position is closed. [lots]"""
        market, position = self._markets[symbol], self.positions[symbol]
        worth, cost = market.notional(self._prices[symbol], abs(position)), self._costs[symbol]
        gain = worth - cost if (position > 0) == (market.kind == "linear") else cost - worth
        if not position or INITIAL_MARGIN * cost + gain >= maintenance * worth:
            return 0
        return (market.lots(abs(position)) + 1) // 2

    def publish(self) -> None:
        """Tell the bot its positions and balances."""
        positions = [{"symbol": symbol, "qty": qty, "source": "exchange"} for symbol, qty in self.positions.items()]
        self._tell("positions", positions)
        balances = [{"asset": asset, "total": total, "source": "exchange"} for asset, total in self.wallet.items()]
        self._tell("balances", balances)

    def _row(self, symbol: str, kind: str) -> Row:
        self._numbers += 1
        row = {"ts_exchange": self._clock.venue_now, "symbol": symbol, "exec_id": f"e{self._numbers}", "kind": kind}
        return {**row, "correction_of": None}

    def _book(self, row: Row, qty: Decimal, value: Decimal, worth: Decimal) -> None:
        """Book an execution, or the change that a restatement makes: its quantity, value in quote, worth in settle."""
        market, moved = self._markets[row["symbol"]], qty if row["side"] == "buy" else -qty
        before = self.positions[market.symbol]
        self.positions[market.symbol] += moved
        if before * moved >= 0:
            self._costs[market.symbol] += abs(worth)
        elif abs(moved) <= abs(before):
            self._costs[market.symbol] *= 1 + moved / before
        else:
            self._costs[market.symbol] = abs(worth) * (1 + before / moved)
        if market.kind == "spot":
            self.wallet[market.base] += moved
            self.wallet[market.quote] -= value if row["side"] == "buy" else -value
            self.wallet[row["fee_asset"]] -= row["fee"]
            if row["fee_asset"] == market.base:
                self.positions[market.symbol] -= row["fee"]
