"""1.1 Spread and pricing."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from statistics import median

from audit.market import Book, last_known, venues
from audit.prices import mid_of
from audit.recorded import Recorded, Row, Seen, digits, is_true, ns, number, place, remember, seen, shown
from audit.s1_3 import fees, funding, own_currency, realized, with_fills
from audit.s2_1 import slack
from audit.state import ZERO, Desk, Order, given, history, positions, quotes_behind, walk

BPS = Fraction(1, 10_000)
MILLIONTH = Fraction(1, 10**6)


def i1_1_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    max_skew = session.quoting("max_skew_bps")
    for row in session["quotes"]:
        symbol, ts = row["symbol"], ns(row["ts_local"])
        fair, skew, where = number(row["fair_value"]), number(row["skew"]), place("quotes", row)
        tick = number(session.instrument(symbol, ts)["tick_size"])
        sides = given(row, "bid", "ask")
        looked = False
        if sides and fair is not None and tick and not _is_clipped(session, row, tick):
            looked = True
            centre = fair + (skew or 0)
            below, above = centre - sides[0], sides[1] - centre
            if abs(above - below) > tick + 2 * slack(session, row, "fair_value", "skew"):
                violations.append(f"{where} half-spreads were {shown(below)} and {shown(above)}, should be equal")
        max_position = session.limit(symbol, "max_position")
        if skew is not None and max_position is not None:
            looked = True
            if all(abs(held) > max_position / 2 and held * skew > 0 for held in positions(session, symbol, ts)):
                violations.append(f"{where} skew was {shown(skew)}, should lean against the position")
        if skew is not None and fair is not None and max_skew is not None:
            looked = True
            if abs(skew) > max_skew * BPS * fair + session.half_unit("quotes", "skew"):
                violations.append(f"{where} skew was {shown(skew)}, should be within max_skew_bps")
        exercised += looked
    return seen(exercised, violations)


def _is_clipped(session: Recorded, row: Row, tick: Fraction) -> bool:
    """Whether a side stands one tick inside the opposite best of the book that it was based on."""
    bid, ask = number(row["bid"]), number(row["ask"])
    best_bids, best_asks = {number(row["best_bid"])}, {number(row["best_ask"])}
    if best_bids == {None} and best_asks == {None}:
        books = last_known(session, row["symbol"], ns(row["ts_local"]))
        best_bids = {None if book.best[0] is None else Fraction(book.best[0]) for book in books}
        best_asks = {None if book.best[1] is None else Fraction(book.best[1]) for book in books}
    by_ask = any(best is not None and bid == best - tick for best in best_asks)
    return by_ask or any(best is not None and ask == best + tick for best in best_bids)


def i1_1_2(session: Recorded) -> Seen:
    by_volatility, floor = session.quoting("vol_multiplier"), session.quoting("min_spread_bps")
    if by_volatility is None and floor is None:
        return seen(0, ())
    edge = session.quoting("min_edge_bps") or ZERO
    exercised, violations = 0, []
    spreads: dict[str, list[tuple[Row, Fraction, Fraction | None, bool]]] = defaultdict(list)
    for row in session["quotes"]:
        prices = given(row, "bid", "ask", "fair_value")
        if prices is None:
            continue
        exercised += 1
        bid, ask, fair = prices
        spread, where = ask - bid, place("quotes", row)
        instrument = session.instrument(row["symbol"], ns(row["ts_local"]))
        tick, volatility = number(instrument["tick_size"]) or ZERO, number(row["volatility"])
        rounding = session.half_unit("quotes", "fair_value") * MILLIONTH
        if floor is not None and spread < floor * BPS * fair - rounding:
            violations.append(
                f"{where} spread was {shown(spread)}, should be {shown(floor * BPS * fair)} by min_spread_bps"
            )
        if by_volatility is not None and volatility is not None:
            slack = session.half_unit("quotes", "volatility") * by_volatility * fair
            if spread < by_volatility * volatility * fair - slack - rounding:
                should = by_volatility * volatility * fair
                violations.append(f"{where} spread was {shown(spread)}, should be {shown(should)} by vol_multiplier")
        maker = number(instrument["maker_fee"])
        if maker is not None and spread < min(2 * fair, bid + ask) * maker + edge * BPS * fair - rounding:
            violations.append(f"{where} spread was {shown(spread)}, should pay both maker fees and min_edge_bps")
        at_floor = spread <= tick or (floor is not None and spread < floor * BPS * fair + 2 * tick)
        spreads[row["symbol"]].append((row, spread / fair, volatility, at_floor))
    for symbol, quotes in spreads.items():
        violations += _unwidened(symbol, quotes)
    return seen(exercised, violations)


def _unwidened(symbol: str, quotes: list[tuple[Row, Fraction, Fraction | None, bool]]) -> list[str]:
    """Say where the median spread of adverse or volatile quotes is not above that of the calmer half."""
    volatilities = sorted(volatility for _, _, volatility, _ in quotes if volatility is not None)
    if not volatilities:
        return []
    half, top = volatilities[(len(volatilities) - 1) // 2], volatilities[len(volatilities) * 9 // 10]
    free = [(row, spread, volatility) for row, spread, volatility, at_floor in quotes if not at_floor]
    calm = [s for row, s, v in free if v is not None and v <= half and row["state"] != "adverse"]
    groups = {"adverse": [s for row, s, _ in free if row["state"] == "adverse"]}
    if top > half:
        groups["volatile"] = [s for _, s, v in free if v is not None and v >= top]
    return [
        f"quotes of {symbol}: median {name} spread was {shown(median(group))}, should be above {shown(median(calm))}"
        for name, group in groups.items()
        if len(group) >= 30 and len(calm) >= 30 and median(group) <= median(calm)
    ]


def i1_1_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row in session["quotes"]:
        sides = given(row, "bid", "ask")
        exercised += sides is not None
        if sides and sides[0] >= sides[1]:
            violations.append(f"{place('quotes', row)} bid was {row['bid']}, should be below the ask {row['ask']}")
    pairs: dict[tuple[str, str], bool] = {}
    desk = Desk()
    for row, desk in walk(session):
        if row["event"] in ("submit", "replace_request"):
            order = desk.of(row) if row["event"] == "replace_request" else None
            post_only = is_true(row["post_only"]) or (order is not None and is_true(order.row["post_only"]))
            price = number(row["price"])
            is_bid = row["side"] == "buy"
            best = _best_behind(session, row, price, is_bid)
            if post_only and price is not None and best is not None:
                exercised += 1
                if price >= best if is_bid else price <= best:
                    violations.append(
                        f"{place('order_events', row)} post_only price was {row['price']}, should not take"
                    )
        violations += _crossed(desk, row["symbol"], f"order_events before {row['#']}", pairs)
    for symbol in session.instruments:
        violations += _crossed(desk, symbol, "order_events at the end", pairs)
    return seen(exercised + len(pairs), violations)


def _best_behind(session: Recorded, row: Row, price: Fraction | None, is_bid: bool) -> Fraction | None:
    """Return the opposite best of the decision behind an order: the newest, of those at its price if there are any."""
    behind = quotes_behind(session, row)
    own = [quote for quote in behind if number(quote["bid" if is_bid else "ask"]) == price]
    return number((own or behind)[-1]["best_ask" if is_bid else "best_bid"]) if behind else None


def _crossed(desk: Desk, symbol: str, where: str, pairs: dict[tuple[str, str], bool]) -> list[str]:
    """Say which own bids stand at or above own asks, each of the pairs that stood together once."""
    resting = [order for order in desk.open[symbol] if _rests(order) and order.price is not None]
    out = []
    for bid in (order for order in resting if order.side == "buy"):
        for ask in (order for order in resting if order.side == "sell"):
            crosses = (bid.price or ZERO) >= (ask.price or ZERO)
            if crosses and not pairs.get((bid.id, ask.id)):
                out.append(
                    f"{where}: own bid {bid.id} was {shown(bid.price)}, should be below {ask.id} {shown(ask.price)}"
                )
            pairs[bid.id, ask.id] = crosses
    return out


def _rests(order: Order) -> bool:
    return order.is_acked and not order.cancel_open and order.replace_open is None


def i1_1_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    half_unit = session.half_unit("quotes", "mid")
    for row in session["quotes"]:
        mid = number(row["mid"])
        mids = [mid_of(session, book) for book in _based_on(session, row)]
        if mid is None or not mids:
            continue
        exercised += 1
        if not any(should is not None and abs(mid - should) <= half_unit for should in mids):
            violations.append(f"{place('quotes', row)} mid was {shown(mid)}, should be {shown(mids[-1])}")
    return seen(exercised, violations)


def _based_on(session: Recorded, row: Row) -> list[Book]:
    """Return the book that a quote names by its seq, if it had come; else those that may be the last known."""
    ts, symbol = ns(row["ts_local"]), row["symbol"]
    named = [book for book in _numbered(session, symbol).get(row["book_seq"], ()) if book.since <= ts]
    return named[-1:] or last_known(session, symbol, ts)


@remember
def _numbered(session: Recorded, symbol: str) -> dict[str, list[Book]]:
    out: dict[str, list[Book]] = defaultdict(list)
    for book in venues(session)[symbol].books if symbol in venues(session) else ():
        out[str(book.seq)].append(book)
    return out


def i1_1_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for table, row, column in _sent_prices(session):
        tick = session.instrument(row["symbol"], ns(row["ts_local"]))["tick_size"]
        if number(row[column]) is not None and tick:
            exercised += 1
            if _least_digits(row[column]) > _least_digits(tick):
                violations.append(
                    f"{place(table, row)} {column} was {row[column]}, should have no more digits than {tick}"
                )
    for row in session["pnl"]:
        parts = given(row, "realized", "unrealized", "fees", "funding", "total")
        if parts:
            exercised += 1
            realized, unrealized, fees, funding, total = parts
            net = session.conventions.get("realized") == "net"
            exact = realized + unrealized + funding - (0 if net else fees)
            names = ("realized", "unrealized", "fees", "funding", "total")
            if abs(total - exact) > sum(session.half_unit("pnl", name) for name in names):
                violations.append(f"{place('pnl', row)} total was {shown(total)}, should be {shown(exact)}")
        if row["symbol"] in with_fills(session):
            violations += _drifts(session, row)
    return seen(exercised, violations)


def _drifts(session: Recorded, row: Row) -> list[str]:
    """Say where a sum of money is off the exact one, though by less than a millionth: more is another mistake."""
    ts, symbol, currency = ns(row["ts_local"]), row["symbol"], own_currency(session, row)
    sums = {
        "fees": fees(session, symbol, ts, currency),
        "realized": realized(session, symbol, ts, currency, history(session, symbol)),
        "funding": funding(session, symbol, ts, currency),
    }
    out = []
    for column, spans in sums.items():
        claim = number(row[column])
        if claim is None or not spans:
            continue
        off = min(abs(claim - end) for span in spans for end in span)
        if session.half_unit("pnl", column) < off <= max(MILLIONTH * abs(claim), Fraction(1, 10**9)):
            out.append(f"{place('pnl', row)} {column} was {row[column]}, off the exact sum by {shown(off)}")
    return out


def i1_1_6(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for table, row, column in _sent_prices(session):
        price = number(row[column])
        tick = number(session.instrument(row["symbol"], ns(row["ts_local"]))["tick_size"])
        if price is not None and tick:
            exercised += 1
            if (price / tick).denominator != 1:
                violations.append(
                    f"{place(table, row)} {column} was {row[column]}, should be a multiple of {shown(tick)}"
                )
    return seen(exercised, violations)


def _sent_prices(session: Recorded) -> list[tuple[str, Row, str]]:
    """Return where each price to be sent stands."""
    sent = [("quotes", row, column) for row in session["quotes"] for column in ("bid", "ask")]
    events = [row for row in session["order_events"] if row["event"] in ("submit", "replace_request")]
    return sent + [("order_events", row, "price") for row in events]


def _least_digits(text: str) -> int:
    """Return the decimals of a number without its trailing zeros."""
    return digits(text.rstrip("0")) if "." in text and "e" not in text.lower() else digits(text)
