"""The life of an order, by FIX 4.4, and the ids that orders go by."""

from __future__ import annotations

import secrets
from decimal import Decimal, localcontext

from bot.money import KINDS, ROUND, WIDE, number, one_of, positive
from bot.prices import SIDES

OPEN = ("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
_RESTING = "what it rests as"  # by what is filled and acknowledged
_SAME = "what it was"
_CANCELABLE = ("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_REPLACE")
#: Of each event the states that it may come in, and the state after it.
_AFTER = {
    "ack": {state: _SAME for state in OPEN + DONE} | {"PENDING_NEW": "NEW"},
    "reject": dict.fromkeys(("PENDING_NEW", "PENDING_CANCEL"), "REJECTED"),
    "partial_fill": dict.fromkeys(("PENDING_NEW", "NEW", "PARTIALLY_FILLED"), "PARTIALLY_FILLED")
    | dict.fromkeys(("PENDING_CANCEL", "PENDING_REPLACE", "CANCELED", "EXPIRED", "REJECTED"), _SAME),
    "fill": dict.fromkeys(OPEN, "FILLED") | dict.fromkeys(("CANCELED", "EXPIRED"), _SAME),
    "cancel_request": dict.fromkeys(_CANCELABLE, "PENDING_CANCEL") | {"PENDING_CANCEL": _SAME},
    "cancel_ack": dict.fromkeys(("PENDING_CANCEL", "PARTIALLY_FILLED"), "CANCELED")
    | dict.fromkeys(("CANCELED", "EXPIRED"), _SAME),
    "cancel_reject": dict.fromkeys(("PENDING_CANCEL", "PARTIALLY_FILLED"), _RESTING) | dict.fromkeys(DONE, _SAME),
    "replace_request": dict.fromkeys(("NEW", "PARTIALLY_FILLED"), "PENDING_REPLACE"),
    "replace_ack": dict.fromkeys(("PENDING_REPLACE", "PARTIALLY_FILLED", "FILLED"), _RESTING)
    | {"PENDING_CANCEL": _SAME},
    "replace_reject": dict.fromkeys(("PENDING_REPLACE", "PARTIALLY_FILLED"), _RESTING)
    | dict.fromkeys(("PENDING_CANCEL", *DONE), _SAME),
    "expire": dict.fromkeys(OPEN, "EXPIRED"),
    "exchange_cancel": dict.fromkeys(OPEN, "CANCELED"),
    "liquidation": dict.fromkeys(OPEN, "CANCELED"),
    "timeout": dict.fromkeys(("PENDING_NEW", "PENDING_CANCEL", "PENDING_REPLACE"), _SAME),
    "reconcile": dict.fromkeys(OPEN + DONE, _SAME),
}


def order_id() -> str:
    """Make a client order id that no other call makes, in this process or another."""
    return f"mm-{secrets.token_hex(16)}"


class Order:
    """One order from its submission on."""

    def __init__(self, side: str, price: Decimal, qty: Decimal, kind: str = "linear") -> None:
        self.side, self._inverse = one_of(side, SIDES), one_of(kind, KINDS) == "inverse"
        self.price, self.qty = positive(price), positive(qty)
        self.state = "PENDING_NEW"
        self.cum_qty = Decimal(0)
        self._booked = self._worth = Decimal(0)
        self._reports: set[str] = set()
        self._acknowledged = False
        self._pending: dict[str, tuple[Decimal, Decimal]] = {}  # a cancel or replace without answer: price and qty

    @property
    def leaves_qty(self) -> Decimal:
        """Give what is left to be filled, 0 when done."""
        return Decimal(0) if self.state in DONE else WIDE.subtract(self.qty, self.cum_qty)

    @property
    def avg_px(self) -> Decimal | None:
        """Give the average price of the fills, harmonic for an inverse contract, None before the first."""
        if not self._booked:
            return None
        over, under = (self._booked, self._worth) if self._inverse else (self._worth, self._booked)
        return ROUND.divide(over, under)

    def on_report(
        self,
        event: str,
        qty: Decimal | None = None,
        price: Decimal | None = None,
        exec_id: str | None = None,
        cum_qty: Decimal | None = None,
    ) -> None:
        """Take a request of ours or a report of the venue, or raise and change nothing."""
        one_of(event, tuple(_AFTER))
        if exec_id is not None and exec_id in self._reports:
            return
        with localcontext(WIDE):
            if event in ("fill", "partial_fill"):
                if exec_id is None:
                    raise ValueError("a fill needs its exec_id")
                self._fill(positive(qty), positive(price), cum_qty)
            else:
                self._answer(event, qty, price)
        if exec_id is not None:
            self._reports.add(exec_id)

    def _fill(self, qty: Decimal, price: Decimal, venue_total: Decimal | None) -> None:
        booked = self._booked + qty
        total = booked if venue_total is None else number(venue_total)
        cum_qty = max(self.cum_qty, booked, total)
        if total < qty or cum_qty > self.qty:
            raise ValueError(f"{cum_qty} filled of {self.qty}")
        if cum_qty > self.cum_qty:
            self.state = self._after("fill" if cum_qty == self.qty else "partial_fill", cum_qty, self.qty)
        self.cum_qty, self._booked = cum_qty, booked
        self._worth += qty / price if self._inverse else qty * price

    def _answer(self, event: str, qty: Decimal | None, price: Decimal | None) -> None:
        request, _, answer = event.partition("_")
        if self.state == "PARTIALLY_FILLED" and answer in ("ack", "reject") and request not in self._pending:
            raise ValueError(f"{event} where no {request} was asked for")
        new_price, new_qty = self.price, self.qty
        if event in ("replace_request", "replace_ack"):
            now = (self.price, self.qty)
            asked = self._pending.get("replace", now) if event == "replace_ack" else now
            new_price = positive(asked[0] if price is None else price)
            new_qty = positive(asked[1] if qty is None else qty)
        if event == "replace_ack":
            if self.state == "FILLED" and new_qty <= self.cum_qty:
                raise ValueError("nothing is left of the order")
            new_qty = max(new_qty, self.cum_qty)
            self.state = self._after(event, self.cum_qty, new_qty)
            self.price, self.qty = new_price, new_qty
        else:
            self.state = self._after(event, self.cum_qty, self.qty)
        self._acknowledged |= event == "ack"
        if answer == "request":
            self._pending[request] = (new_price, new_qty)
        elif answer:
            self._pending.pop(request, None)

    def _after(self, event: str, cum_qty: Decimal, qty: Decimal) -> str:
        state = _AFTER[event].get(self.state)
        if state is None:
            raise ValueError(f"{event} in {self.state}")
        if state == _SAME:
            return self.state
        if state != _RESTING:
            return state
        if cum_qty:
            return "FILLED" if cum_qty == qty else "PARTIALLY_FILLED"
        return "NEW" if self._acknowledged else "PENDING_NEW"
