"""The levels of the bot's book: in order, at the quantity last sent, none missing, made up for when removed (3.1.2,
3.1.3, 3.1.6)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.s3_1_looks import Looks, looks
from mmverify.checks.s3_1_views import View, views
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_SHOWN = 2
_NAMED = 3
_SAMPLED = 20  # wrong levels that a cause has to reproduce
_SIDES = ("bid", "ask")
_NO_MONEY = "imbalance, mid and the size at a price are computed from it; what that costs, the session does not tell"


# --- order of the levels ----------------------------------------------------------------------------------------------


def sorted_levels(session: Session) -> Looked:
    """Bids fall and asks rise strictly from level to level."""
    every = looks(session)
    found = tuple(_unsorted(mine) for mine in every if mine.unsorted.size)
    return Looked(sum(int((mine.sizes > 1).sum()) for mine in every), found)


def _unsorted(mine: Looks) -> Breach:
    column = mine.table.decimals("price")

    def price(place: int) -> Fraction:
        return column.fraction(int(mine.rows[place]))

    def line(place: int) -> str:
        relation = "above" if price(place) > price(place - 1) else "below" if price(place) < price(place - 1) else "at"
        return (
            f"{mine.where(place)} {_SIDES[int(mine.is_ask[place])]} {decimal_text(price(place))} is {relation} "
            f"{mine.where(place - 1)} {decimal_text(price(place - 1))}, the level before it"
        )

    first = int(mine.unsorted[0])
    level, name = int(mine.table.whole("level").values[mine.rows[first]]), _SIDES[int(mine.is_ask[first])]
    groups = np.unique(mine.group[mine.unsorted])
    pairs = mine.sizes.ravel()[groups] - 1
    cause = ""
    if len(mine.unsorted) == int(pairs.sum()) and not mine.repeated[mine.unsorted].any():
        cause = "the side is kept in the other side's order: its first level is its worst"
    elif mine.repeated[mine.unsorted].all():
        cause = "a price is inserted again where its level should be updated"
    side = "below" if not mine.is_ask[first] else "above"
    return Breach(
        key=mine.symbol, where=(mine.where(first - 1), *(mine.where(each) for each in mine.unsorted[:_NAMED].tolist())),
        count=len(mine.unsorted), was=f"level {level} of the {name}s of {mine.symbol} was {decimal_text(price(first))}",
        should=f"{side} {decimal_text(price(first - 1))}, the level before it",
        work=tuple(line(place) for place in mine.unsorted[:_SHOWN].tolist()), amount=None, currency="",
        loss="level 0 is taken for the best price and the first levels for the nearest ones; what that costs, the "
        "session does not tell",
        cause=cause,
    )  # fmt: skip


# --- quantities -------------------------------------------------------------------------------------------------------


def level_quantities(session: Session) -> Looked:
    """The quantity at each price of the bot's book is the last one that the venue sent, and none is 0."""
    return gather(
        Looked(int(view.held.judged.sum()), (_quantities(view),) if view.wrong.size else ()) for view in views(session)
    )


def _quantities(view: View) -> Breach:
    mine, column = view.looks, view.looks.table.decimals("qty")
    prices = mine.table.decimals("price")
    lines = []
    for place in view.wrong[:_SHOWN].tolist():
        row = int(mine.rows[place])
        sent = _sent(view, place)
        lines.append(
            f"{mine.where(place)} {_SIDES[int(mine.is_ask[place])]} {decimal_text(prices.fraction(row))}: "
            f"{decimal_text(column.fraction(row))}"
        )
        lines += [f"{view.feed.table.where(at)} sent {decimal_text(qty)} for it" for at, qty in sent[-_NAMED:]]
        if not sent:
            lines.append("the venue's book at that time has no such level")
    first = int(view.wrong[0])
    row, sent = int(mine.rows[first]), _sent(view, first)
    should = decimal_text(sent[-1][1]) if sent and sent[-1][1] else "no such level"
    last = (view.feed.table.where(sent[-1][0]),) if sent else ()
    return Breach(
        key=mine.symbol, where=(*(mine.where(place) for place in view.wrong[:_NAMED].tolist()), *last),
        count=len(view.wrong),
        was=f"{decimal_text(column.fraction(row))} stood at the {_SIDES[int(mine.is_ask[first])]} "
        f"{decimal_text(prices.fraction(row))} of {mine.symbol}",
        should=should, work=tuple(lines), amount=None, currency="", loss=_NO_MONEY, cause=_cause(view),
    )  # fmt: skip


def _sent(view: View, place: int) -> list[tuple[int, Fraction]]:
    """Return row and quantity of each update of a level since the book's snapshot, up to what a look may have seen."""
    mine, feed = view.looks, view.feed
    tape, grid = feed.tape, feed.tape.grid
    price = mine.table.decimals("price").fraction(int(mine.rows[place])) * 10 ** feed.table.decimals("price").scale
    if price.denominator != 1:
        return []
    units = np.array([int(price)])
    if not grid.has(units)[0]:
        return []
    code = grid.codes(mine.is_ask[place : place + 1], units)[0]
    stop = int(tape.until(np.array([view.message(int(mine.of[place]))]))[0])
    rows = tape.row[np.flatnonzero(tape.code[:stop] == code)].tolist()
    since = max((n + 1 for n, row in enumerate(rows) if row < 0), default=0)
    return [(row, feed.table.decimals("qty").fraction(row)) for row in rows[since:]]


def _cause(view: View) -> str:
    """Name a mistake that gives every one of these quantities, of the first few."""
    mine, column = view.looks, view.looks.table.decimals("qty")
    if np.isin(mine.group[view.wrong], view.swapped).all():
        return "the sides are swapped, which is the finding of 3.1.1"
    sample = view.wrong[:_SAMPLED].tolist()
    claimed = [column.fraction(int(mine.rows[place])) for place in sample]
    sent = [[qty for _, qty in _sent(view, place)] for place in sample]
    if not any(claimed):
        return "a level whose quantity becomes 0 is kept, at 0, where it should be removed"
    if all(len(each) > 1 and was == each[-2] for was, each in zip(claimed, sent, strict=True)):
        if not any(each[-1] for each in sent):
            return "the removal of a level was lost: it keeps the quantity that it had"
        return "the last update of a level was lost: it has the quantity of the one before"
    if all(len(each) > 1 and was == sum(each) for was, each in zip(claimed, sent, strict=True)):
        return "what the venue sends of a level is added to what the level had: the sums agree"
    return ""


# --- depth ------------------------------------------------------------------------------------------------------------


def kept_levels(session: Session) -> Looked:
    """No level better than the bot's worst is missing, and no side gets shorter where the venue's does not."""
    return gather(_of_depth(view) for view in views(session))


def _of_depth(view: View) -> Looked:
    missing = (_missing(view),) if view.missing.size else ()
    short = (_short(view),) if view.short.size else ()
    return Looked(2 * int(view.whole.sum()), missing + short)


def _named_first(view: View, groups: Rows) -> Iterator[tuple[int, int, str]]:
    """Yield look, side and first row of the first few groups; a side without levels is named by its look's first."""
    for group in groups[:_NAMED].tolist():
        look, side = divmod(group, 2)
        yield look, side, view.looks.where(int(view.looks.bounds[group if view.looks.sizes[look, side] else 2 * look]))


def _missing(view: View) -> Breach:
    mine, column = view.looks, view.looks.table.decimals("price")
    lines, lacking = [], list[list[tuple[Fraction, int]]]()
    for look, side, where in list(_named_first(view, view.missing))[:_SHOWN]:
        prices = [column.fraction(int(row)) for row in mine.rows[mine.side(look, side)]]
        worst = min(prices) if side == 0 else max(prices)
        beyond = [each for each in view.venue(look, side) if (each[0] > worst if side == 0 else each[0] < worst)]
        lacking.append([each for each in beyond if each[0] not in prices])
        price, row = lacking[-1][0]
        lines.append(
            f"{where}: {len(prices)} {_SIDES[side]}s up to {decimal_text(worst)}, and not {decimal_text(price)}, which "
            f"{view.feed.table.where(row)} sent, one of the venue's {len(beyond)} better ones"
        )
    side = int(view.missing[0]) % 2
    price, row = lacking[0][0]
    is_swapped = np.isin(view.missing, view.swapped).all()
    return Breach(
        key=mine.symbol, where=(*(where for _, _, where in _named_first(view, view.missing)),
                                view.feed.table.where(row)),
        count=len(view.missing),
        was=f"the {_SIDES[side]}s of {mine.symbol} were without {decimal_text(price)}",
        should=f"to hold it: it is better than the worst {_SIDES[side]} that is kept", work=tuple(lines), amount=None,
        currency="", loss=_NO_MONEY,
        cause="the sides are swapped, which is the finding of 3.1.1" if is_swapped else "",
    )  # fmt: skip


def _short(view: View) -> Breach:
    mine, lines = view.looks, []
    wanted = [_wanted(view, group) for group in view.short[:_NAMED].tolist()]
    for (look, side, where), (had, there) in list(zip(_named_first(view, view.short), wanted, strict=True))[:_SHOWN]:
        levels = int(mine.sizes[look, side])
        lines.append(
            f"{where}: {levels} {_SIDES[side]}s; {had} in an earlier look, {there} at the venue: "
            f"{text(min(had, there))} - {levels} = {min(had, there) - levels} too few"
        )
    look, side = divmod(int(view.short[0]), 2)
    had, there = wanted[0]
    return Breach(
        key=f"{mine.symbol} refill", where=tuple(where for _, _, where in _named_first(view, view.short)),
        count=len(view.short),
        was=f"{int(mine.sizes[look, side])} {_SIDES[side]}s of {mine.symbol} were kept",
        should=f"{min(had, there)}, as many as before: the venue had {there}", work=tuple(lines), amount=None,
        currency="", loss=_NO_MONEY,
        cause="levels that are removed are not made up for: the side only grows shorter"
        if len(view.short) > 1 and not view.missing.size else "",
    )  # fmt: skip


def _wanted(view: View, group: int) -> tuple[int, int]:
    """Return how many levels the side had before, and how many the venue has."""
    look, side = divmod(group, 2)
    return int(view.kept[look, side]), len(view.venue(look, side))
