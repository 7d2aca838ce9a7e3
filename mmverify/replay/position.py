r"""A position, booked fill by fill: quantity, average price, realized P&L and fees, exact.

With the value of a price v = p (linear, spot, quanto) or v = -1/p (inverse), signed fills d and the cost c of the open
lots, the sum of their signed quantity times the value that each was opened at,

.. math:: \text{realized} = \left( c - \sum d \, v \right) m

for what was paid is either still in the lots or was won or lost. A flat position has no cost, so whatever fractions
averaging has made vanish there. A fill against the position closes lots as `cost_basis` says and opens what is left of
it on the other side at its own price.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from mmverify.errors import Undefined
from mmverify.replay import KINDS, Number, exact


class Position:
    """A position in one contract.

    Parameters
    ----------
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing fill takes.

    Attributes
    ----------
    qty : Fraction
        Signed, long > 0. [base or contracts]
    fees : Fraction
        Sum of the fees, cost > 0, a rebate < 0. [as passed]

    Raises
    ------
    Undefined
        If the kind or the cost basis is unknown or the multiplier not above 0.
    """

    def __init__(self, kind: str, multiplier: Number, cost_basis: str) -> None:
        self._size = exact(multiplier)
        if kind not in KINDS or cost_basis not in ("fifo", "lifo", "average") or self._size <= 0:
            raise Undefined(f"{kind} position by {cost_basis} with multiplier {multiplier} is not defined")
        self._inverse, self._cost_basis = kind == "inverse", cost_basis
        self.qty = Fraction(0)
        self.fees = Fraction(0)
        self._lots: deque[tuple[Fraction, Fraction]] = deque()  # signed quantity, value; the oldest first
        self._cost = Fraction(0)
        self._paid = Fraction(0)
        self._seen: set[str] = set()

    @property
    def avg_px(self) -> Fraction | None:
        """Average price of the open lots, harmonic for an inverse contract, None when flat. [quote/base]"""
        if not self.qty:
            return None
        return -self.qty / self._cost if self._inverse else self._cost / self.qty

    @property
    def realized(self) -> Fraction:
        """P&L realized so far, gross of fees. [quote, or base if inverse, or the settlement coin if quanto]"""
        return (self._cost - self._paid) * self._size

    def fill(self, exec_id: str, side: str, price: Number, qty: Number, fee: Number) -> None:
        """Book an execution: O(1) lots, amortised.

        Parameters
        ----------
        exec_id : str
            One that was booked before changes nothing, whatever else the report says.
        side : {"buy", "sell"}
            Of the execution.
        price : Number
            Its price, > 0. [quote/base]
        qty : Number
            Its quantity, > 0. [base or contracts]
        fee : Number
            Its fee, cost > 0; summed, and left out of `qty` and `realized`.

        Raises
        ------
        Undefined
            If an input is outside its domain; nothing has changed then.
        """
        if exec_id in self._seen:
            return
        fill_px, fill_qty, fill_fee = exact(price), exact(qty), exact(fee)
        if side not in ("buy", "sell") or fill_px <= 0 or fill_qty <= 0:
            raise Undefined(f"a fill of side {side!r}, price {price}, quantity {qty} is not defined")
        self._seen.add(exec_id)
        self.fees += fill_fee
        signed_qty = fill_qty if side == "buy" else -fill_qty
        value = -1 / fill_px if self._inverse else fill_px
        self._paid += signed_qty * value
        self.qty += signed_qty
        self._match(signed_qty, value)

    def _match(self, left: Fraction, value: Fraction) -> None:
        lots = self._lots
        take, put_back = (lots.pop, lots.append) if self._cost_basis == "lifo" else (lots.popleft, lots.appendleft)
        while left and lots and (lots[0][0] < 0) != (left < 0):
            closed, entry = take()
            if abs(closed) > abs(left):
                put_back((closed + left, entry))
                closed = -left
            self._cost -= closed * entry
            left += closed
        if left:
            lots.append((left, value))
            self._cost += left * value
        if self._cost_basis == "average" and len(lots) > 1:
            lots.clear()
            lots.append((self.qty, self._cost / self.qty))
