"""What mistakes of P&L are made on: closing fills, fees at their rate, sums, balances; and what they cost."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from mmverify.defects import Planted
from mmverify.defects.rebook import Books, Cost, Rates, Report, rebook
from mmverify.defects.recording import Recording, Row, text
from mmverify.errors import NotExercised


def at_their_cost(recording: Recording, costs: Mapping[str, Cost], column: str) -> Planted:
    """Return what was planted, at the most that a claim of a column is off by."""
    return recording.planted(*needed(costs, column))


def needed(costs: Mapping[str, Cost], column: str) -> Cost:
    """Return what a column is off by at most.

    Raises
    ------
    NotExercised
        If no claim of it differs.
    """
    if column not in costs:
        raise NotExercised(f"no claim of {column} in the session differs by it")
    return costs[column]


def true_books(recording: Recording) -> Books:
    """Return the books as the session's own records and conventions give them."""
    basis = recording.convention("cost_basis", "fifo")
    return Books(recording, recording["fills"], recording["funding"], cost_basis=basis, contract=lambda each: each)


def session_currency(recording: Recording) -> str:
    """Return the reporting currency."""
    return str(recording.settings["session"].get("currency", ""))


def is_in_base(recording: Recording, row: Report) -> bool:
    """Whether a fee moves the position."""
    instrument = recording.instrument(row["symbol"])
    return instrument["kind"] == "spot" and row["fee_asset"] == instrument["base"]


def is_plain(recording: Recording, row: Report) -> bool:
    """Whether a fill is an ordinary one with a fee in its settlement currency."""
    return (row.get("kind") or "trade") == "trade" and row["fee_asset"] == settlement(recording, row)


def settlement(recording: Recording, row: Report) -> str:
    """Return the settlement currency of a row's symbol."""
    instrument = recording.instrument(row["symbol"])
    return instrument.get("settle") or instrument["base" if instrument["kind"] == "inverse" else "quote"]


def closing_fills(recording: Recording) -> set[int]:
    """Return the places of the fills that only take away from a position."""
    rows, books, found = recording["fills"], true_books(recording), set[int]()
    for place in sorted(range(len(rows)), key=lambda n: int(rows[n]["ts_local"])):
        row, ts = rows[place], int(rows[place]["ts_local"])
        before = books.at(ts - 1)[row["symbol"]].position
        after = books.at(ts)[row["symbol"]].position
        is_whole = abs(before - after) == Decimal(row["qty"])
        if is_whole and abs(after) < abs(before) and before * after >= 0 and not row.get("correction_of"):
            found.add(place)
    return found


def apart(recording: Recording, row: Report, price: str) -> Fraction:
    """Return what a fill gains or loses at another price, in its settlement currency."""
    instrument, (now, other) = recording.instrument(row["symbol"]), (Fraction(row["price"]), Fraction(price))
    by = 1 / now - 1 / other if instrument["kind"] == "inverse" else now - other
    return abs(by) * Fraction(row["qty"]) * Fraction(instrument.get("multiplier") or 1)


def last_marks(recording: Recording, kind: str) -> Callable[[Row], str]:
    """Return the price of a type that was last known at a row of pnl, its own where none was."""
    known: dict[str, tuple[list[int], list[str]]] = defaultdict(lambda: ([], []))
    for mark in recording["marks"]:
        if mark.get(kind):
            times, prices = known[mark["symbol"]]
            times.append(int(mark.get("ts_local") or mark["ts_exchange"]))
            prices.append(mark[kind])

    def price(row: Row) -> str:
        times, prices = known[row["symbol"]]
        place = bisect_right(times, int(row["ts_local"]))
        own = row.get("price") or ""
        return prices[place - 1] if own and place else own

    return price


def next_prices(recording: Recording) -> list[tuple[int, str]]:
    """Return places of claims of open profit in the later half, in order, each with the price of its symbol's next."""
    rows, newest, found = recording["pnl"], dict[str, str](), []
    for place in reversed(range(len(rows) // 2, len(rows))):
        row = rows[place]
        if row["symbol"] != "*" and row.get("price") and row.get("unrealized"):
            if row["symbol"] in newest:
                found.append((place, newest[row["symbol"]]))
            newest[row["symbol"]] = row["price"]
    return found[::-1]


def charged_at_the_rate(recording: Recording, symbol: str, asset: str) -> Iterator[Report]:
    """Yield the maker fills of a symbol whose fee is of its instrument's rate, in an asset, each once."""
    met = set()
    for row in recording["fills"]:
        is_rated = (row.get("kind") or "trade") == "trade" and not row.get("fee_rate")
        if row["symbol"] == symbol and row["fee_asset"] == asset and row["liquidity"] == "maker" and is_rated:
            if row["exec_id"] not in met:
                yield row
            met.add(row["exec_id"])


def sums_of(recording: Recording, *, every: bool = False) -> Iterator[tuple[Row, dict[str, Row]]]:
    """Yield each row of all symbols, to be edited, and by symbol what it sums; rows of its own currency, or `every`."""
    by_time: dict[str, list[Row]] = defaultdict(list)
    for row in recording.edit("pnl"):
        by_time[row["ts_local"]].append(row)
    for rows in by_time.values():
        for star in (row for row in rows if row["symbol"] == "*"):
            own = star.get("currency") or session_currency(recording)
            parts = {row["symbol"]: row for row in rows if row["symbol"] != "*" and (every or row["currency"] == own)}
            yield star, parts


def orders_at_once(recording: Recording) -> Iterator[list[int]]:
    """Yield by order the places of its executions, where no claim was made between them."""
    orders: dict[str, dict[str, int]] = defaultdict(dict)
    claimed = sorted(int(row["ts_local"]) for row in recording["pnl"])
    for place, row in enumerate(recording["fills"]):
        if row.get("client_order_id") and (row.get("kind") or "trade") not in ("correction", "bust"):
            orders[row["client_order_id"]].setdefault(row["exec_id"], place)
    for places in (list(each.values()) for each in orders.values()):
        if len({bisect_right(claimed, int(recording["fills"][n]["ts_local"])) for n in places}) == 1:
            yield places


def valued_balances(recording: Recording) -> Iterator[tuple[Row, Fraction, Fraction]]:
    """Yield each balance that the bot valued, to be edited, with its right value and its rate."""
    rates = Rates(recording)
    for row in recording.edit("balances"):
        if row.get("value") and row.get("total") and row["source"] == "bot":
            total = Fraction(row["total"])
            rate = rates.at(row["asset"], row.get("currency") or session_currency(recording), int(row["ts_local"]))
            yield row, total * rate * (1 - Fraction(row.get("haircut") or 0) if total > 0 else 1), rate


def revalue(recording: Recording, row: Row, value: Fraction) -> Cost:
    """Claim another value of a balance; return by how much, and in what."""
    was, row["value"] = Fraction(row["value"]), text(value, row["value"])
    return abs(Fraction(row["value"]) - was), row.get("currency") or session_currency(recording)


def charged_otherwise(recording: Recording, asset: str) -> Planted:
    """Charge one late fill in another asset, or pay for it, and let the bot book it so."""
    rows = recording["fills"]
    restated = {row.get("correction_of") for row in rows}
    for place in range(len(rows) // 2, len(rows)):
        row = rows[place]
        is_derivative = recording.instrument(row["symbol"])["kind"] != "spot"  # whose fees move no balance of the venue
        if is_derivative and is_plain(recording, row) and row["exec_id"] not in restated and Fraction(row["fee"]) > 0:
            break
    else:
        raise NotExercised("no fill of the later half on a derivative has a fee above 0")
    if asset:
        rate = Rates(recording).at(row["fee_asset"], asset, int(row["ts_local"]))
        other = {**row, "fee_asset": asset, "fee": text(Fraction(row["fee"]) * rate, row["fee"])}
    else:
        name = f"{row['liquidity']}_fee"
        stated = row.get("fee_rate") or recording.instrument(row["symbol"])[name]
        other = {**row, "fee": f"-{row['fee']}", "fee_rate": f"-{stated}"}
    rebook(recording, [other if n == place else each for n, each in enumerate(rows)])
    recording.edit("fills")[place] = other
    return recording.planted()
