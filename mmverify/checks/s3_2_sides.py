"""The side that the bot gives each public trade, by the rule that the session states (3.2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import places as places_of
from mmverify.checks.exact import total
from mmverify.checks.handwork import text
from mmverify.checks.s3_2_heard import Heard, heard
from mmverify.checks.s3_2_signs import Mids, Sides, Signs, Ticks, lee_ready_sides, mids, ticks
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session

_SHOWN = 3
_RULES = {"venue": "the venue's aggressor", "tick": "the tick rule", "lee_ready": "Lee-Ready's rule"}
_TURNED = {
    "venue": "the side of the order that rested was taken for the aggressor's",
    "tick": "the sign of every change of price is turned",
    "lee_ready": "trades above the mid were taken for sales, those below it for buys",
}


def trade_sides(session: Session) -> Looked:
    """The inferred side of a trade is the venue's aggressor, the tick rule's, or Lee-Ready's, as `trade_sign` says."""
    rule = session.convention("trade_sign")
    return gather(_judged(each, rule) for each in heard(session))


def _judged(given: Heard, rule: str) -> Looked:
    side = given.said.words("side")
    said = side.is_("buy")[given.rows].astype(np.int8) - side.is_("sell")[given.rows].astype(np.int8)
    tick = None if rule == "venue" else ticks(given.trades, given.line)
    feed = given.feed if rule == "lee_ready" else None
    book = mids(given, feed) if feed and len(feed.states) else None
    sides = _by_venue(given) if tick is None else tick.sides(given.places)
    sides = lee_ready_sides(given, book, sides) if book and tick else sides
    judged = (said != 0) & ~sides.unknown
    wrong = judged & ~np.where(said > 0, sides.buy, sides.sell)
    notes = given.notes
    if open_ := int(np.count_nonzero((said != 0) & sides.unknown)):
        words = "carry no aggressor" if tick is None else "come before the price first changes"
        notes.append(f"{given.symbol}: {open_} trades {words}; their sides are not judged")
    found = _breach(given, rule, said, judged, wrong, tick, book) if wrong.any() else None
    return Looked(int(judged.sum()), (found,) if found else (), tuple(notes))


def _by_venue(given: Heard) -> Sides:
    aggressor = given.trades.words("aggressor")
    buy, sell = (aggressor.is_(name)[given.reports] for name in ("buy", "sell"))
    return Sides(buy, sell, ~(buy | sell))


def _breach(
    given: Heard, rule: str, said: Signs, judged: Mask, wrong: Mask, tick: Ticks | None, book: Mids | None
) -> Breach:
    of = np.flatnonzero(wrong)
    first, turned = int(of[0]), {1: "sell", -1: "buy"}
    lines = [line for n in of[:_SHOWN].tolist() for line in _work(given, rule, n, tick, book)]
    qty = given.trades.decimals("qty")
    misplaced = Fraction(total(qty.ints[given.reports[of]]), 10**qty.scale)
    trade = given.said.words("trade_id").text(int(given.rows[first]))
    return Breach(
        key=given.symbol, where=places_of(given.said, given.rows[of].tolist()), count=len(of),
        was=f"the side of trade {trade} of {given.symbol} was {turned[-int(said[first])]}",
        should=f"{turned[int(said[first])]} by {_RULES[rule]}", work=tuple(lines), amount=None, currency="",
        loss=f"{decimal_text(misplaced)} of volume is on the wrong side of the flow, which is off by twice that; what "
        "leaning on it loses is not recorded",
        cause=_cause(given, rule, said, judged, wrong, tick),
    )  # fmt: skip


def _cause(given: Heard, rule: str, said: Signs, judged: Mask, wrong: Mask, tick: Ticks | None) -> str:
    """Return the mistakes each of which gives every judged trade the side that it has."""
    mistakes = _mistakes(given, rule, said, wrong, tick)
    return "; or ".join(words for words, signs in mistakes if np.array_equal(signs[judged], said[judged]))


def _mistakes(given: Heard, rule: str, said: Signs, wrong: Mask, tick: Ticks | None) -> Iterator[tuple[str, Signs]]:
    yield _TURNED[rule], np.where(wrong, said, 0).astype(np.int8)
    venue, signed = _by_venue(given), tick or ticks(given.trades, given.line)
    if rule != "venue":
        yield "the venue's aggressor was taken", venue.buy.astype(np.int8) - venue.sell.astype(np.int8)
    if rule != "tick":
        yield "the tick rule was used", signed.arrival[given.places]
    up = np.append(0, np.sign(np.diff(signed.prices))).astype(np.int8)[given.places]
    for words, sign in (("an uptick", 1), ("a downtick", -1)):
        yield f"a trade at the price of the one before was taken for {words}", np.where(up == 0, sign, up)
    for words, sign in (("buy", 1), ("sale", -1)):
        yield f"every trade was taken for a {words}", np.full(len(said), sign, dtype=np.int8)


def _work(given: Heard, rule: str, n: int, tick: Ticks | None, book: Mids | None) -> Iterator[str]:
    """Work the side of one trade."""
    row = int(given.reports[n])
    price, qty = (given.trades.decimals(name).fraction(row) for name in ("price", "qty"))
    what = f"{given.trades.where(row)}: {decimal_text(qty)} at {decimal_text(price)}"
    if tick is None:
        yield f"{what}, aggressor {given.trades.words('aggressor').text(row)}"
        return
    if book is not None and (line := _mid_work(given, book, n, price)):
        yield f"{what}, {line}"
        if not line.endswith("= 0, at the mid"):
            return
    elif book is not None or rule == "lee_ready":
        yield f"{what}, no mid before it"
    place = int(given.places[n])
    others = np.flatnonzero(tick.prices[:place] != tick.prices[place])
    if others.size:
        other = int(given.line.rows[others[-1]])
        before = given.trades.decimals("price").fraction(other)
        yield (
            f"{what}, the last other price {text(before)} ({given.trades.where(other)}): {text(price)} - "
            f"{text(before)} = {decimal_text(price - before)}, {_whose(price - before)}"
        )


def _mid_work(given: Heard, book: Mids, n: int, price: Fraction) -> str:
    """Work the distance of a trade from the newest mid before it, empty where there is none."""
    low, high = book.feed.span(given.line.times[given.places[[n]]])
    state = int(high[0]) - 1
    if state < int(low[0]) or not book.twice[state]:
        return ""
    bid, ask = (Fraction(int(side[state]), 10**book.scale) for side in (book.bids, book.asks))
    distance = 2 * price - bid - ask
    where = book.feed.table.where(book.feed.row(int(book.feed.told.heard[book.feed.states[state]])))
    worked = (
        f"best bid and ask then ({where}): 2 x {text(price)} - {text(bid)} - {text(ask)} = {decimal_text(distance)}"
    )
    return f"{worked}, {_whose(distance) if distance else 'at the mid'}"


def _whose(difference: Fraction) -> str:
    return "a buyer's" if difference > 0 else "a seller's"
