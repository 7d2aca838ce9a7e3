"""The state of one order, and the map of the transitions that are legal.

FIX 4.4 by way of the session's events. A partial and a full fill are told apart by what is left of the order, not by
the name of the report. Two reports stand outside the map, since they change no state: an execution that was booked
before, and one that the last report has overtaken (its quantity is in the `cum_qty` that is known already).

References
----------
FIX 4.2 and 4.4, appendix D, "Order state change matrices".
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from mmverify.errors import IllegalTransition, Undefined
from mmverify.replay import KINDS, Number, exact

OPEN = ("PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
STATES = OPEN + DONE
#: Stands for the state of an order that is not there yet.
NONE = "(none)"

_CANCEL = "the cancel is still open"
_REPLACE = "the replace is still open"
_BY_CUM_QTY = "by cum_qty"
_MAP = (
    # event, states before, states after, on condition that
    ("submit", NONE, "PENDING_NEW", ""),
    ("ack", "PENDING_NEW", "NEW", ""),
    ("ack", "NEW PARTIALLY_FILLED PENDING_CANCEL PENDING_REPLACE done", "unchanged", ""),
    ("reject", "PENDING_NEW PENDING_CANCEL", "REJECTED", ""),
    ("partial_fill", "PENDING_NEW NEW PARTIALLY_FILLED", "PARTIALLY_FILLED", ""),
    ("partial_fill", "PENDING_CANCEL PENDING_REPLACE", "unchanged PARTIALLY_FILLED", ""),
    ("partial_fill", "CANCELED EXPIRED REJECTED", "unchanged", "late"),
    ("partial_fill", "FILLED", "unchanged", "repeated, or overtaken by the last one"),
    ("fill", "open", "FILLED", ""),
    ("fill", "CANCELED EXPIRED", "unchanged", "late"),
    ("cancel_request", "PENDING_NEW NEW PARTIALLY_FILLED PENDING_REPLACE", "PENDING_CANCEL", ""),
    ("cancel_request", "PENDING_CANCEL", "unchanged", "sent again"),
    ("cancel_ack", "PENDING_CANCEL", "CANCELED", ""),
    ("cancel_ack", "PARTIALLY_FILLED", "CANCELED", _CANCEL),
    ("cancel_ack", "CANCELED EXPIRED", "unchanged", ""),
    ("cancel_reject", "PENDING_CANCEL", "NEW PARTIALLY_FILLED", _BY_CUM_QTY),
    ("cancel_reject", "PENDING_CANCEL", "PENDING_NEW", "never acknowledged, nothing filled"),
    ("cancel_reject", "PARTIALLY_FILLED", "NEW PARTIALLY_FILLED", f"{_CANCEL}; {_BY_CUM_QTY}"),
    ("cancel_reject", "done", "unchanged", ""),
    ("replace_request", "NEW PARTIALLY_FILLED", "PENDING_REPLACE", ""),
    ("replace_ack", "PENDING_REPLACE", "NEW PARTIALLY_FILLED", _BY_CUM_QTY),
    ("replace_ack", "PENDING_REPLACE", "FILLED", "the new qty is at or below cum_qty"),
    ("replace_ack", "PARTIALLY_FILLED", "NEW PARTIALLY_FILLED", f"{_REPLACE}; {_BY_CUM_QTY}"),
    ("replace_ack", "PARTIALLY_FILLED", "FILLED", f"{_REPLACE}; the new qty is at or below cum_qty"),
    ("replace_ack", "PENDING_CANCEL", "unchanged", ""),
    ("replace_ack", "FILLED", "PARTIALLY_FILLED", "the new qty is above cum_qty"),
    ("replace_reject", "PENDING_REPLACE", "NEW PARTIALLY_FILLED", _BY_CUM_QTY),
    ("replace_reject", "PARTIALLY_FILLED", "NEW PARTIALLY_FILLED", f"{_REPLACE}; {_BY_CUM_QTY}"),
    ("replace_reject", "PENDING_CANCEL done", "unchanged", ""),
    ("expire", "open", "EXPIRED", ""),
    ("exchange_cancel", "open", "CANCELED", ""),
    ("liquidation", "open", "CANCELED", ""),
    ("timeout", "PENDING_NEW PENDING_CANCEL PENDING_REPLACE", "unchanged", ""),
    ("reconcile", f"{NONE} open done", "open done", "as the venue reports it"),
)
_GROUPS = {"open": OPEN, "done": DONE}
EVENTS = tuple(dict.fromkeys(event for event, *_ in _MAP))


class Transition(NamedTuple):
    """One legal step: in the state `before` the `event` may lead to the state `after`, on a condition (or ``""``)."""

    event: str
    before: str
    after: str
    condition: str


def transitions() -> Iterator[Transition]:
    """Give the map, a step at a time.

    Yields
    ------
    Transition
        In the order of events as an order lives through them.
    """
    for event, befores, afters, condition in _MAP:
        for before in _expand(befores):
            for after in _expand(afters):
                yield Transition(event, before, before if after == "unchanged" else after, condition)


def _expand(words: str) -> list[str]:
    return [state for word in words.split() for state in _GROUPS.get(word, (word,))]


@cache
def legal(state: str, event: str) -> frozenset[str]:
    """Look up where an event may lead.

    Parameters
    ----------
    state : str
        The state before, one of `STATES` or `NONE`.
    event : str
        One of `EVENTS`. A repeated or overtaken fill leaves any state as it is and is not asked for here.

    Returns
    -------
    frozenset[str]
        The states after it that the map allows, on whatever condition; empty where the event is illegal.

    Raises
    ------
    Undefined
        If the state or the event is none that the map knows.
    """
    if event not in EVENTS or state not in (NONE, *STATES):
        raise Undefined(f"event {event!r} in state {state!r} is not defined")
    return frozenset(step.after for step in transitions() if (step.before, step.event) == (state, event))


class Order:
    """An order from its submission on.

    Where the map leaves a choice, a pending cancel or replace outranks a partial fill, as in FIX.

    Parameters
    ----------
    side : {"buy", "sell"}
        Of the order.
    price : Number
        Its limit, > 0. [quote/base]
    qty : Number
        Its quantity, > 0. [base or contracts]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract: the average price of an inverse one is harmonic.

    Attributes
    ----------
    side : str
        As submitted.
    price, qty : Fraction
        As submitted or last replaced. [quote/base; base or contracts]
    state : str
        One of `STATES`; PENDING_NEW at first.
    cum_qty : Fraction
        Filled so far: the distinct executions, or what the venue says of them where that is more. [base or contracts]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """

    def __init__(self, side: str, price: Number, qty: Number, kind: str = "linear") -> None:
        if side not in ("buy", "sell") or kind not in KINDS:
            raise Undefined(f"an order of side {side!r} in a {kind!r} contract is not defined")
        self.side, self._inverse = side, kind == "inverse"
        self.price, self.qty = _terms(price, qty)
        self.state = "PENDING_NEW"
        self.cum_qty = Fraction(0)
        self._booked = Fraction(0)  # sum of the distinct executions; below cum_qty while one is overtaken
        self._worth = Fraction(0)  # their sum of qty x price, of qty / price if inverse
        self._seen: set[str] = set()
        self._acknowledged = self._cancelling = False
        self._asked: tuple[Fraction, Fraction] | None = None  # price and qty of a replace that is still open

    @property
    def leaves_qty(self) -> Fraction:
        """What is left to be filled: qty - cum_qty while open, 0 when done. [base or contracts]"""
        return Fraction(0) if self.state in DONE else self.qty - self.cum_qty

    @property
    def avg_px(self) -> Fraction | None:
        """VWAP of the executions, harmonic for an inverse contract, None before the first. [quote/base]"""
        if not self._booked:
            return None
        return self._booked / self._worth if self._inverse else self._worth / self._booked

    def apply(
        self,
        event: str,
        *,
        qty: Number | None = None,
        price: Number | None = None,
        exec_id: str | None = None,
        cum_qty: Number | None = None,
    ) -> None:
        """Apply an event, or raise and change nothing.

        Parameters
        ----------
        event : str
            One of `EVENTS` but submit, which is the constructor. ``reconcile`` confirms the state that there is.
        qty, price : Number, optional
            Of a fill, its own (both needed). Of a replace_request, those asked for; of a replace_ack, those given; left
            out, the ones before. A qty below `cum_qty` counts as `cum_qty`. Not read with any other event.
        exec_id : str, optional
            Of the report; one that was applied before changes nothing. A fill needs it.
        cum_qty : Number, optional
            The venue's running total with this fill. Where it is more than the executions booked, the ones between are
            late, and when they come they move no quantity. Not read with any other event.

        Raises
        ------
        IllegalTransition
            If the map does not allow the event in this state, or more would be filled than `qty`.
        Undefined
            If the event is unknown or a number is outside its domain.
        """
        legal(self.state, event)
        if exec_id is not None and exec_id in self._seen:
            return
        if event in ("partial_fill", "fill"):
            self._fill(qty, price, exec_id, cum_qty)
        else:
            self._answer(event, qty, price)
        if exec_id is not None:
            self._seen.add(exec_id)

    def _fill(self, qty: Number | None, price: Number | None, exec_id: str | None, reported: Number | None) -> None:
        if qty is None or price is None or exec_id is None:
            raise Undefined("a fill without qty, price or exec_id is not defined")
        last_px, last_qty = _terms(price, qty)
        booked = self._booked + last_qty
        total = booked if reported is None else exact(reported)
        if total < last_qty:
            raise Undefined(f"a fill of {last_qty} with cum_qty {total} is not defined")
        cum_qty = max(self.cum_qty, booked, total)
        if cum_qty > self.qty:
            raise IllegalTransition(f"cum_qty would be {cum_qty}; should be at most qty, {self.qty}")
        if cum_qty > self.cum_qty:
            self.state = self._after("fill" if cum_qty == self.qty else "partial_fill", cum_qty, self.qty)
        self.cum_qty, self._booked = cum_qty, booked
        self._worth += last_qty / last_px if self._inverse else last_qty * last_px

    def _answer(self, event: str, qty: Number | None, price: Number | None) -> None:
        answered = {"cancel": self._cancelling, "replace": self._asked is not None}
        request, _, answer = event.partition("_")
        if self.state == "PARTIALLY_FILLED" and answer in ("ack", "reject") and not answered[request]:
            raise IllegalTransition(f"{event} in {self.state}, where no {request} is open")
        new_price, new_qty = self.price, self.qty
        if event in ("replace_request", "replace_ack"):
            asked_price, asked_qty = self._asked if self._asked and event == "replace_ack" else (self.price, self.qty)
            new_price, new_qty = _terms(asked_price if price is None else price, asked_qty if qty is None else qty)
        if event == "replace_ack":
            if self.state == "FILLED" and new_qty <= self.cum_qty:
                raise IllegalTransition(f"replace_ack of a filled order to {new_qty}; should be above {self.cum_qty}")
            new_qty = max(new_qty, self.cum_qty)
            state = self._after(event, self.cum_qty, new_qty)
            self.price, self.qty = new_price, new_qty
        else:
            state = self._after(event, self.cum_qty, self.qty)
        if request == "cancel":
            self._cancelling = event == "cancel_request"
        elif request == "replace":
            self._asked = (new_price, new_qty) if event == "replace_request" else None
        self._acknowledged |= event == "ack"
        self.state = state

    def _after(self, event: str, cum_qty: Fraction, qty: Fraction) -> str:
        allowed = legal(self.state, event)
        if not allowed:
            raise IllegalTransition(f"{event} in {self.state} is not in the map")
        if self.state in allowed and event != "replace_ack":
            return self.state
        resting = "NEW" if self._acknowledged else "PENDING_NEW"
        by_quantity = ["FILLED"] * (cum_qty == qty) + ["PARTIALLY_FILLED"] * (cum_qty > 0) + [resting]
        return next((state for state in by_quantity if state in allowed), min(allowed))


def _terms(price: Number, qty: Number) -> tuple[Fraction, Fraction]:
    exact_price, exact_qty = exact(price), exact(qty)
    if exact_price <= 0 or exact_qty <= 0:
        raise Undefined(f"price {price} with quantity {qty} is not defined")
    return exact_price, exact_qty
