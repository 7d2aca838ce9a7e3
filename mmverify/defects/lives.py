"""Orders from their first event to their last: the rows of each in order_events, and rows moved or put among them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from mmverify.defects.recording import Recording, Row
from mmverify.errors import NotExercised

T = TypeVar("T")
Life = list[Row]

DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
FILLS = ("partial_fill", "fill")
REQUESTS = ("submit", "replace_request")
QUOTES = ("quote_bid", "quote_ask")
MILLISECOND = 10**6


def some(found: Sequence[T]) -> Sequence[T]:
    """Return what was found.

    Raises
    ------
    NotExercised
        If that is nothing.
    """
    if not found:
        raise NotExercised("no record of the session is of the kind that this mistake is made on")
    return found


def one(found: Sequence[T], at: float = 0) -> T:
    """Return one of what was found, the one past a share of it."""
    return some(found)[int(len(found) * at)]


def lives(recording: Recording) -> list[Life]:
    """Return the rows of each order, to be changed; a replaced order goes on under its new id."""
    out: list[Life] = []
    known: dict[str, Life] = {}
    for row in recording.edit("order_events"):
        names = [name for name in (row["client_order_id"], row.get("orig_client_order_id")) if name]
        life = next((known[name] for name in names if name in known), None)
        if life is None or row["event"] == "submit":
            life = []
            out.append(life)
        life.append(row)
        known |= dict.fromkeys(names, life)
    return out


def unfilled(recording: Recording) -> list[Life]:
    """Return the orders that the bot sent and that never traded."""
    traded = {row.get("client_order_id") for row in recording["fills"]}
    return [life for life in lives(recording) if life[0]["event"] == "submit" and not traded.intersection(ids(life))]


def ids(life: Life) -> Collection[str]:
    """Return the client ids that an order had or asked for."""
    return {row["client_order_id"] for row in life}


def is_quote(row: Mapping[str, str]) -> bool:
    """Whether the order of a row quotes."""
    return row.get("intent") in QUOTES


def events(life: Life, *names: str) -> list[Row]:
    """Return the rows of an order that are of these events."""
    return [row for row in life if row["event"] in names]


def number(row: Mapping[str, str], column: str) -> Fraction:
    """Return a cell as a number, 0 where there is none."""
    return Fraction(row.get(column) or 0)


def ts(row: Mapping[str, str]) -> int:
    """Return when the bot recorded a row; where its clock is not given, when the venue did. [ns]"""
    return int(row["ts_local"] or row["ts_exchange"])


def put(rows: list[Row], new: Row) -> None:
    """Put a row where its ts_local belongs, after those of the same time."""
    rows.insert(bisect_right(rows, ts(new), key=ts), new)


def move(rows: list[Row], row: Row, to: int) -> None:
    """Move a row to another ts_local. [ns]"""
    del rows[next(place for place, each in enumerate(rows) if each is row)]
    row["ts_local"] = str(to)
    put(rows, row)


def later(row: Row, by: int, **cells: str) -> Row:
    """Return a copy of a row some ns later by both clocks, with other cells."""
    clocks = {name: str(int(row[name]) + by) for name in ("ts_local", "ts_exchange") if row.get(name)}
    return {**row, **clocks, **cells}


def refused(recording: Recording, at: int, symbol: str, side: str, **cells: str) -> Row:
    """Put in a plain limit order that the bot sends and the venue refuses 10 ms later; return the submit."""
    rows = recording.edit("order_events")
    plain = [row for row in rows if row["event"] == "submit" and row["symbol"] == symbol and row["side"] == side]
    like = one([row for row in plain if row.get("type") == "limit"])
    tifs = [tif for tif in recording.instrument(symbol).get("tifs", "").split(";") if tif and tif.lower() != "gtd"]
    meant = "open_long" if side == "buy" else "open_short"
    own = {"client_order_id": f"{like['client_order_id']}{len(rows)}", "ts_local": str(at), "intent": meant}
    sent = {
        **like,
        **own,
        "post_only": "false",
        "reduce_only": "false",
        "tif": (tifs or ["GTC"])[0],
        "ts_expires": "",
        **cells,
    }
    put(rows, sent)
    put(rows, later(sent, 10 * MILLISECOND, event="reject", state="REJECTED", leaves_qty="0", reason="refused"))
    return sent
