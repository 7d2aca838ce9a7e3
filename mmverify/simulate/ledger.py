"""The bot's own books of one market: distinct executions, lots, and the profit and loss that follows from them.

Amounts are decimals of fifty digits: what a division leaves out is far below anything that is ever claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from mmverify.simulate.markets import Market

FIFTY_DIGITS = Context(prec=50)
NOTHING = Decimal(0)


class Lot(NamedTuple):
    """A part of the position: signed quantity, and the worth of one unit when it was opened."""

    qty: Decimal
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    """What a fill did: the signed change of position (a base fee is in it), its price, the conversion rate then."""

    moved: Decimal
    price: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Amounts:
    """Realized P&L, fees (cost positive) and funding (received positive), cumulative."""

    realized: Decimal = NOTHING
    fees: Decimal = NOTHING
    funding: Decimal = NOTHING

    def times(self, rate: Decimal) -> Amounts:
        """All three in another currency."""
        return Amounts(self.realized * rate, self.fees * rate, self.funding * rate)


class Ledger:
    """Positions and money of one market, in its settlement currency and as converted at each booking's own rate.

    Parameters
    ----------
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing execution closes.
    """

    def __init__(self, market: Market, *, cost_basis: str) -> None:
        self.market, self.cost_basis = market, cost_basis
        self.executions: dict[str, Execution] = {}
        self.lots: list[Lot] = []
        self.position = NOTHING
        self.settled, self.converted = Amounts(), Amounts()

    def execute(self, exec_id: str, execution: Execution) -> None:
        """Book a new execution."""
        self.executions[exec_id] = execution
        self.position += execution.moved
        with localcontext(FIFTY_DIGITS):
            self._trade(execution)

    def restate(self, exec_id: str, moved: Decimal, price: Decimal) -> None:
        """Correct an execution where it stands, and match all lots as if it had always been so."""
        self.position += moved - self.executions[exec_id].moved
        self.executions[exec_id] = replace(self.executions[exec_id], moved=moved, price=price)
        self.lots = []
        self.settled = replace(self.settled, realized=NOTHING)
        self.converted = replace(self.converted, realized=NOTHING)
        with localcontext(FIFTY_DIGITS):
            for execution in self.executions.values():
                self._trade(execution)

    def pay_fee(self, fee: Decimal, rate: Decimal) -> None:
        """Add a fee, or the change of one."""
        with localcontext(FIFTY_DIGITS):
            self.settled = replace(self.settled, fees=self.settled.fees + fee)
            self.converted = replace(self.converted, fees=self.converted.fees + fee * rate)

    def receive_funding(self, amount: Decimal, rate: Decimal) -> None:
        """Add a funding payment."""
        with localcontext(FIFTY_DIGITS):
            self.settled = replace(self.settled, funding=self.settled.funding + amount)
            self.converted = replace(self.converted, funding=self.converted.funding + amount * rate)

    def unrealized(self, price: Decimal) -> Decimal:
        """Gain of the open lots, were they closed at `price`."""
        with localcontext(FIFTY_DIGITS):
            worth = self._worth(price)
            return sum(((worth - lot.worth) * lot.qty for lot in self.lots), NOTHING) * self.market.multiplier

    def _worth(self, price: Decimal) -> Decimal:
        """Worth of one unit, up to a constant: price, or -1 / price for an inverse contract (a harmonic mean)."""
        return -1 / price if self.market.kind == "inverse" else price

    def _trade(self, execution: Execution) -> None:
        worth, move, gain = self._worth(execution.price), execution.moved, NOTHING
        matched = -1 if self.cost_basis == "lifo" else 0
        while move and self.lots and self.lots[0].qty * move < 0:
            lot = self.lots[matched]
            closed = max(-move, lot.qty) if move > 0 else min(-move, lot.qty)
            gain += (worth - lot.worth) * closed
            move += closed
            if closed == lot.qty:
                del self.lots[matched]
            else:
                self.lots[matched] = lot._replace(qty=lot.qty - closed)
        if move:
            self.lots.append(Lot(move, worth))
        if self.cost_basis == "average" and len(self.lots) > 1:
            qty = sum((lot.qty for lot in self.lots), NOTHING)
            self.lots = [Lot(qty, sum((lot.qty * lot.worth for lot in self.lots), NOTHING) / qty)]
        gain *= self.market.multiplier
        self.settled = replace(self.settled, realized=self.settled.realized + gain)
        self.converted = replace(self.converted, realized=self.converted.realized + gain * execution.rate)
