"""Section 2.1, order construction: side, size, price, type, id and time in force of each order that is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_1_prices as prices
from mmverify.checks import s2_1_sizes as sizes
from mmverify.checks.known import Rows
from mmverify.checks.orderflow_lives import codes_in
from mmverify.checks.s2_1_sent import (
    BUYS,
    QUOTES,
    REFUSED,
    SELLS,
    SHOWN,
    Places,
    Sent,
    largest,
    orders_sent,
    quotes_behind,
)  # fmt: skip
from mmverify.numeric import Mask
from mmverify.session.load import Session

_CLOSES = ("close_long", "close_short")
_LIMITS = ("limit", "limit_maker")
_AT_ONCE = ("ioc", "fok")
_ROW = 3  # ids that come again in the order of their first use before a counter is blamed


# --- 2.1.1 ------------------------------------------------------------------------------------------------------------


def order_side(session: Session) -> Looked:
    """An order buys where its intent is to buy, and sells where it is to sell."""
    sent = orders_sent(session)
    buys, sells, side = sent.among("intent", *BUYS), sent.among("intent", *SELLS), sent.codes("side")
    judged = (buys | sells) & (side >= 0)
    sided = np.where(buys, sent.among("side", "buy"), sent.among("side", "sell"))
    silent = int(np.sum((buys | sells) & (side < 0)))
    notes = (f"{silent} orders with an intent have no side: not judged",) if silent else ()
    closes = judged & sent.among("intent", *_CLOSES)
    found = []
    for symbol, places in sent.by_symbol(judged & ~sided):
        of_symbol = sent.table.words("symbol").is_(symbol)[sent.rows]
        all_closes = bool(closes[places].all()) and int(np.sum(closes & of_symbol)) == len(places)
        found.append(_wrong_side(sent, symbol, places, all_closes and len(places) > 1))
    return Looked(int(judged.sum()), tuple(found), notes)


def _wrong_side(sent: Sent, symbol: str, places: Places, all_closes: bool) -> Breach:
    def harm(place: int) -> Fraction | None:
        qty = sent.number(place, "qty")
        return None if qty is None else sent.worth(place, 2 * abs(qty))

    chosen = sent.sample(places, np.abs(sent.floats(places, "qty")), [sent.floats(places, "price")])
    first, amount = places[0], largest(harm(places[n]) for n in chosen)
    intent, side = sent.text(first, "intent"), sent.text(first, "side")
    loss = "the position ends up off by twice the order's quantity"
    return Breach(
        key=symbol, where=sent.where(places), count=len(places),
        was=f"{sent.name(first)} of {symbol}, meant as {intent}, was a {side}",
        should="buy" if side == "sell" else "sell",
        work=(
            *(sent.line(place, "intent", "side", "price", "qty") for place in places[:SHOWN]),
            f"{', '.join(BUYS)} buy; {', '.join(SELLS)} sell",
        ),
        amount=amount, currency=sent.settle(first),
        loss=f"{loss}: 2 x qty at its price, where it is most" if amount is not None else loss,
        cause="every order that closes is sent with the side that opens" if all_closes else "",
    )  # fmt: skip


# --- 2.1.2 and 2.1.3 --------------------------------------------------------------------------------------------------


def order_size(session: Session) -> Looked:
    """A quantity is positive, of whole lots, and within the limits of the venue and of the bot, as is its notional."""
    return sizes.order_size(session)


def price_on_tick(session: Session) -> Looked:
    """The price of a quoting order is a multiple of the tick."""
    return prices.price_on_tick(session)


def price_of_quote(session: Session) -> Looked:
    """The price of a quoting order is that of the quote behind it."""
    return prices.price_of_quote(session)


def rounded_outward(session: Session) -> Looked:
    """A bid is at or below fair_value + skew - half_spread, an ask at or above fair_value + skew + half_spread."""
    return prices.rounded_outward(session)


# --- 2.1.4 ------------------------------------------------------------------------------------------------------------


def order_type(session: Session) -> Looked:
    """An order's type is one that its market offers, a limit order for a quote, and no market order is post-only."""
    sent = orders_sent(session)
    given, quotes, post_only = sent.codes("type") >= 0, sent.among("intent", *QUOTES), sent.says("post_only")
    has_list, is_listed = sent.listed("type", "order_types")
    types = sent.table.words("type").names
    at_market = sent.among("type", *(each.lower() for each in types if "market" in each.lower()))
    rules = (
        ("post_only", post_only & at_market, lambda place: "no post_only on an order that takes what rests",
         "the venue refuses it, or ignores one of the two"),
        ("quote", quotes & ~sent.among("type", *_LIMITS), lambda place: "limit, for a quote",
         "a quote that does not rest at its price trades at any other and pays the taker's fee"),
        ("type", has_list & ~is_listed, lambda place: f"one of {sent.offered(place, 'order_types')}", REFUSED),
    )  # fmt: skip
    exercised = given & (has_list | quotes | post_only)
    return _ruled(sent, exercised, "type", ("type", "intent", "post_only"), rules)


def _ruled(
    sent: Sent, judged: Mask, name: str, columns: tuple[str, ...],
    rules: tuple[tuple[str, Mask, Callable[[int], str], str], ...], notes: tuple[str, ...] = (),
) -> Looked:  # fmt: skip
    """Word what breaks each rule on a column; an order is counted under the first that it breaks."""
    left, found = judged.copy(), []
    for rule, broken, should, loss in rules:
        for symbol, places in sent.by_symbol(left & broken):
            first = places[0]
            found.append(Breach(
                key=f"{symbol} {rule}", where=sent.where(places), count=len(places),
                was=f"{name} of {sent.name(first)} of {symbol} was {sent.text(first, name)}", should=should(first),
                work=tuple(sent.line(place, *columns) for place in places[:SHOWN]), amount=None, currency="", loss=loss,
            ))  # fmt: skip
        left &= ~broken
    return Looked(int(judged.sum()), tuple(found), notes)


# --- 2.1.5 ------------------------------------------------------------------------------------------------------------


def unique_ids(session: Session) -> Looked:
    """No client_order_id is submitted twice."""
    sent = orders_sent(session)
    named, silent = _named(sent)
    codes = sent.codes("client_order_id")[named]
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    earlier = named[first[which]] if len(named) else named
    again = np.flatnonzero(earlier != named)
    notes = (f"{silent} orders were sent without a client_order_id: not judged",) if silent else ()
    if not again.size:
        return Looked(len(named), (), notes)
    places, used = named[again].tolist(), earlier[again].tolist()

    currency = sent.settle(places[0])

    def harm(place: int) -> Fraction | None:
        qty = sent.number(place, "qty")
        return None if qty is None or sent.settle(place) != currency else sent.worth(place, abs(qty))

    in_order = len(used) >= _ROW and bool(np.all(np.diff(used) > 0))
    amount = largest(harm(place) for pair in zip(places, used, strict=True) for place in pair)
    loss = "one of two orders that the bot cannot tell apart: the fills, cancels and rejects of both go to one"
    return Looked(len(named), (
        Breach(
            key="client_order_id", where=sent.where(places), count=len(places),
            was=f"{sent.name(places[0])} was sent again", should="an id that no order had before",
            work=tuple(
                sent.line(place, "symbol", "side", "price", "qty")
                for pair in zip(used[:2], places[:2], strict=True) for place in pair
            ),
            amount=amount, currency=currency,
            loss=f"{loss}; the largest in {currency}, at its price" if amount is not None else loss,
            cause="the ids come again in the order of their first use: their counter began anew" if in_order else "",
        ),
    ), notes)  # fmt: skip


def _named(sent: Sent) -> tuple[Rows, int]:
    """Return the places where an id is given to an order, and how many are sent without one."""
    ids = sent.table.words("client_order_id")
    own, orig = ids.codes[sent.rows], codes_in(sent.table.words("orig_client_order_id"), ids)[sent.rows]
    stays = sent.flow.is_("replace_request")[sent.rows] & ((orig == -1) | (orig == own))
    silent = own < 0
    return np.flatnonzero(~stays & ~silent), int(np.sum(~stays & silent))


def id_form(session: Session) -> Looked:
    """Each client_order_id has the form that the venue asks for, where session.toml states it."""
    form = session.settings.get("session", {}).get("client_order_id")
    if form is None:
        return Looked(0, (), ("[session] client_order_id is not stated: the form of ids is not judged",))
    sent = orders_sent(session)
    named, _ = _named(sent)
    ids = sent.table.words("client_order_id")
    codes, used = np.unique(ids.codes[sent.rows[named]], return_inverse=True)
    pattern = re.compile(form)
    fits = np.array([bool(pattern.fullmatch(ids.names[code])) for code in codes.tolist()], dtype=bool)
    wrong = named[~fits[used]].tolist()
    if not wrong:
        return Looked(len(named))
    lengths = ", ".join(f"{sent.name(place)} has {len(sent.name(place))} characters" for place in wrong[:SHOWN])
    return Looked(len(named), (
        Breach(
            key="form", where=sent.where(wrong), count=len(wrong),
            was=f"client_order_id was {sent.name(wrong[0])}", should=f"of the form {form}",
            work=(*(sent.line(place, "symbol", "side") for place in wrong[:SHOWN]), lengths), amount=None, currency="",
            loss="the venue refuses the order, or cuts its id, so that no report of it finds the order again",
        ),
    ))  # fmt: skip


# --- 2.1.6 ------------------------------------------------------------------------------------------------------------


def time_in_force(session: Session) -> Looked:
    """An order's time in force is one that its market offers, lets a quote rest, and ends where it names a date."""
    sent = orders_sent(session)
    given, at_once = sent.codes("tif") >= 0, sent.among("tif", *_AT_ONCE)
    quotes = sent.among("intent", *QUOTES)
    has_list, is_listed = sent.listed("tif", "tifs")
    open_end = given & sent.among("tif", "gtd") & (sent.at("ts_expires") < 0)
    unseen = open_end & quotes & (not session.has("quotes"))
    dateless = (open_end & ~unseen) & ~_dated_by_quote(sent, open_end & quotes & ~unseen)
    notes: tuple[str, ...] = ()
    if unseen.any():
        notes = (f"{int(unseen.sum())} quotes are GTD without ts_expires, and no quotes are recorded: not judged",)
    rules = (
        ("quote", quotes & at_once, lambda place: "one that lets a quote rest, such as GTC",
         "a quote that may not rest is gone at once: nothing is quoted, and what it meets it takes at the taker's fee"),
        ("post_only", sent.says("post_only") & at_once, lambda place: "one that lets a post_only order rest",
         "an order that may neither take nor rest never trades"),
        ("tif", has_list & ~is_listed, lambda place: f"one of {sent.offered(place, 'tifs')}", REFUSED),
        ("GTD", dateless, lambda place: "with a ts_expires, of the order or of the quote behind it",
         "the venue refuses it, or lets it rest until somebody cancels it"),
    )  # fmt: skip
    return _ruled(sent, given, "tif", ("tif", "intent", "post_only", "ts_expires"), rules, notes)


def _dated_by_quote(sent: Sent, which: Mask) -> Mask:
    """Return which orders have a time of expiry from the quote behind them: their own, else the newest."""
    out = np.zeros(len(sent), dtype=bool)
    if not which.any():
        return out
    behind = quotes_behind(sent, which)
    own = prices.own_quotes(sent, behind)
    quote = np.where(own >= 0, own, behind.last)
    expires = sent.session.table("quotes", "ts_expires").whole("ts_expires")
    out[behind.places] = (quote >= 0) & ~expires.missing[quote]
    return out
