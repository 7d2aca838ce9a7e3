"""What may be sent: exposure, liquidation price, the venue's rate limit, and a breaker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal, localcontext

from bot.money import KINDS, ROUND, WIDE, number, one_of, positive, unsigned
from bot.prices import SIDES


def exposure(position: Decimal, open_orders: Iterable[tuple[str, Decimal]]) -> tuple[Decimal, Decimal]:
    """Give the position if all open buys filled and no sale, and if all open sales filled and no buy."""
    longest = shortest = number(position)
    with localcontext(WIDE):
        for side, leaves_qty in open_orders:
            if one_of(side, SIDES) == "buy":
                longest += unsigned(leaves_qty)
            else:
                shortest -= unsigned(leaves_qty)
    return longest, shortest


def liquidation_price(
    qty: Decimal,
    avg_px: Decimal | None,
    margin: Decimal,
    maintenance_rate: Decimal,
    kind: str = "linear",
    multiplier: Decimal | int = 1,
    maintenance_amount: Decimal | int = 0,
) -> Decimal | None:
    """Solve margin + unrealized P&L = maintenance_rate x notional - maintenance_amount for the price.

    The notional is the one at that price. An inverse contract is solved for 1 / price, in which a long loses.
    """
    inverse, rate = one_of(kind, KINDS) == "inverse", unsigned(maintenance_rate)
    if rate >= 1:
        raise ValueError("a maintenance rate of 1 or more")
    with localcontext(WIDE):
        cushion = unsigned(margin) + unsigned(maintenance_amount)
        size = number(qty) * positive(multiplier)
        if not size:
            return None
        entry, direction = positive(avg_px), 1 if size > 0 else -1
        if inverse:
            entry, direction = 1 / entry, -direction
        price = (entry - direction * cushion / abs(size)) / (1 - direction * rate)
        if price <= 0:
            return None
        return ROUND.plus(1 / price if inverse else price)


class RateLimiter:
    """Grants requests while the weight of the last `window_ns` stays within `limit`."""

    def __init__(self, limit: Decimal | int, window_ns: int) -> None:
        self._limit, self._window_ns = unsigned(limit), positive(window_ns)
        self._granted: deque[tuple[int, Decimal]] = deque()
        self._load = Decimal(0)
        self._newest: int | None = None

    def allow(self, ts_ns: int, weight: Decimal | int) -> bool:
        """Say whether a request of this weight may go now, and count it if so."""
        cost = unsigned(weight)
        if self._newest is not None and ts_ns < self._newest:
            raise ValueError("time runs backwards")
        self._newest = ts_ns
        while self._granted and self._granted[0][0] <= ts_ns - self._window_ns:
            self._load -= self._granted.popleft()[1]
        if self._load + cost > self._limit:
            return False
        self._granted.append((ts_ns, cost))
        self._load += cost
        return True


class Breaker:
    """Trips at its threshold, and stays tripped until it is reset after the cool-down."""

    def __init__(self, threshold: Decimal, cooldown_ns: int) -> None:
        self._threshold, self._cooldown_ns = number(threshold), unsigned(cooldown_ns)
        self._tripped_ns = 0
        self.tripped = False

    def update(self, ts_ns: int, value: Decimal | None) -> None:
        """Look at the metric; what is no number trips too."""
        try:
            passed = number(value) >= self._threshold
        except ValueError:
            passed = True
        if passed and not self.tripped:
            self.tripped, self._tripped_ns = True, ts_ns

    def reset(self, ts_ns: int) -> None:
        """Close it again once the cool-down is over; before that it does nothing."""
        if ts_ns - self._tripped_ns >= self._cooldown_ns:
            self.tripped = False
