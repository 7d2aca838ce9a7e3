"""The shortest story that passes a limit: the fewest orders in flight, and an order of arrival of what they wait for.

Whatever is in flight may arrive in any order. The position goes furthest towards one side when all orders of that side
fill before their cancels arrive, and none of the other side; one that may only reduce helps only while the position is
beyond flat on the other side, so it fills first. A few orders of these may be enough: the largest of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mmverify.checks.handwork import text
from mmverify.checks.orderflow_exposure import Exposure, Resting
from mmverify.checks.s2_2_work import order_name
from mmverify.numeric import decimal_text
from mmverify.replay.order_state import STATES

#: How an order's fill and the answer that it waits for arrive, so that the most is filled.
_ARRIVALS = {
    "": "{name} fills {qty}",
    "submit": "{name} arrives and fills {qty}",
    "cancel": "the cancel of {name} arrives after its fill of {qty}",
    "replace to more": "the replace of {name} arrives before its fill of {qty}",
    "replace to less": "the replace of {name} arrives after its fill of {qty}",
}


@dataclass(frozen=True)
class InFlight:
    """One open order at a moment, and what it waits for.

    Parameters
    ----------
    name : str
        Its id then.
    place : str
        ``order_events:41``, its newest row.
    direction : int
        +1 for a buy, -1 for a sell.
    left : Fraction
        The most that may still be filled of it.
    state : str
    waits : {"", "submit", "cancel", "replace to more", "replace to less"}
        What the venue has not answered.
    reduce_only : bool
    """

    name: str
    place: str
    direction: int
    left: Fraction
    state: str
    waits: str = ""
    reduce_only: bool = False


def step(position: Fraction, order: InFlight) -> Fraction:
    """Return the position once an order has filled all that it may."""
    if not order.reduce_only:
        return position + order.direction * order.left
    return position + order.direction * min(order.left, max(Fraction(0), -position * order.direction))


def furthest(position: Fraction, orders: Sequence[InFlight]) -> Fraction:
    """Return the position once all of these orders of one side have filled, those that may only reduce first."""
    for order in sorted(orders, key=lambda each: not each.reduce_only):
        position = step(position, order)
    return position


def adds(position: Fraction, orders: Sequence[InFlight], newest: InFlight) -> bool:
    """Say whether the position may go further with the newest order than with the others of its side alone."""
    mine = [each for each in orders if each.direction == newest.direction]
    return furthest(position, [*mine, newest]) != furthest(position, mine)


def shortest(
    position: Fraction, limit: Fraction, orders: Sequence[InFlight], *, newest: InFlight
) -> tuple[InFlight, ...]:
    """Return the fewest orders that may take the position past a limit together with the newest, in order of arrival.

    Parameters
    ----------
    position : Fraction
        Signed, long positive.
    limit : Fraction
        The most that is allowed on the newest order's side.
    orders : sequence of InFlight
        What is open beside it; those of the other side do not count.
    newest : InFlight
        The order that is being sent, part of every story.

    Returns
    -------
    tuple of InFlight
        Empty where all of them together stay within the limit. Of equal quantities those that are given first.
    """
    plain, reducing = _by_size(orders, newest)
    for count in range(len(plain) + len(reducing) + 1):
        for few in range(max(0, count - len(plain)), min(count, len(reducing)) + 1):
            chosen = [*reducing[:few], *plain[: count - few], newest]
            if furthest(position, chosen) * newest.direction > limit:
                return tuple(sorted(chosen, key=lambda each: not each.reduce_only))
    return ()


def _by_size(orders: Sequence[InFlight], newest: InFlight) -> tuple[list[InFlight], list[InFlight]]:
    """Return the orders of the newest one's side, the largest first: the ordinary ones, those that may only reduce."""
    mine = sorted((each for each in orders if each.direction == newest.direction), key=lambda each: -each.left)
    return [each for each in mine if not each.reduce_only], [each for each in mine if each.reduce_only]


def told(position: Fraction, limit: Fraction, orders: Sequence[InFlight], *, newest: InFlight) -> tuple[str, ...]:
    """Tell the shortest story in lines: its orders, their arrivals with the arithmetic, why no shorter one does it.

    Parameters
    ----------
    position, limit, orders, newest
        As of `shortest`.

    Returns
    -------
    tuple of str
        Empty where all orders together stay within the limit.
    """
    chosen = shortest(position, limit, orders, newest=newest)
    if not chosen:
        return ()
    lines, now, sign = [described(each) for each in chosen], position, "+" if newest.direction > 0 else "-"
    for number, order in enumerate(chosen, 1):
        after = step(now, order)
        filled = abs(after - now)
        event = _ARRIVALS[order.waits].format(name=order.name, qty=decimal_text(filled))
        short = "" if filled == order.left else f" of {decimal_text(order.left)}, no further than flat"
        lines.append(f"{number}. {event}{short}: {text(now)} {sign} {decimal_text(filled)} = {decimal_text(after)}")
        now = after
    lines[-1] += _beyond(now, limit, newest)
    lines.append(_no_shorter(position, len(chosen), orders, newest))
    every = [*(each for each in orders if each.direction == newest.direction), newest]
    if len(every) > len(chosen):
        most = furthest(position, every)
        lines.append(f"with all {len(every)} of its side: {decimal_text(most)}{_beyond(most, limit, newest)}")
    return tuple(lines)


def _beyond(position: Fraction, limit: Fraction, newest: InFlight) -> str:
    sign = newest.direction
    return f", {decimal_text(position * sign - limit)} {'above' if sign > 0 else 'below'} {decimal_text(limit * sign)}"


def described(order: InFlight) -> str:
    """Say what an order is: its place, side, what is left of it, its state."""
    side, kind = "buy" if order.direction > 0 else "sell", ", reduce_only" if order.reduce_only else ""
    return f"{order.place} {order.name}: {side}, {decimal_text(order.left)} left{kind}, {order.state}"


def _no_shorter(position: Fraction, count: int, orders: Sequence[InFlight], newest: InFlight) -> str:
    """Say how far the position may go with one order less."""
    if count == 1:
        return f"no shorter story: without {newest.name} the position is {decimal_text(position)}"
    plain, reducing = _by_size(orders, newest)
    least, most = max(0, count - 2 - len(plain)), min(count - 2, len(reducing))
    reach = max(
        furthest(position, [*reducing[:few], *plain[: count - 2 - few], newest]) * newest.direction
        for few in range(least, most + 1)
    )
    beside = {2: "alone", 3: "and any one other"}.get(count, f"and any {count - 2} others")
    return f"no shorter story: {newest.name} {beside} may take it to {decimal_text(reach * newest.direction)} at most"


def in_flight(
    known: Exposure, ask: int, others: Iterable[Resting], *, count: int
) -> tuple[Fraction, list[InFlight], InFlight]:
    """Return how an ask found things: the position, these other orders, and the order that it sends.

    Parameters
    ----------
    known : Exposure
    ask : int
        Its number in ``known.asks``.
    others : iterable of Resting
        Of ``known.others``.
    count : int
        How many reports were known.
    """
    asks, replayed = known.asks, known.flow
    row = int(asks.rows[ask])
    is_replace = bool(replayed.lives.previous[row] >= 0)
    newest = InFlight(
        order_name(replayed, row), replayed.table.where(row), int(asks.direction[ask]),
        Fraction(known.own(ask, count), 10**known.digits), "replaced now" if is_replace else "sent now",
        "replace to more" if is_replace else "submit", bool(asks.reduce_only[ask]),
    )  # fmt: skip
    held = known.executions.qty(int(known.executions.position[count]))
    return held, [_resting(known, each, count, row) for each in others], newest


def _resting(known: Exposure, order: Resting, count: int, row: int) -> InFlight:
    replayed, qty = known.flow, known.flow.table.decimals("qty")
    at = replayed.lives.newest(order.life, row)
    waits = "cancel" if order.is_canceling else "submit" if order.is_in_flight else ""
    if waits == "submit" and replayed.replace_open[at]:
        asked, was = int(replayed.asked[at]), int(replayed.qty_at[at])
        is_more = min(asked, was) >= 0 and qty.fraction(asked) > qty.fraction(was)
        waits = "replace to more" if is_more else "replace to less"
    left = Fraction(known.rest(order.life, order.most, count, row), 10**known.digits)
    return InFlight(
        order_name(replayed, at), replayed.table.where(at), order.direction, left, STATES[replayed.state[at]], waits,
        order.reduce_only,
    )  # fmt: skip
