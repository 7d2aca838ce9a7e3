"""Mistakes of spread and pricing."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import floor

from mmverify.defects import Planted, benign, defect
from mmverify.defects.orders import (
    Decision,
    books,
    decisions,
    direction,
    held,
    middle,
    ticks,
    unfilled,
    walk,
)
from mmverify.defects.recording import Recording, Row, shift, text
from mmverify.errors import NotExercised

BPS = Fraction(1, 10_000)

# 1.1.1


@defect("1.1.1", "gross", also="2.1.3")
def skewed_twice_as_far_as_said(recording: Recording) -> Planted:
    """The prices are shifted against the inventory by twice the skew of the quote."""
    for quote in _two_sided(recording):
        if quote.get("skew"):
            quote["skew"] = text(Fraction(quote["skew"]) / 2, quote["skew"])
    return recording.planted()


@defect("1.1.1", "deep", like="hummingbot/hummingbot#3016")
def bid_a_tick_further_out(recording: Recording) -> Planted:
    """One bid is rounded to its tick and then down by another one, the ask is not."""
    chosen = middle(each for each in decisions(recording) if _is_lower(recording, each.quote))
    chosen.move("bid", -_tick(recording, chosen.quote))
    return recording.planted()


def _is_lower(recording: Recording, quote: Row) -> bool:
    """Whether the bid is farther from the centre than the ask, neither held inside the best of the book."""
    centre, tick = Fraction(quote["fair_value"]) + Fraction(quote.get("skew") or 0), _tick(recording, quote)
    bid, ask = Fraction(quote["bid"]), Fraction(quote["ask"])
    at_best = quote.get("best_bid") and ask == Fraction(quote["best_bid"]) + tick
    return 2 * centre - bid - ask > tick / 10 and not at_best


@defect("1.1.1", "deep")
def skew_leans_with_the_position(recording: Recording) -> Planted:
    """One quote of a position beyond half of its limit is shifted so that the position grows."""
    _reskew(recording, lambda share: 2 * abs(share) > 1, lambda quote: -Fraction(quote["skew"]))
    return recording.planted()


@defect("1.1.1", "deep")
def skew_past_its_cap(recording: Recording) -> Planted:
    """The cap on the skew is taken of twice the fair value in one quote."""
    most = Fraction(str(recording.settings.get("quoting", {}).get("max_skew_bps") or 0)) * BPS
    if not most:
        raise NotExercised("the session has no max_skew_bps")
    _reskew(recording, bool, lambda quote: (2 if Fraction(quote["skew"]) > 0 else -2) * most * _fair(quote))
    return recording.planted()


def _reskew(recording: Recording, chosen: Callable[[Fraction], bool], skew: Callable[[Row], Fraction]) -> None:
    """Give the widest quote of a chosen position, as a share of its limit, another skew at the same centre."""
    at, found = held(recording), []
    for quote in _two_sided(recording):
        most = recording.limit(quote["symbol"], "max_position")
        share = at(quote["symbol"], int(quote["ts_local"])) / most if most else Fraction(0)
        if Fraction(quote.get("skew") or 0) * share < 0 and chosen(share):
            found.append(quote)
    if not found:
        raise NotExercised("no quote of the session leans against such a position")
    quote = max(found, key=_width)
    shift(quote, "fair_value", -shift(quote, "skew", skew(quote) - Fraction(quote["skew"])))


# 1.1.2


@defect("1.1.2", "gross")
def least_spread_taken_for_each_side_together(recording: Recording) -> Planted:
    """The bot keeps half of the least spread that it is told to."""
    quoting = recording.edit_settings().setdefault("quoting", {})
    if not quoting.get("min_spread_bps"):
        raise NotExercised("the session has no min_spread_bps")
    quoting["min_spread_bps"] *= 2
    return recording.planted()


@defect("1.1.2", "deep", like="hummingbot/hummingbot#3218")
def spread_of_the_volatility_before(recording: Recording) -> Planted:
    """Volatility rises just past what the spread of one quote pays for, and the spread is not set anew."""
    multiplier = Fraction(str(recording.settings.get("quoting", {}).get("vol_multiplier") or 0))
    quotes = [quote for quote in _two_sided(recording) if quote.get("volatility")]
    if not multiplier or not quotes:
        raise NotExercised("the session has no quote whose spread follows a volatility")
    quote = min(quotes, key=_width)
    unit = Fraction(1, 10 ** len(quote["volatility"].partition(".")[2]))
    quote["volatility"] = text((floor(_width(quote) / multiplier / unit) + 2) * unit, quote["volatility"])
    return recording.planted()


@defect("1.1.2", "deep")
def edge_kept_beyond_one_fee_only(recording: Recording) -> Planted:
    """The least edge is kept beyond one maker fee in place of both: the narrowest quote falls short of it."""
    kept = [
        _width(quote) - 2 * fee
        for quote in _two_sided(recording)
        if (fee := Fraction(recording.instrument(quote["symbol"])["maker_fee"])) > 0
    ]
    if not kept:
        raise NotExercised("no market of the session has a maker fee")
    quoting = recording.edit_settings().setdefault("quoting", {})
    quoting["min_edge_bps"] = float(text(min(kept) / BPS + Fraction(1, 10), "0.00"))
    return recording.planted()


@defect("1.1.2", "gross")
def adverse_times_quoted_as_narrow(recording: Recording) -> Planted:
    """The volatility of quotes stands still, and those that say that times are adverse are the narrowest."""
    at_floor = Fraction(str(recording.settings.get("quoting", {}).get("min_spread_bps") or 0)) * BPS * Fraction(51, 50)
    for quotes in _by_symbol(recording).values():
        free = sorted((q for q in quotes if _width(q) > at_floor + 2 * _tick(recording, q) / _fair(q)), key=_width)
        if len(free) >= 62 and all(quote.get("volatility") for quote in quotes):
            still = min((quote["volatility"] for quote in quotes), key=Fraction)
            for quote in quotes:
                quote.update(volatility=still, state="normal")
            for quote in free[:30]:
                quote["state"] = "adverse"
            return recording.planted()
    raise NotExercised("the session has too few quotes above the least spread")


# 1.1.3


@defect("1.1.3", "gross", also="1.1.2")
def half_spread_below_zero(recording: Recording) -> Planted:
    """A half-spread comes out negative, and a bid is sent above the ask."""
    chosen = middle(decisions(recording))
    quote, half = chosen.quote, 3 * _tick(recording, chosen.quote)
    centre = Fraction(quote["fair_value"]) + Fraction(quote.get("skew") or 0)
    for column, price in (("bid", centre + half), ("ask", centre - half)):
        rounded = ticks(recording, quote["symbol"], price, up=column == "ask")
        chosen.move(column, rounded - Fraction(quote[column]))
    if quote.get("half_spread"):
        quote["half_spread"] = text(-half, quote["half_spread"])
    return recording.planted()


@defect("1.1.3", "deep", also="2.1.3", like="hummingbot/hummingbot#4554")
def post_only_priced_at_the_opposite_best(recording: Recording) -> Planted:
    """A post-only order is priced at the very best price of the other side, which the venue refuses."""
    newest = {(row["symbol"], row["ts_local"]): row for row in recording["quotes"]}
    for leg in unfilled(recording):
        quote = newest.get((leg.sent["symbol"], leg.sent["ts_local"]), {})
        best = quote.get("best_ask" if leg.sent["side"] == "buy" else "best_bid")
        if leg.answer == "reject" and leg.sent.get("post_only") == "true" and best:
            leg.move(Fraction(best) - Fraction(leg.sent["price"]))
            return recording.planted()
    raise NotExercised("no post-only order of the session was refused")


@defect("1.1.3", "deep", also="2.1.3")
def bid_at_the_own_ask(recording: Recording) -> Planted:
    """A bid is moved to the price of an ask of the bot's own, both of them resting."""
    legs = {id(leg.rows[1]): leg for leg in unfilled(recording) if leg.answer != "reject"}
    meetings = []
    rows = recording.edit("order_events")
    for place, live in walk(rows):
        leg = legs.get(id(rows[place]))
        if leg and leg.rows[1]["event"] == leg.answer and leg.rows[1]["side"] == "buy":
            own = [row for row in live.values() if row["symbol"] == leg.sent["symbol"] and _rests(row, "sell")]
            meetings += [(leg, Fraction(min(own, key=lambda row: Fraction(row["price"]))["price"]))] if own else []
    leg, price = middle(meetings)
    leg.move(price - Fraction(leg.sent["price"]))
    return recording.planted()


def _rests(row: Mapping[str, str], side: str) -> bool:
    """Whether an order rests with nothing of it on its way."""
    return row["side"] == side and row.get("state") in ("NEW", "PARTIALLY_FILLED") and bool(row.get("price"))


# 1.1.4


@defect("1.1.4", "gross")
def mid_of_the_decision_before(recording: Recording) -> Planted:
    """The mid that a quote states is that of the decision before it."""
    last: dict[str, str] = {}
    for (symbol, _), group in groupby(_two_sided(recording), key=lambda quote: (quote["symbol"], quote["ts_local"])):
        for quote in list(group):
            now, quote["mid"] = quote["mid"], last.get(symbol, quote["mid"])
        last[symbol] = now
    return recording.planted()


@defect("1.1.4", "deep", also="1.3.2 1.4.2")
def odd_lots_make_the_mid(recording: Recording) -> Planted:
    """The least quantity of a level that makes the mid is stated and not kept, where one best level is below it."""
    quotes = {(row["symbol"], row.get("book_seq")) for row in recording["quotes"] if row.get("mid")}
    least = Decimal(recording.convention("mid_min_qty", "0"))
    sizes = []
    for symbol, view in books(recording):
        bid, ask = view.best(least)
        if (symbol, str(view.seq)) in quotes and bid is not None and ask is not None:
            sizes += [view.levels["bid"][bid], view.levels["ask"][ask]]
    if not sizes:
        raise NotExercised("no quote of the session names the book of its mid")
    smallest = min(sizes)
    stated = recording.edit_settings().setdefault("conventions", {})
    stated["mid_min_qty"] = format(smallest + Decimal(1).scaleb(Decimal(smallest.as_tuple().exponent)), "f")
    return recording.planted()


@defect("1.1.4", "deep")
def mid_of_a_book_with_one_side(recording: Recording) -> Planted:
    """While one side of the book is empty, the mid is the last one that there was."""
    times: dict[str, list[int]] = defaultdict(list)
    bare: dict[str, list[bool]] = defaultdict(list)
    for symbol, view in books(recording):
        times[symbol].append(view.ts_local)
        bare[symbol].append(None in view.best())
    last: dict[str, str] = {}
    for quote in recording.edit("quotes"):
        symbol = quote["symbol"]
        count = bisect_left(times[symbol], int(quote["ts_local"]))
        if count and bare[symbol][count - 1] and not quote.get("mid") and symbol in last:
            quote["mid"] = last[symbol]
            return recording.planted()
        last[symbol] = quote.get("mid") or last.get(symbol, "")
    raise NotExercised("no quote of the session is decided on a book with one side")


# 1.1.5


@defect("1.1.5", "gross", also="1.1.6 2.1.3 2.3.1")
def prices_multiplied_in_binary(recording: Recording) -> Planted:
    """Prices are a count of ticks times the tick in binary floating point, and sent as they print."""
    noisy = _printed(recording)
    for quote in recording.edit("quotes"):
        for column in ("bid", "ask"):
            quote[column] = noisy(quote["symbol"], quote[column])
    for row in recording.edit("order_events"):
        row["price"] = noisy(row["symbol"], row["price"])
    return recording.planted()


@defect("1.1.5", "deep", also="1.1.6 2.1.3")
def one_ask_added_in_binary(recording: Recording) -> Planted:
    """One ask is a sum of binary fractions, and sent as it prints."""
    noisy = _printed(recording)
    for chosen in decisions(recording):
        was = chosen.quote["ask"]
        now = noisy(chosen.quote["symbol"], was)
        if len(now) > len(was):
            chosen.quote["ask"] = now
            for row in (row for leg in chosen.legs["ask"] for row in leg.rows):
                row["price"] = now if row["price"] == was else row["price"]
            return recording.planted()
    raise NotExercised("no price of the session prints with noise")


def _printed(recording: Recording) -> Callable[[str, str], str]:
    """Return what prints a price as the float product of ticks and tick; where that is clean, the price as it was."""
    steps = {row["symbol"]: Fraction(row["tick_size"]) for row in recording["instruments"]}

    def printed(symbol: str, price: str) -> str:
        noisy = repr(float(round(Fraction(price) / steps[symbol])) * float(steps[symbol])) if price else price
        return noisy if price and Fraction(noisy) != Fraction(price) else price

    return printed


@defect("1.1.5", "deep", also="1.3.3 1.3.4")
def total_summed_in_binary(recording: Recording) -> Planted:
    """One total is a sum in floating point of few digits, and off by a few units of its last one."""
    rows = recording.edit("pnl")
    places = [place for place, row in enumerate(rows) if row.get("total") and row["symbol"] != "*"]
    row = rows[middle(places)]
    unit = Fraction(1, 10 ** len(row["total"].partition(".")[2]))
    return recording.planted(abs(shift(row, "total", 4 * unit)), row.get("currency") or "")


# 1.1.6


@defect("1.1.6", "gross", also="1.1.5", like="TorchTrade/torchtrade#197")
def closing_orders_priced_by_a_share(recording: Recording) -> Planted:
    """Orders that close a position are priced by a share of the best price, and not rounded to a tick."""
    for row in recording.edit("order_events"):
        if row.get("price") and not (row.get("intent") or "").startswith("quote_"):
            row["price"] = _between(recording, row["symbol"], row["price"], direction(row))
    return recording.planted()


@defect("1.1.6", "deep", also="1.1.5 2.1.3")
def replacement_not_on_a_tick(recording: Recording) -> Planted:
    """One replacement is priced between two ticks."""
    replaced = [each for each in decisions(recording) if any(leg.answer == "replace_ack" for leg in each.legs["bid"])]
    chosen = middle([each for each in replaced if _is_plain(recording, each)] or replaced)
    was = chosen.quote["bid"]
    chosen.quote["bid"] = _between(recording, chosen.quote["symbol"], was, 1)
    for row in (row for leg in chosen.legs["bid"] for row in leg.rows):
        row["price"] = chosen.quote["bid"] if row["price"] == was else row["price"]
    return recording.planted()


def _is_plain(recording: Recording, chosen: Decision) -> bool:
    """Whether a price between two ticks may have no more digits than the tick."""
    return _tick(recording, chosen.quote).numerator != 1 or _tick(recording, chosen.quote).denominator % 10 != 0


def _between(recording: Recording, symbol: str, price: str, way: int) -> str:
    """Return a price less than half a tick away, with no more digits than the tick where that can be."""
    tick = Decimal(recording.instrument(symbol)["tick_size"])
    unit = Decimal(1).scaleb(Decimal(tick.as_tuple().exponent))
    return format(Decimal(price) + way * (tick / 10 * 3 if unit == tick else unit), "f")


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def prices_with_a_zero_more(recording: Recording) -> Planted:
    """Prices are written with a zero behind the digits of their tick."""
    for table, columns in (("quotes", ("bid", "ask")), ("order_events", ("price",))):
        for row in recording.edit(table):
            for column in columns:
                row[column] += "0" if "." in (row.get(column) or "") else ""
    return recording.planted()


@benign()
def levels_written_in_another_order(recording: Recording) -> Planted:
    """The quotes of one instant are written the other way round."""
    rows = recording.edit("quotes")
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row["ts_local"])]
    rows[:] = [row for group in groups for row in reversed(group)]
    return recording.planted()


@benign()
def small_position_not_leant_against(recording: Recording) -> Planted:
    """The skew of one quote has the sign of the position, which is far below its limit."""
    _reskew(recording, lambda share: 2 * abs(share) < 1, lambda quote: -Fraction(quote["skew"]) / 2)
    return recording.planted()


@benign()
def ask_not_quoted(recording: Recording) -> Planted:
    """One quote has no ask, and no order of the bot's is at that price."""
    bare = middle(each for each in decisions(recording) if not each.legs["ask"])
    bare.quote.update({"ask": "", "ask_qty": ""} if "ask_qty" in bare.quote else {"ask": ""})
    return recording.planted()


# --- what they share --------------------------------------------------------------------------------------------------


def _two_sided(recording: Recording) -> list[Row]:
    """Return the quotes of both sides, to be edited."""
    return [row for row in recording.edit("quotes") if row["bid"] and row["ask"] and row["fair_value"]]


def _by_symbol(recording: Recording) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for quote in _two_sided(recording):
        found[quote["symbol"]].append(quote)
    return found


def _fair(quote: Row) -> Fraction:
    return Fraction(quote["fair_value"])


def _width(quote: Row) -> Fraction:
    """Return the spread as a share of the fair value."""
    return (Fraction(quote["ask"]) - Fraction(quote["bid"])) / _fair(quote)


def _tick(recording: Recording, quote: Row) -> Fraction:
    return Fraction(recording.instrument(quote["symbol"])["tick_size"])
