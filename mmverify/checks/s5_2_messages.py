"""Section 5.2, messages in part (5.2.3) and messages, updates and executions that come twice (5.2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import places
from mmverify.checks.known import Rows, timeline
from mmverify.checks.s2_2_repeats import in_books
from mmverify.checks.s3_1_feed import Feed, feeds
from mmverify.checks.s3_1_views import View, views
from mmverify.numeric import Mask, decimal_text
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table

_COLUMNS = ("ts_local", "channel", "message_id", "complete", "applied", "ts_exchange")
_SHOWN = 3
_SIDES = ("bid", "ask")
_PART = "what a part of a message leaves out, levels or fills, is not in the session: what that costs cannot be known"
_TWICE = "what the message did the second time is not in the session: what that costs cannot be known"
_LEVEL = "mid, imbalance and queue are computed from the level; what that costs, the session does not tell"


def partial_messages(session: Session) -> Looked:
    """No message that was received in part is applied."""
    table = session.table("messages", *_COLUMNS)
    complete, applied = table.whole("complete"), table.whole("applied")
    partial = ~complete.missing & (complete.values == 0) & ~applied.missing
    wrong = np.flatnonzero(partial & (applied.values == 1))
    untold = int(np.sum(complete.missing | applied.missing))
    notes = (f"{untold} messages that do not tell complete or applied are left out",) if untold else ()
    found = tuple(_partial(table, channel, rows, partial) for channel, rows in _by_channel(table, wrong))
    return Looked(int(partial.sum()), found, notes)


def _partial(table: Table, channel: str, rows: list[int], partial: Mask) -> Breach:
    of_channel = partial & table.words("channel").is_(*_redundant(table, channel))
    return Breach(
        key=channel, where=places(table, rows), count=len(rows),
        was=f"message {table.words('message_id').text(rows[0])} of {channel} was applied in part",
        should="dropped: complete is false",
        work=(*(_line(table, row) for row in rows[:_SHOWN]),
              f"{len(rows)} of {int(of_channel.sum())} messages of {channel} that broke off were applied"),
        amount=None, currency="", loss=_PART,
        cause="what was received is applied whether the message is complete or not"
        if len(rows) > 1 and len(rows) == int(of_channel.sum()) else "",
    )  # fmt: skip


def repeated_messages(session: Session) -> Looked:
    """No message is applied that was applied before."""
    table = session.table("messages", *_COLUMNS)
    line = timeline(session, table)
    keys, applied = _keys(table)[line.rows], table.whole("applied").values[line.rows] == 1
    again = ~_is_first(keys)
    twice = np.zeros(len(line), dtype=bool)
    twice[applied] = ~_is_first(keys[applied])
    wrong = np.flatnonzero(twice)
    rows = line.rows[wrong]
    before = _before(keys, np.flatnonzero(applied), wrong)
    first = dict(zip(rows.tolist(), line.rows[before].tolist(), strict=True))
    found = tuple(_repeated(table, channel, mine, first) for channel, mine in _by_channel(table, np.sort(rows)))
    return Looked(int(again.sum()), found)


def _keys(table: Table) -> Rows:
    """Number the messages: rows of one channel (redundant ones are one), id and time of the venue's are the same."""
    names = [name.partition(":")[0] for name in table.words("channel").names]
    channel = np.array([names.index(name) for name in names], dtype=np.int64)[table.words("channel").codes]
    sent = table.whole("ts_exchange")
    time = np.unique(np.where(sent.missing, np.iinfo(np.int64).min, sent.values), return_inverse=True)[1]
    ids = table.words("message_id")
    key = (channel * len(ids.dictionary) + ids.codes) * (int(time.max(initial=0)) + 1) + time
    return np.asarray(np.unique(key, return_inverse=True)[1], dtype=np.int64)


def _is_first(keys: Rows) -> Mask:
    out = np.zeros(len(keys), dtype=bool)
    out[np.unique(keys, return_index=True)[1]] = True
    return out


def _before(keys: Rows, among: Rows, wanted: Rows) -> Rows:
    """Return the first of `among` with the key of each that is wanted."""
    known, first = np.unique(keys[among], return_index=True)
    return among[first[np.searchsorted(known, keys[wanted])]]


def _repeated(table: Table, channel: str, rows: list[int], first: dict[int, int]) -> Breach:
    return Breach(
        key=channel, where=(*places(table, rows[:_SHOWN]), table.where(first[rows[0]])), count=len(rows),
        was=f"message {table.words('message_id').text(rows[0])} of {channel} was applied again",
        should="dropped: it was applied before",
        work=tuple(dict.fromkeys(_line(table, each) for row in rows[:_SHOWN] for each in (first[row], row))),
        amount=None, currency="", loss=_TWICE,
    )  # fmt: skip


def _line(table: Table, row: int) -> str:
    told = [f"{name} {'true' if table.whole(name).values[row] == 1 else 'false'}"
            for name in ("complete", "applied") if not table.whole(name).missing[row]]  # fmt: skip
    name = f"{table.words('channel').text(row)} {table.words('message_id').text(row)}"
    return f"{table.where(row)} {name}: {', '.join(told)}"


def _redundant(table: Table, channel: str) -> list[str]:
    return [name for name in table.words("channel").names if name.partition(":")[0] == channel]


def _by_channel(table: Table, rows: Rows) -> Iterator[tuple[str, list[int]]]:
    """Yield the channels of some rows, redundant ones as one, each with its rows."""
    channels: Words = table.words("channel")
    for name in dict.fromkeys(name.partition(":")[0] for name in channels.names):
        mine = rows[channels.is_(*_redundant(table, name))[rows]]
        if mine.size:
            yield name, mine.tolist()


# --- updates of the book ----------------------------------------------------------------------------------------------


def repeated_updates(session: Session) -> Looked:
    """After an update of the book that came twice each of its levels has the quantity that was sent last."""
    again = {symbol: _again(feed) for symbol, feed in feeds(session).items()}
    if not any(each.size for each in again.values()):
        return Looked(0)
    return gather(_of_book(view, again[view.feed.symbol]) for view in views(session))


def _of_book(view: View, again: Rows) -> Looked:
    looks, wrong = view.looks, list[tuple[int, int]]()
    following = np.searchsorted(looks.ts, view.feed.times[again], side="right")
    seen = following < len(looks)
    suspects = np.sort(view.wrong[_differs(view)[view.wrong]])
    low, high = (np.searchsorted(looks.of[suspects], following[seen], side=side) for side in ("left", "right"))
    for message, start, stop in zip(again[seen].tolist(), low.tolist(), high.tolist(), strict=True):
        levels = {(side, price) for side, price, _ in _levels(view.feed, message)} if stop > start else set()
        wrong += [(message, place) for place in suspects[start:stop].tolist() if _level(view, place) in levels]
    return Looked(int(seen.sum()), (_doubled(view, wrong),) if wrong else ())


def _again(feed: Feed) -> Rows:
    """Return the deltas that say what one of their seq, before them, said."""
    rows = feed.line.rows[feed.starts]
    numbered = ~feed.table.whole("seq").missing[rows] & feed.table.words("kind").is_("delta")[rows]
    numbered &= feed.table.words("side").codes[rows] >= 0
    at = np.flatnonzero(numbered)
    columns = [feed.table.whole(name).values[rows[at]] for name in ("seq", "prev_seq", "ts_exchange")]
    order = np.lexsort([at, *columns])
    same = np.ones(max(len(at) - 1, 0), dtype=bool)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    shared = np.zeros(len(at), dtype=bool)
    shared[1:] |= same
    shared[:-1] |= same
    met, out = set[tuple[object, ...]](), list[int]()
    for n in np.sort(at[order[shared]]).tolist():
        row = int(rows[n])
        head = tuple(int(feed.table.whole(name).values[row]) for name in ("seq", "prev_seq", "ts_exchange"))
        key = (*head, *_levels(feed, n))
        if key in met:
            out.append(n)
        met.add(key)
    return np.array(out, dtype=np.int64)


def _seq(feed: Feed, message: int) -> int:
    return int(feed.table.whole("seq").values[feed.row(message)])


def _levels(feed: Feed, message: int) -> Sequence[tuple[str, int, int]]:
    """Return side, price and quantity of each level of a message, in units of the columns."""
    start = int(feed.starts[message])
    stop = int(feed.starts[message + 1]) if message + 1 < len(feed.starts) else len(feed.line)
    rows, side = feed.line.rows[start:stop], feed.table.words("side")
    price, qty = feed.table.decimals("price").ints, feed.table.decimals("qty").ints
    return [(side.text(row), int(price[row]), int(qty[row])) for row in rows.tolist() if side.codes[row] >= 0]


def _level(view: View, place: int) -> tuple[str, int]:
    """Return side and price of a level of the bot's, in units of the venue's column; one off that grid is none."""
    row, scale = int(view.looks.rows[place]), view.feed.table.decimals("price").scale
    price = view.looks.table.decimals("price").fraction(row) * 10**scale
    return _SIDES[int(view.looks.is_ask[place])], int(price) if price.denominator == 1 else -1


def _differs(view: View) -> Mask:
    """Return the places whose quantity is another than the venue's: a level of 0 that is gone there is the same."""
    out = np.ones(len(view.looks.rows), dtype=bool)
    gone = view.held.place[view.held.found < 0]
    empty = np.asarray(np.equal(view.looks.table.decimals("qty").ints[view.looks.rows[gone]], 0))
    out[gone[empty]] = False
    return out


def _doubled(view: View, wrong: Sequence[tuple[int, int]]) -> Breach:
    looks, feed, (message, first) = view.looks, view.feed, wrong[0]
    held, sent, prices = looks.table.decimals("qty"), feed.table.decimals("qty"), looks.table.decimals("price")

    def due(place: int) -> tuple[str, str]:
        at = int(view.held.found[np.flatnonzero(view.held.place == place)[0]])
        row = int(feed.tape.row[at]) if at >= 0 else -1
        return (decimal_text(sent.fraction(row)), feed.table.where(row)) if row >= 0 else ("no such level", "")

    lines = []
    for each, place in wrong[:_SHOWN]:
        row, (should, where) = int(looks.rows[place]), due(place)
        lines.append(f"{feed.table.where(feed.row(each))}: seq {_seq(feed, each)} came again")
        lines.append(
            f"{looks.where(place)} {_SIDES[int(looks.is_ask[place])]} {decimal_text(prices.fraction(row))}: "
            f"{decimal_text(held.fraction(row))}, the last that was sent is {should}" + (f" ({where})" if where else "")
        )
    row, (should, _) = int(looks.rows[first]), due(first)
    was = held.fraction(row)
    named = {price: qty for _, price, qty in _levels(feed, message)}
    again = named[_level(view, first)[1]]
    is_added = should == decimal_text(was / 2) and was == 2 * again / 10**sent.scale
    return Breach(
        key=looks.symbol, where=(looks.where(first), feed.table.where(feed.row(message))), count=len(wrong),
        was=f"{decimal_text(was)} stood at the {_SIDES[int(looks.is_ask[first])]} {decimal_text(prices.fraction(row))} "
        f"of {looks.symbol} after seq {_seq(feed, message)} came twice",
        should=should, work=tuple(dict.fromkeys(lines)), amount=None, currency="", loss=_LEVEL,
        cause="the update was added again where it replaces" if is_added else "",
    )  # fmt: skip


# --- executions -------------------------------------------------------------------------------------------------------


def repeated_fills(session: Session) -> Looked:
    """An execution that is reported twice moves the position once."""
    seen = in_books(session)
    return Looked(seen.exercised, tuple(each for each in seen.breaches if each.key.endswith(" position")), seen.notes)
