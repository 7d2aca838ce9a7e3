"""The bot's own books of one market: distinct executions, lots, and the profit and loss that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from mmverify.simulate.venue import Market


class Lot(NamedTuple):
    """A part of the position: signed quantity, and the worth of one unit when it was opened."""

    qty: Fraction
    worth: Fraction


@dataclass(frozen=True)
class Execution:
    """What a fill did: the signed change of position (a base fee is in it), its price, the conversion rate then."""

    moved: Decimal
    price: Decimal
    rate: Fraction


@dataclass(frozen=True)
class Amounts:
    """Realized P&L, fees (cost positive) and funding (received positive), exact and cumulative."""

    realized: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    funding: Fraction = Fraction(0)

    def times(self, rate: Fraction) -> Amounts:
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
        self.position = Decimal(0)
        self.settled, self.converted = Amounts(), Amounts()

    def execute(self, exec_id: str, execution: Execution) -> None:
        """Book a new execution."""
        self.executions[exec_id] = execution
        self.position += execution.moved
        self._trade(execution)

    def restate(self, exec_id: str, moved: Decimal, price: Decimal) -> None:
        """Correct an execution where it stands, and match all lots as if it had always been so."""
        self.position += moved - self.executions[exec_id].moved
        self.executions[exec_id] = replace(self.executions[exec_id], moved=moved, price=price)
        self.lots = []
        self.settled = replace(self.settled, realized=Fraction(0))
        self.converted = replace(self.converted, realized=Fraction(0))
        for execution in self.executions.values():
            self._trade(execution)

    def pay_fee(self, fee: Fraction, rate: Fraction) -> None:
        """Add a fee, or the change of one."""
        self.settled = replace(self.settled, fees=self.settled.fees + fee)
        self.converted = replace(self.converted, fees=self.converted.fees + fee * rate)

    def receive_funding(self, amount: Fraction, rate: Fraction) -> None:
        """Add a funding payment."""
        self.settled = replace(self.settled, funding=self.settled.funding + amount)
        self.converted = replace(self.converted, funding=self.converted.funding + amount * rate)

    def unrealized(self, price: Decimal) -> Fraction:
        """Gain of the open lots, were they closed at `price`."""
        worth = self._worth(price)
        return sum(((worth - lot.worth) * lot.qty for lot in self.lots), Fraction(0)) * Fraction(self.market.multiplier)

    def _worth(self, price: Decimal) -> Fraction:
        """Worth of one unit, up to a constant: price, or -1 / price for an inverse contract (a harmonic mean)."""
        return -1 / Fraction(price) if self.market.kind == "inverse" else Fraction(price)

    def _trade(self, execution: Execution) -> None:
        worth, move, gain = self._worth(execution.price), Fraction(execution.moved), Fraction(0)
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
            qty = sum(lot.qty for lot in self.lots)
            self.lots = [Lot(Fraction(qty), sum((lot.qty * lot.worth for lot in self.lots), Fraction(0)) / qty)]
        gain *= Fraction(self.market.multiplier)
        self.settled = replace(self.settled, realized=self.settled.realized + gain)
        self.converted = replace(self.converted, realized=self.converted.realized + gain * execution.rate)
