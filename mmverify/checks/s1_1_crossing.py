"""Own prices that cross: a quote's bid and ask, a post-only order and the other side, own bids and asks (1.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import Instrument, instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session, Table, need_instruments

_SHOWN = 2
_QUOTES = ("quote_bid", "quote_ask")


def _lost(instrument: Instrument | None, bid: Fraction, ask: Fraction, qty: Fraction) -> Fraction:
    """Return what buying at the bid and selling at the ask loses, in the settlement currency."""
    if instrument is None or ask <= 0 or bid <= 0:
        return Fraction(0)
    return abs(notional(instrument, bid, qty) - notional(instrument, ask, qty))


def _settle(instrument: Instrument | None) -> str:
    return instrument.settle if instrument else ""


# --- quotes -----------------------------------------------------------------------------------------------------------


def crossed_quotes(session: Session) -> Looked:
    """A quote's bid is below its ask."""
    table = session.table("quotes", "ts_local", "symbol", "bid", "ask", "bid_qty", "ask_qty", "half_spread")
    bid, ask = table.decimals("bid"), table.decimals("ask")
    scale = max(bid.scale, ask.scale)
    both = bid.known & ask.known
    crossed = both & np.asarray(bid.at_scale(scale) >= ask.at_scale(scale))
    found = [
        _crossed_quotes(session, table, symbol, np.flatnonzero(crossed & table.words("symbol").is_(symbol)).tolist())
        for symbol in table.words("symbol").names
    ]
    return Looked(int(both.sum()), tuple(each for each in found if each))


def _crossed_quotes(session: Session, table: Table, symbol: str, rows: list[int]) -> Breach | None:
    if not rows:
        return None
    instrument = instruments(session).get(symbol)
    bid, ask = table.decimals("bid"), table.decimals("ask")
    sizes = [table.decimals("bid_qty"), table.decimals("ask_qty")]
    half = table.decimals("half_spread")

    def size(row: int) -> Fraction:
        known = [column.fraction(row) for column in sizes if column.known[row]]
        return min(known) if len(known) == 2 else Fraction(0)

    lines, first = [], rows[0]
    for row in rows[:_SHOWN]:
        b, a = bid.fraction(row), ask.fraction(row)
        lines.append(f"{table.where(row)}: ask - bid = {text(a)} - {text(b)} = {decimal_text(a - b)}, not above 0")
    amount = max(_lost(instrument, bid.fraction(row), ask.fraction(row), size(row)) for row in rows)
    return Breach(
        key=symbol, where=places(table, rows), count=len(rows),
        was=f"the bid of {symbol} was {decimal_text(bid.fraction(first))}, the ask "
        f"{decimal_text(ask.fraction(first))}",
        should="a bid below the ask", work=tuple(lines), amount=amount or None, currency=_settle(instrument),
        loss="each round trip at such prices buys above where it sells: this much on the sizes of the costliest quote, "
        "again with each refresh, fees aside"
        if amount else "who buys and sells at these prices pays two fees and earns nothing, again with each refresh",
        cause="the half-spread was not above 0"
        if all(half.known[row] and half.ints[row] <= 0 for row in rows) else "",
    )  # fmt: skip


# --- post-only orders -------------------------------------------------------------------------------------------------


def post_only_prices(session: Session) -> Looked:
    """A post-only order is not priced at or through the other side of the book that its quote was based on.

    Orders with another intent than to quote have no quote behind them, and are left out.
    """
    replayed = flow(session)
    table = session.table("order_events", "ts_local", "symbol", "event", "side", "post_only", "level", "price", "qty",
                          "intent")  # fmt: skip
    quotes = session.table("quotes", "ts_local", "symbol", "level", "bid", "ask", "best_bid", "best_ask")
    need_instruments(session, "order_events", table.words("symbol"))
    said = table.whole("post_only").values == 1
    post_only = said | said[replayed.lives.first[replayed.lives.life]] if len(table) else said
    intent = table.words("intent")
    which = replayed.is_("submit", "replace_request") & post_only & table.decimals("price").known
    which &= intent.missing | intent.is_(*_QUOTES)
    looks = []
    for symbol in table.words("symbol").names:
        rows = np.flatnonzero(which & table.words("symbol").is_(symbol))
        pairs = np.concatenate([np.empty((2, 0), dtype=np.int64), *_behind(session, replayed, quotes, symbol, rows)], 1)
        looks.append(_post_only(session, replayed, quotes, symbol, pairs))
    return gather(looks)


def _behind(session: Session, replayed: Flow, quotes: Table, symbol: str, rows: Rows) -> Iterator[Rows]:
    """Yield pairs of an order's row and the row of the quote behind it: the newest, of those at its price if any."""
    table = session.table("order_events")
    levels, of_quotes = table.whole("level"), quotes.whole("level")
    level = np.where(levels.missing[rows], -1, levels.values[rows])
    mine = quotes.words("symbol").is_(symbol)
    lag = int((session.number("timing", "claim_lag_ms", 0) or 0) * 1_000_000)
    for each in np.unique(level).tolist():
        behind = np.flatnonzero(mine & ((each < 0) | (np.where(of_quotes.missing, 0, of_quotes.values) == each)))
        behind = behind[np.argsort(quotes.whole("ts_local").values[behind], kind="stable")]
        asked = rows[level == each]
        if not behind.size:
            continue
        times, at = quotes.whole("ts_local").values[behind], replayed.ts[asked]
        newest = np.searchsorted(times, at, side="right") - 1
        oldest = np.maximum(np.searchsorted(times, at - lag, side="left") - 1, 0)
        if each < 0:  # of any level of that decision
            oldest = np.searchsorted(times, times[oldest], side="left")
        asked, newest, oldest = (values[newest >= 0] for values in (asked, newest, oldest))
        chosen = newest.copy()
        left = np.arange(len(asked))
        for back in range(int((newest - oldest).max(initial=0)) + 1):
            left = left[newest[left] - back >= oldest[left]]
            own = _at_its_price(replayed, quotes, asked[left], behind[newest[left] - back])
            chosen[left[own]] = newest[left[own]] - back
            left = left[~own]
        yield np.stack([asked, behind[chosen]])


def _at_its_price(replayed: Flow, quotes: Table, rows: Rows, behind: Rows) -> Mask:
    price = replayed.table.decimals("price")
    buys = replayed.direction[replayed.lives.life[rows]] > 0
    same = []
    for name in ("bid", "ask"):
        column = quotes.decimals(name)
        scale = max(price.scale, column.scale)
        same.append(column.known[behind] & np.asarray(column.at_scale(scale)[behind] == price.at_scale(scale)[rows]))
    return np.asarray(np.where(buys, same[0], same[1]))


def _post_only(session: Session, replayed: Flow, quotes: Table, symbol: str, pairs: Rows) -> Looked:
    rows, behind = pairs
    table, price = replayed.table, replayed.table.decimals("price")
    buys = replayed.direction[replayed.lives.life[rows]] > 0
    looked, takes = [], []
    for side, sign in (("best_ask", 1), ("best_bid", -1)):
        bests = quotes.decimals(side)
        scale = max(price.scale, bests.scale)
        beyond = (price.at_scale(scale)[rows] - bests.at_scale(scale)[behind]) * sign
        looked.append(bests.known[behind])
        takes.append(bests.known[behind] & np.asarray(beyond >= 0))
    wrong = np.flatnonzero(np.where(buys, *takes)).tolist()
    exercised = int(np.where(buys, *looked).sum())
    if not wrong:
        return Looked(exercised)
    instrument, qty = instruments(session)[symbol], table.decimals("qty")

    def best_of(n: int) -> tuple[str, Fraction]:
        name = "best_ask" if buys[n] else "best_bid"
        return name, quotes.decimals(name).fraction(int(behind[n]))

    def extra(n: int) -> Fraction:
        row = int(rows[n])
        maker, taker = (instrument.rate(each, int(replayed.ts[row])) for each in ("maker", "taker"))
        if None in (maker, taker) or not qty.known[row] or price.ints[row] <= 0:
            return Fraction(0)
        return ((taker or Fraction(0)) - (maker or Fraction(0))) * notional(
            instrument, price.fraction(row), qty.fraction(row)
        )

    lines = []
    for n in wrong[:_SHOWN]:
        name, best = best_of(n)
        side, relation = ("buy", "at or above") if buys[n] else ("sell", "at or below")
        lines.append(
            f"{table.where(int(rows[n]))}, post-only {side} at {decimal_text(price.fraction(int(rows[n])))}, is "
            f"{relation} {name} {decimal_text(best)} of {quotes.where(int(behind[n]))}"
        )
    first, (name, best) = wrong[0], best_of(wrong[0])
    amount = max(map(extra, wrong))
    at_best = all(price.fraction(int(rows[n])) == best_of(n)[1] for n in wrong)
    return Looked(exercised, (
        Breach(
            key=symbol,
            where=(*places(table, rows[wrong].tolist()), quotes.where(int(behind[first]))), count=len(wrong),
            was=f"a post-only {'buy' if buys[first] else 'sell'} of {symbol} was priced "
            f"{decimal_text(price.fraction(int(rows[first])))}",
            should=f"{'below' if buys[first] else 'above'} {decimal_text(best)}, the {name}", work=tuple(lines),
            amount=amount if amount > 0 else None, currency=instrument.settle,
            loss="the venue refuses it and that side is not quoted; were it taken in spite of post-only, it would pay "
            "the taker fee where the quote was worth the maker fee: this much on the largest of them",
            cause="the price was the other side's best itself, no tick inside it" if at_best else "",
        ),
    ))  # fmt: skip


# --- own orders -------------------------------------------------------------------------------------------------------


def own_orders_crossed(session: Session) -> Looked:
    """No own bid rests at or above an own ask, both acknowledged and nothing in flight for either."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    return gather(_own_crossed(session, replayed, symbol) for symbol in replayed.table.words("symbol").names)


def _own_crossed(session: Session, replayed: Flow, symbol: str) -> Looked:
    lives, prices = replayed.lives, replayed.table.decimals("price")
    rows = np.flatnonzero(replayed.table.words("symbol").is_(symbol))
    rests = (_is_acked(replayed) & ~replayed.is_done & ~replayed.cancel_open & ~replayed.replace_open)[rows]
    at = replayed.price_at[rows]
    direction = replayed.direction[lives.life[rows]]
    rests &= (at >= 0) & (direction != 0) & ~replayed.is_foreign[lives.life[rows]]
    following = lives.upcoming(np.ones(len(replayed), dtype=bool))[rows]
    ends = np.where(following >= 0, np.searchsorted(rows, following), len(rows))
    ranks = np.unique(prices.ints[np.maximum(at, 0)], return_inverse=True)[1].astype(np.int64) + 1
    starts = np.arange(len(rows))
    bids, asks = rests & (direction > 0), rests & (direction < 0)
    none = int(ranks.max(initial=0)) + 1
    best_bid = _highest(starts[bids], ends[bids], ranks[bids], len(rows))
    best_ask = none - _highest(starts[asks], ends[asks], none - ranks[asks], len(rows))
    together = (best_bid > 0) & (best_ask < none)
    crossed = together & (best_bid >= best_ask)
    begun = np.flatnonzero(crossed & ~np.append(False, crossed[:-1])) if len(rows) else starts
    if not begun.size:
        return Looked(int(together.sum()))

    def standing(which: Mask, rank: Rows, moment: int) -> int:
        """Return the row since which an own order rests at a price."""
        mine = np.flatnonzero(which & (starts <= moment) & (ends > moment) & (ranks == rank[moment]))
        return int(rows[mine[-1]])

    pairs = [(standing(bids, best_bid, n), standing(asks, best_ask, n)) for n in begun.tolist()]
    return Looked(int(together.sum()), (_own_breach(session, replayed, symbol, pairs, rows[begun].tolist()),))


def _is_acked(replayed: Flow) -> Mask:
    return np.array([each.is_acked for each in replayed.standings], dtype=bool)[replayed.after]


def _highest(starts: Rows, ends: Rows, values: Rows, size: int) -> Rows:
    """Return the highest value (above 0) of the spans [start, end) over each place, 0 where there is none."""
    lengths = ends - starts
    power = int(lengths.max(initial=1)).bit_length() - 1
    order = np.floor(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    out = np.zeros(size, dtype=np.int64)
    for k in range(power, -1, -1):
        width = 1 << k
        mine = order == k
        np.maximum.at(out, starts[mine], values[mine])
        np.maximum.at(out, ends[mine] - width, values[mine])
        if k:
            half = out.copy()
            half[width // 2 :] = np.maximum(half[width // 2 :], out[: -(width // 2)])
            out = half
    return out


def _own_breach(
    session: Session, replayed: Flow, symbol: str, pairs: list[tuple[int, int]], moments: list[int]
) -> Breach:
    table, instrument = replayed.table, instruments(session)[symbol]
    prices, qtys, names = table.decimals("price"), table.decimals("qty"), table.words("client_order_id")

    def price(row: int) -> Fraction:
        return prices.fraction(int(replayed.price_at[row]))

    def left(row: int) -> Fraction:
        at, cum = int(replayed.qty_at[row]), int(replayed.cum_at[row])
        filled = table.decimals("cum_qty").fraction(cum) if cum >= 0 else Fraction(0)
        return max(qtys.fraction(at) - filled, Fraction(0)) if at >= 0 else Fraction(0)

    def order(row: int) -> str:
        at = int(replayed.id_at[row])
        return names.text(at if at >= 0 else row)

    bid, ask = pairs[0]
    amount = max(_lost(instrument, price(b), price(a), min(left(b), left(a))) for b, a in pairs)
    lines = []
    for (b, a), moment in list(zip(pairs, moments, strict=True))[:_SHOWN]:
        lines += [
            f"{table.where(b)}: bid {order(b)} rests at {decimal_text(price(b))}, {decimal_text(left(b))} left",
            f"{table.where(a)}: ask {order(a)} rests at {decimal_text(price(a))}, {decimal_text(left(a))} left",
            f"from {table.where(moment)} on both rest: {text(price(b))} - {text(price(a))} = "
            f"{decimal_text(price(b) - price(a))}, which should be below 0",
        ]
    return Breach(
        key=symbol, where=places(table, list(dict.fromkeys(row for pair in pairs for row in sorted(pair)))),
        count=len(pairs),
        was=f"the own bid {order(bid)} of {symbol} rested at {decimal_text(price(bid))}, the own ask {order(ask)} at "
        f"{decimal_text(price(ask))}",
        should="own bids below own asks", work=tuple(lines), amount=amount or None, currency=instrument.settle,
        loss="both orders filled, by each other or by others, buy above where they sell: this much on the smaller of "
        "what is left, fees aside; a trade with oneself is forbidden on most venues besides"
        if amount else "both orders filled, by each other or by others, pay two fees and earn nothing; a trade with "
        "oneself is forbidden on most venues besides",
    )  # fmt: skip
