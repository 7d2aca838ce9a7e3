"""Trades that the bot left out of its signals though they are of full size and within the book (3.2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import places as places_of
from mmverify.checks.exact import total
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows, Times, rising, taken
from mmverify.checks.s3_1_feed import Feed
from mmverify.checks.s3_2_heard import Heard, extremes, heard
from mmverify.numeric import Ints, Mask, decimal_text, narrow, times_power_of_ten
from mmverify.replay.depth import NONE, best
from mmverify.session.load import Session

_SHOWN = 3
_SHARE = Fraction(1, 100)  # of the volume that may be left out without a reason


def used_trades(session: Session) -> Looked:
    """A trade of at least min_qty within the book is used; of the volume 1 % at most is left out without a reason."""
    return gather(_judged(each) for each in heard(session))


@dataclass(frozen=True, eq=False)
class _Use:
    """The trades of which the bot says whether it used them, each once: places in what was heard, and which it did."""

    given: Heard
    places: Rows
    used: Mask

    @property
    def dropped(self) -> Rows:
        """Places of those that it did not."""
        return self.places[~self.used]

    def qty(self, places: Rows) -> Fraction:
        """Return the volume of some of them."""
        column = self.given.trades.decimals("qty")
        rows = taken(self.given.reports, places)
        return Fraction(total(taken(column.ints, rows)), 10**column.scale)


def _use(given: Heard) -> _Use:
    column = given.said.whole("used")
    told, says = ~column.missing[given.rows], column.values[given.rows] > 0
    if rising(given.places):
        return _Use(given, np.flatnonzero(told), says[told])
    used = np.zeros(len(given.line), dtype=bool)
    used[given.places[told & says]] = True
    first = np.full(len(given.line), -1, dtype=np.int64)
    known = np.flatnonzero(told)[::-1]
    first[given.places[known]] = known
    once = np.sort(first[first >= 0])
    return _Use(given, once, used[given.places[once]])


def _judged(given: Heard) -> Looked:
    use, notes = _use(given), given.notes
    feed, dropped, found = given.feed, use.dropped, list[Breach]()
    if feed is None and dropped.size:
        notes.append(f"{given.symbol}: without its book, whether a trade that was left out is within it is not judged")
    if feed is not None and dropped.size:
        full = dropped[_full_size(given, dropped)]
        edges = _edges(given, feed, full)
        good = np.flatnonzero(edges.inside) if edges else np.empty(0, dtype=np.int64)
        if edges and good.size:
            found.append(_filtered(use, edges, full, good))
    reason = given.said.words("reason").missing[given.rows[dropped]]
    unexplained, whole = use.qty(dropped[reason]), use.qty(use.places)
    if unexplained > _SHARE * whole:
        found.append(_unexplained(use, dropped[reason], unexplained, whole))
    return Looked(len(use.places), tuple(found), tuple(notes))


# --- size and price ---------------------------------------------------------------------------------------------------


def _min_qty(given: Heard) -> list[tuple[int, Fraction]]:
    """Return the min_qty of the symbol and when each is in force from, ns; the first from ever on."""
    table = given.session.table("instruments", "symbol", "min_qty", "ts_from")
    least, since = table.decimals("min_qty"), table.whole("ts_from")
    rows = np.flatnonzero(table.words("symbol").is_(given.symbol)).tolist()
    held = sorted((-(2**63) if since.missing[row] else int(since.values[row]), row) for row in rows)
    return [(at if n else -(2**63), least.fraction(row)) for n, (at, row) in enumerate(held)]


def _full_size(given: Heard, places: Rows) -> Mask:
    """Return which trades are of at least the min_qty in force."""
    column, held = given.trades.decimals("qty"), _min_qty(given)
    force = np.searchsorted(np.array([at for at, _ in held]), _times(given, places), side="right") - 1
    floors = narrow([int(-(-least * 10**column.scale // 1)) for _, least in held])
    return np.asarray(column.ints[given.reports[places]] >= floors[force], dtype=bool)


def _times(given: Heard, places: Rows) -> Times:
    return given.line.times[given.places[places]]


@dataclass(frozen=True, eq=False)
class _Edges:
    """The lowest bid and the highest ask of the books that may be the last known at each of n trades.

    `lowest` and `highest` are by state of the feed, at `scale`; 0 for a side that is empty.
    """

    feed: Feed
    scale: int
    lowest: Ints
    highest: Ints
    newest: Rows
    inside: Mask


def _edges(given: Heard, feed: Feed, places: Rows) -> _Edges | None:
    """Hold trades against the edges of their books; None where there is no trade or no book."""
    if not places.size or not len(feed.states):
        return None
    price, quoted = given.trades.decimals("price"), feed.table.decimals("price")
    scale, span = max(price.scale, quoted.scale), feed.tape.grid.span
    turn = np.where(feed.tape.code < span, span - 1, 3 * span - 1).astype(np.int32)  # the worst price becomes the best
    codes = best(replace(feed.tape, code=turn - feed.tape.code))[:, feed.states]
    levels = [
        np.where(side == NONE, 0, times_power_of_ten(feed.tape.grid.price(last - side), scale - quoted.scale))
        for side, last in zip(codes, (span - 1, 3 * span - 1), strict=True)
    ]
    lowest, highest = levels
    low, high = feed.span(_times(given, places))
    inside = high > low
    ask = np.flatnonzero(inside)
    _, floor = extremes(
        np.where(lowest > 0, lowest, lowest.max(initial=0) + highest.max(initial=0) + 1), low[ask], high[ask]
    )
    ceiling, _ = extremes(highest, low[ask], high[ask])
    prices = price.at_scale(scale)[given.reports[places[ask]]]
    inside[ask] = np.asarray((floor <= prices) & (prices <= ceiling), dtype=bool)
    return _Edges(feed, scale, lowest, highest, high - 1, inside)


# --- words ------------------------------------------------------------------------------------------------------------


def _filtered(use: _Use, edges: _Edges, full: Rows, good: Rows) -> Breach:
    given, places = use.given, full[good]
    price, qty = given.trades.decimals("price"), given.trades.decimals("qty")
    first, least = int(given.reports[places[0]]), _min_qty(given)
    floor = next(each for at, each in reversed(least) if at <= int(_times(given, places[:1])[0]))
    lost, whole = use.qty(places), use.qty(use.places)
    trade, reason = (given.said.words(name).text(int(given.rows[places[0]])) for name in ("trade_id", "reason"))
    return Breach(
        key=given.symbol, where=places_of(given.said, given.rows[places].tolist()), count=len(places),
        was=f"trade {trade} of {given.symbol}, {decimal_text(qty.fraction(first))} at "
        f"{decimal_text(price.fraction(first))}, was not used{f' ({reason})' if reason else ''}",
        should=f"used: it is of {decimal_text(floor)} (min_qty) at least, and within the book",
        work=tuple(_work(given, edges, int(n), int(full[n])) for n in good[:_SHOWN]), amount=None, currency="",
        loss=f"{decimal_text(lost)} of {decimal_text(whole)} of volume is missing in every signal; what trades on them "
        "lose is not recorded",
        cause=_cause(use, places),
    )  # fmt: skip


def _work(given: Heard, edges: _Edges, n: int, place: int) -> str:
    row, feed = int(given.reports[place]), edges.feed
    state = int(edges.newest[n])
    low, high = (Fraction(int(side[state]), 10**edges.scale) for side in (edges.lowest, edges.highest))
    book = feed.table.where(feed.row(int(feed.told.heard[feed.states[state]])))
    price, qty = (given.trades.decimals(name).fraction(row) for name in ("price", "qty"))
    return (
        f"{given.trades.where(row)}: {text(qty)} at {text(price)}; the book then ({book}) is from {text(low)} to "
        f"{text(high)}: {text(price)} - {text(low)} = {decimal_text(price - low)}, {text(high)} - {text(price)} = "
        f"{decimal_text(high - price)}"
    )


def _cause(use: _Use, places: Rows) -> str:
    """Say which limit of size leaves out just these trades, if one does."""
    qty = use.given.trades.decimals("qty")
    left, kept = (qty.ints[use.given.reports[each]] for each in (places, use.places[use.used]))
    if not len(kept):
        return "no trade at all is used"
    unit = 10**qty.scale
    if left.max() < kept.min():
        return f"every trade of less than {decimal_text(Fraction(int(kept.min()), unit))} is left out"
    if left.min() > kept.max():
        return f"every trade of more than {decimal_text(Fraction(int(kept.max()), unit))} is left out"
    return ""


def _unexplained(use: _Use, places: Rows, lost: Fraction, whole: Fraction) -> Breach:
    given = use.given
    share = lost / whole
    return Breach(
        key=f"{given.symbol} share", where=places_of(given.said, given.rows[places].tolist()),
        count=len(places),
        was=f"{decimal_text(share * 100, 4)} % of the volume of {given.symbol} was left out with no reason",
        should="1 % at most", work=tuple(_sum(use, places, lost, whole)), amount=None, currency="",
        loss=f"{decimal_text(lost)} of volume is missing in every signal and nothing says why; what trades on them "
        "lose is not recorded",
    )  # fmt: skip


def _sum(use: _Use, places: Rows, lost: Fraction, whole: Fraction) -> Iterator[str]:
    trades = use.given.trades
    for row in use.given.reports[places[:_SHOWN]].tolist():
        yield f"{trades.where(row)}: {text(trades.decimals('qty').fraction(row))} not used, no reason given"
    yield f"all {len(places)} of them / all volume = {text(lost)} / {text(whole)} = {decimal_text(lost / whole, 6)}"
