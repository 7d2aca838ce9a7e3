"""Money: notional, fees, funding, P&L, conversion, drawdown, and the position that fills make."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from itertools import accumulate

from bot.money import KINDS, ROUND, WIDE, number, one_of, positive, unsigned
from bot.prices import SIDES

COST_BASES = ("fifo", "lifo", "average")
Fill = tuple[str, Decimal, Decimal]


def notional(price: Decimal, qty: Decimal, kind: str = "linear", multiplier: Decimal | int = 1) -> Decimal:
    """Give the value of a quantity: in quote currency, in base for an inverse contract."""
    return ROUND.plus(_worth(price, unsigned(qty), kind, multiplier))


def fee(price: Decimal, qty: Decimal, rate: Decimal, kind: str = "linear", multiplier: Decimal | int = 1) -> Decimal:
    """Give the fee of an execution: a cost is positive, a rebate negative."""
    return ROUND.plus(_worth(price, unsigned(qty), kind, multiplier, number(rate)))


def funding(qty: Decimal, mark: Decimal, rate: Decimal, kind: str = "linear", multiplier: Decimal | int = 1) -> Decimal:
    """Give the funding of a signed position, received positive: a long pays a positive rate."""
    return ROUND.plus(_worth(mark, number(qty), kind, multiplier, number(rate).copy_negate()))


def _worth(price: Decimal, qty: Decimal, kind: str, multiplier: Decimal | int, rate: Decimal | int = 1) -> Decimal:
    with localcontext(WIDE):
        size = qty * positive(multiplier) * rate
        return size / positive(price) if one_of(kind, KINDS) == "inverse" else size * positive(price)


def unrealized_pnl(
    qty: Decimal, avg_px: Decimal | None, price: Decimal, kind: str = "linear", multiplier: Decimal | int = 1
) -> Decimal:
    """Give what a signed position gained since its entry."""
    if not number(qty):
        return _worth(price, Decimal(0), kind, multiplier)
    with localcontext(WIDE):
        gained = _value(price, kind) - _value(avg_px, kind)
        return ROUND.plus(gained * qty * positive(multiplier))


def _value(price: Decimal | None, kind: str) -> Decimal:
    """Give what a long of 1 is worth: its price, of an inverse contract -1 / price."""
    return -1 / positive(price) if one_of(kind, KINDS) == "inverse" else positive(price)


def realized_pnl(
    fills: Sequence[Fill], cost_basis: str, kind: str = "linear", multiplier: Decimal | int = 1
) -> Decimal:
    """Give the P&L of what was closed, gross of fees."""
    position = Position(kind, multiplier, cost_basis)
    for place, (side, price, qty) in enumerate(fills):
        if unsigned(qty):
            position.fill(str(place), side, price, qty, Decimal(0))
        else:
            one_of(side, SIDES), positive(price)
    return position.realized


def convert(amount: Decimal, asset: str, currency: str, rates: Mapping[tuple[str, str], Decimal]) -> Decimal:
    """Convert by the direct rate, else the inverse one, else through one other currency."""
    if asset == currency:
        return number(amount)
    with localcontext(WIDE):
        table = {(into, out): 1 / positive(rate) for (out, into), rate in rates.items()} | dict(rates)
        if (currency, asset) in rates and (asset, currency) not in rates:
            return ROUND.plus(number(amount) / rates[currency, asset])
        if (asset, currency) in rates:
            return ROUND.plus(number(amount) * rates[asset, currency])
        for out, through in sorted(table):
            if out == asset and (through, currency) in table:
                return ROUND.plus(number(amount) * table[asset, through] * table[through, currency])
    raise ValueError("no rate leads from one to the other")


def drawdown(equity: Sequence[Decimal]) -> list[Decimal | None]:
    """Give the fraction below the running maximum, None while that is not above 0."""
    known = [number(each) for each in equity]
    with localcontext(WIDE):
        pairs = zip(accumulate(known, max), known, strict=True)
        return [ROUND.plus((high - now) / high) if high > 0 else None for high, now in pairs]


class Position:
    """A position in one contract, booked fill by fill."""

    def __init__(self, kind: str, multiplier: Decimal | int, cost_basis: str) -> None:
        self._kind, self._size = one_of(kind, KINDS), positive(multiplier)
        self._basis = one_of(cost_basis, COST_BASES)
        self._lots: deque[tuple[Decimal, Decimal]] = deque()  # signed quantity and entry value, the oldest first
        self._gain = Decimal(0)
        self._booked: set[str] = set()
        self.qty, self.fees = Decimal(0), Decimal(0)

    @property
    def avg_px(self) -> Decimal | None:
        """Give the average entry price, harmonic for an inverse contract, None when flat."""
        if not self.qty:
            return None
        with localcontext(WIDE):
            value = sum(qty * value for qty, value in self._lots) / self.qty
            return ROUND.plus(-1 / value if self._kind == "inverse" else value)

    @property
    def realized(self) -> Decimal:
        """Give the P&L of what was closed, gross of fees."""
        return ROUND.multiply(self._gain, self._size)

    def fill(self, exec_id: str, side: str, price: Decimal, qty: Decimal, fee: Decimal) -> None:
        """Book an execution once; what is wrong is refused whole."""
        if exec_id in self._booked:
            return
        with localcontext(WIDE):
            value, left = _value(price, self._kind), positive(qty)
            left = left if one_of(side, SIDES) == "buy" else -left
            self.fees += number(fee)
            self._booked.add(exec_id)
            self.qty += left
            self._match(left, value)

    def _match(self, left: Decimal, value: Decimal) -> None:
        newest = -1 if self._basis == "lifo" else 0
        while left and self._lots and self._lots[newest][0] * left < 0:
            open_qty, entry = self._lots[newest]
            closed = -left if abs(left) < abs(open_qty) else open_qty
            self._gain += closed * (value - entry)
            left += closed
            if closed == open_qty:
                del self._lots[newest]
            else:
                self._lots[newest] = (open_qty - closed, entry)
        if left:
            self._lots.append((left, value))
        if self._basis == "average" and len(self._lots) > 1:
            cost = sum(qty * entry for qty, entry in self._lots)
            self._lots = deque([(self.qty, cost / self.qty)])
