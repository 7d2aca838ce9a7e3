"""The two sides of the bot's book: neither crossed nor swapped where the venue's is not (3.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.s3_1_feed import feeds
from mmverify.checks.s3_1_views import View, views
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session, Table

_SHOWN = 2
_SIDES = ("bid", "ask")
_UNKNOWN = "who quotes around such a book sends prices on the wrong side of the market; what that costs is not recorded"


def book_sides(session: Session) -> Looked:
    """The bot's best bid is not above its best ask where the venue's is not, and its bids are not the venue's asks."""
    return gather(Looked(len(view.held.look), tuple(_of_looks(view))) for view in views(session))


def _of_looks(view: View) -> Iterator[Breach]:
    if view.swapped.size:
        yield _swapped(view)
    crossed = view.crossed[~np.isin(view.crossed, view.swapped // 2)]
    if crossed.size:
        yield _crossed(view, crossed)


def _swapped(view: View) -> Breach:
    looks, lines = view.looks, []
    for group in view.swapped[:_SHOWN].tolist():
        look, side = divmod(group, 2)
        place = int(looks.bounds[group])
        other = dict(view.venue(look, 1 - side))
        price = looks.table.decimals("price").fraction(int(looks.rows[place]))
        lines.append(
            f"{looks.where(place)} {_SIDES[side]} {decimal_text(price)}: "
            f"{view.feed.table.where(other[price])} sent it as {_SIDES[1 - side]}"
        )
    side = int(view.swapped[0]) % 2
    both = np.unique(view.swapped // 2).size * 2 == view.swapped.size
    first = looks.bounds[view.swapped[:_SHOWN]].tolist()
    return Breach(
        key=looks.symbol, where=tuple(looks.where(place) for place in first), count=len(view.swapped),
        was=f"the {_SIDES[side]}s of {looks.symbol} were the venue's {_SIDES[1 - side]}s",
        should=f"the venue's {_SIDES[side]}s", work=tuple(lines), amount=None, currency="", loss=_UNKNOWN,
        cause="the venue's bids are read as asks and its asks as bids" if both else "",
    )  # fmt: skip


def _crossed(view: View, crossed: Rows) -> Breach:
    looks, column, lines = view.looks, view.looks.table.decimals("price"), []

    def best(look: int, side: int) -> tuple[str, Fraction]:
        place = int(looks.bounds[2 * look + side])
        return looks.where(place), column.fraction(int(looks.rows[place]))

    for look in crossed[:_SHOWN].tolist():
        (where, bid), (other, ask) = best(look, 0), best(look, 1)
        lines.append(f"{where} bid - {other} ask = {text(bid)} - {text(ask)} = {decimal_text(bid - ask)}, above 0")
        bids, asks = view.venue(look, 0), view.venue(look, 1)
        if bids and asks:
            lines.append(
                f"the venue's then: bid {decimal_text(bids[0][0])} ({view.feed.table.where(bids[0][1])}), "
                f"ask {decimal_text(asks[0][0])} ({view.feed.table.where(asks[0][1])})"
            )
    (where, bid), (other, ask) = best(int(crossed[0]), 0), best(int(crossed[0]), 1)
    wrong = set(view.wrong.tolist())
    tops = [{int(looks.bounds[2 * look]), int(looks.bounds[2 * look + 1])} for look in crossed.tolist()]
    return Breach(
        key=looks.symbol, where=(where, other), count=len(crossed),
        was=f"the best bid of {looks.symbol} was {decimal_text(bid)}",
        should=f"not above {decimal_text(ask)}, its best ask, as the venue's was not", work=tuple(lines), amount=None,
        currency="", loss=_UNKNOWN,
        cause="a best level is kept that the venue has removed" if all(top & wrong for top in tops) else "",
    )  # fmt: skip


def quotes_on_crossed_books(session: Session) -> Looked:
    """No quote is made on a book whose best bid is above its best ask."""
    table = session.table("quotes", "ts_local", "symbol", "bid", "ask", "best_bid", "best_ask", "state")
    bid, ask = table.decimals("best_bid"), table.decimals("best_ask")
    says = quoting(table)
    told = says & bid.known & ask.known
    scale = max(bid.scale, ask.scale)
    crossed = told & np.asarray(bid.at_scale(scale) > ask.at_scale(scale), dtype=bool)
    exercised = int(told.sum())
    by_venue = np.zeros(len(table), dtype=bool)
    if session.has("book"):
        for symbol, feed in feeds(session).items():
            rows = np.flatnonzero(says & ~told & table.words("symbol").is_(symbol))
            low, high = feed.span(table.whole("ts_local").values[rows])
            crosses = np.append(0, np.cumsum(feed.crossed[feed.states]))
            exercised += int((high > low).sum())
            by_venue[rows] = (high > low) & (crosses[high] - crosses[low] == high - low)
    wrong = crossed | by_venue
    found = [
        _quoted(session, table, symbol, np.flatnonzero(wrong & table.words("symbol").is_(symbol)).tolist(), crossed)
        for symbol in table.words("symbol").names
        if (wrong & table.words("symbol").is_(symbol)).any()
    ]
    return Looked(exercised, tuple(found))


def quoting(table: Table) -> Mask:
    """Return the rows of quotes that have a price to be sent."""
    priced = table.decimals("bid").known | table.decimals("ask").known
    return np.asarray(priced & ~table.words("state").is_("halted"))


def _quoted(session: Session, table: Table, symbol: str, rows: list[int], told: Mask) -> Breach:
    def best(row: int) -> tuple[str, Fraction, Fraction]:
        if told[row]:
            return "its book", table.decimals("best_bid").fraction(row), table.decimals("best_ask").fraction(row)
        feed = feeds(session)[symbol]
        at = table.whole("ts_local").values[row : row + 1]
        message = int(feed.states[int(feed.span(at)[1][0]) - 1])
        bid, ask = (feed.price(int(code)) for code in feed.best[:, message])
        return f"the venue's book after {feed.table.where(feed.row(message))}", bid, ask

    lines = []
    for row in rows[:_SHOWN]:
        book, bid, ask = best(row)
        lines.append(
            f"{table.where(row)}, {book}: best bid - best ask = {text(bid)} - {text(ask)} = {decimal_text(bid - ask)}"
        )
    _, bid, ask = best(rows[0])
    return Breach(
        key=symbol, where=places(table, rows), count=len(rows),
        was=f"a quote of {symbol} was made on a best bid of {decimal_text(bid)} and a best ask of {decimal_text(ask)}",
        should="no quote until the book is not crossed", work=tuple(lines), amount=None, currency="",
        loss="the mid of a crossed book is the price of nothing; what quoting around it costs is not recorded",
    )  # fmt: skip
