"""Mistakes of cancel and replace."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import (
    DONE,
    MILLISECOND,
    REQUESTS,
    Life,
    events,
    is_quote,
    later,
    lives,
    move,
    number,
    one,
    put,
    some,
    ts,
)
from mmverify.defects.recording import Recording, Row, text

# --- 2.4.1 ------------------------------------------------------------------------------------------------------------


@defect("2.4.1", "gross")
def cancels_name_the_id_before_the_replace(recording: Recording) -> Planted:
    """A replaced order is cancelled by the id that it had before."""
    found = [(life, row) for life in lives(recording) for row in events(life, "cancel_request")]
    for life, row in some([(life, row) for life, row in found if _old_id(life, row)]):
        row["client_order_id"] = _old_id(life, row)
    return recording.planted()


@defect("2.4.1", "deep", like="knowm/XChange#2939")
def cancel_with_the_venues_id(recording: Recording) -> Planted:
    """A cancel has the venue's id where the client's belongs, and the venue knows no such order."""
    rows = recording.edit("order_events")
    found = [pair for life in lives(recording) for pair in pairwise(life) if pair[1]["event"] == "cancel_ack"]
    row, ack = one([pair for pair in found if pair[0]["event"] == "cancel_request" and pair[1].get("order_id")], at=0.7)
    bare = {**dict.fromkeys(row, ""), "symbol": row["symbol"], "side": row["side"], "client_order_id": ack["order_id"]}
    put(rows, {**bare, "ts_local": row["ts_local"], "event": "cancel_request"})
    put(
        rows,
        {**bare, "ts_local": ack["ts_local"], "event": "reconcile", "state": "REJECTED", "reason": "never submitted"},
    )
    return recording.planted()


@defect("2.4.1", "deep", also="2.2.2")
def filled_order_is_cancelled(recording: Recording) -> Planted:
    """An order that the bot has recorded as filled is cancelled."""
    rows = recording.edit("order_events")
    fill = one([life[-1] for life in lives(recording) if life[-1]["event"] == "fill"], at=0.8)
    put(rows, later(fill, 40 * MILLISECOND, event="cancel_request", ts_exchange="", exec_id=""))
    put(rows, later(fill, 60 * MILLISECOND, event="cancel_reject", exec_id="", reason="order is done"))
    return recording.planted()


@defect("2.4.1", "deep")
def cancel_sent_to_another_market(recording: Recording) -> Planted:
    """An order's cancel goes out with the symbol of another market."""
    symbols = [row["symbol"] for row in recording["instruments"]]
    row = one(
        [row for row in recording.edit("order_events") if row["event"] == "cancel_request" and len(symbols) > 1], at=0.6
    )
    row["symbol"] = next(symbol for symbol in symbols if symbol != row["symbol"])
    return recording.planted()


# --- 2.4.2 ------------------------------------------------------------------------------------------------------------


@defect("2.4.2", "gross")
def refused_replacements_taken_for_done(recording: Recording) -> Planted:
    """After a refused replace the order keeps the price and the quantity that were asked for."""
    for life, request, reject in some(_refused(recording)):
        for row in _until_changed(life, reject):
            row["price"], was = request["price"], row["qty"]
            if row.get("leaves_qty") and number(row, "leaves_qty"):
                row["leaves_qty"] = text(
                    number(row, "leaves_qty") + number(request, "qty") - Fraction(was), row["leaves_qty"]
                )
            row["qty"] = request["qty"]
    return recording.planted()


@defect("2.4.2", "deep", also="2.2.2")
def refused_replacement_taken_as_a_cancel(recording: Recording) -> Planted:
    """After one refused replace the order is taken as gone while it rests, until a query of the venue finds it."""
    life, _, reject = one([each for each in _refused(recording) if each[2] is not each[0][-1]], at=0.99)
    half = (ts(life[life.index(reject) + 1]) - ts(reject)) // 2
    put(recording.edit("order_events"), later(reject, half, event="reconcile", reason="", code=""))
    reject["state"] = "CANCELED"
    if reject.get("leaves_qty"):
        reject["leaves_qty"] = text(0, reject["leaves_qty"])
    return recording.planted()


# --- 2.4.3 ------------------------------------------------------------------------------------------------------------


@defect("2.4.3", "gross", also="1.4.3 2.4.4", like="hummingbot/hummingbot#58")
def new_quotes_before_the_old_are_gone(recording: Recording) -> Planted:
    """Quotes are cancelled and set anew without waiting for the answer, so that both are live."""
    for row, ack in some(_too_soon(recording)):
        _answer_later(recording, ack, ts(row) + 1000)
    return recording.planted()


@defect("2.4.3", "deep", also="1.4.3 2.4.4", like="cowprotocol/services#3315")
def one_quote_twice_for_a_moment(recording: Recording) -> Planted:
    """Once a new quote goes out a microsecond before the old one is known to be gone."""
    row, ack = one(_too_soon(recording), at=0.6)
    _answer_later(recording, ack, ts(row) + 1000)
    return recording.planted()


# --- 2.4.4 ------------------------------------------------------------------------------------------------------------


@defect("2.4.4", "gross", also="1.4.3", like="hummingbot/hummingbot#855")
def cancelled_orders_make_room(recording: Recording) -> Planted:
    """An order takes all the room under max_position that the orders being cancelled leave."""
    request, qty, _ = max(
        some(list(_rooms(recording))), key=lambda room: (room[1] - room[2]) / _limit(recording, room[0])
    )
    _send_into(recording, request, qty)
    return recording.planted()


@defect("2.4.4", "deep", also="1.4.3")
def one_lot_of_a_cancelled_order_forgotten(recording: Recording) -> Planted:
    """An order passes max_position by one lot if the one that is being cancelled fills."""
    request, _, room = one(list(_rooms(recording)), at=0.6)
    _send_into(recording, request, room + recording.lot(request["symbol"]))
    return recording.planted()


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def number_of_levels_not_stated(recording: Recording) -> Planted:
    """How many levels are quoted is not stated; they are what they mostly are."""
    recording.edit_settings().get("quoting", {}).pop("levels", None)
    return recording.planted()


@benign()
def cancel_answered_at_the_time_of_the_next_quote(recording: Recording) -> Planted:
    """The answer to a cancel and the quote that takes the order's place have the same time, in this order."""
    row, ack = one(_too_soon(recording), at=0.3)
    _answer_later(recording, ack, ts(row))
    rows = recording.edit("order_events")
    rows.remove(ack)
    rows.insert(next(place for place, each in enumerate(rows) if ts(each) == ts(row)), ack)
    return recording.planted()


# --- replaced and cancelled orders ------------------------------------------------------------------------------------


def _old_id(life: Life, row: Row) -> str:
    """Return the id that an order had before it was replaced last, empty where it was not."""
    acks = [each for each in events(life, "replace_ack") if ts(each) <= ts(row)]
    old = acks[-1].get("orig_client_order_id") if acks else ""
    return old if old and old != row["client_order_id"] == acks[-1]["client_order_id"] else ""


def _refused(recording: Recording) -> list[tuple[Life, Row, Row]]:
    """Return each replace_request that was refused while its order went on to rest, its order and the refusal."""
    out = []
    for life in lives(recording):
        for reject in events(life, "replace_reject"):
            asked = [
                row for row in events(life, "replace_request") if row["client_order_id"] == reject["client_order_id"]
            ]
            if (
                asked
                and reject.get("price")
                and reject.get("state") not in DONE
                and asked[-1]["price"] != reject["price"]
            ):
                out.append((life, asked[-1], reject))
    return out


def _until_changed(life: Life, reject: Row) -> Iterator[Row]:
    """Yield a refusal and what follows, until the order is changed or its state is asked for."""
    for row in life[life.index(reject) :]:
        if row["event"] in ("replace_request", "replace_ack", "reconcile"):
            return
        yield row


# --- orders live together ---------------------------------------------------------------------------------------------


def _too_soon(recording: Recording) -> list[tuple[Row, Row]]:
    """Return submits of quotes, each with the cancel_ack of the order whose place it takes, all other levels live.

    Told a little later, the answer would come too late for the submit and in time for the cancel.
    """
    every = [life for life in lives(recording) if is_quote(life[0])]
    levels, out = _levels(recording, every), []
    patience = recording.settings.get("timing", {}).get("cancel_timeout_ms", 1000) * MILLISECOND
    for life in every:
        acks, asked = events(life, "cancel_ack"), events(life, "cancel_request")
        if not acks or not asked or life[-1] is not acks[-1]:
            continue
        place = [each[0] for each in every if _slot(each[0]) == _slot(life[0]) and ts(each[0]) > ts(acks[-1])][:1]
        for row in place:
            others = sum(_is_live(each, ts(row)) for each in every if _side(each[0]) == _side(row))
            if others + 1 >= levels and ts(row) + 1000 - ts(asked[0]) < patience:
                out.append((row, acks[-1]))
    return out


def _levels(recording: Recording, every: list[Life]) -> int:
    stated = recording.settings.get("quoting", {}).get("levels")
    return int(stated or len({life[0].get("level") for life in every}))


def _side(row: Row) -> tuple[str, str]:
    return row["symbol"], row["intent"]


def _slot(row: Row) -> tuple[str, str, str]:
    return row["symbol"], row["intent"], row.get("level", "")


def _is_live(life: Life, at: int) -> bool:
    """Whether an order was sent and not known to be done before a time, nor sent then."""
    known = [row for row in life if ts(row) < at]
    return bool(known) and known[-1].get("state") not in DONE


def _answer_later(recording: Recording, ack: Row, at: int) -> None:
    """Let the bot process the answer to a cancel at another time, in the requests too."""
    for row in recording.edit("requests") if recording["requests"] else []:
        if row.get("ts_response") == ack["ts_local"] and row.get("client_order_id") == ack["client_order_id"]:
            row["ts_response"] = str(at)
    move(recording.edit("order_events"), ack, at)


# --- room under the limit ---------------------------------------------------------------------------------------------


def _rooms(recording: Recording) -> Iterator[tuple[Row, Fraction, Fraction]]:
    """Yield each cancel_request during which other orders were sent, with the room for an order of its side.

    First without the orders that are being cancelled, then with them.
    """
    every, rows = lives(recording), recording["order_events"]
    sent = [row for row in rows if row["event"] in REQUESTS]
    for life in every:
        for request, answer in pairwise(life):
            if request["event"] != "cancel_request" or not _limit(recording, request):
                continue
            symbol = request["symbol"]
            if not any(ts(request) <= int(row["ts_local"]) < ts(answer) for row in sent if row["symbol"] == symbol):
                continue
            same = [each for each in every if each[0]["symbol"] == symbol and each[0]["side"] == request["side"]]
            leaves = [_leaves(each, ts(request)) for each in same]
            lot, way = recording.lot(request["symbol"]), 1 if request["side"] == "buy" else -1
            free = (_limit(recording, request) - way * _position(recording, symbol, ts(request))) // lot * lot
            most = free - sum(qty for qty, going in leaves if not going)
            rest = free - sum(qty for qty, _ in leaves)
            if rest < most <= _most(recording, request) and rest + lot >= _least(recording, request):
                yield request, most, rest


def _leaves(life: Life, at: int) -> tuple[Fraction, bool]:
    """Return what of an order may be filled as far as was known at a time, and whether it is being cancelled."""
    known = [row for row in life if ts(row) <= at]
    if not known or known[-1].get("state") in DONE or known[-1]["event"] == "reject":
        return Fraction(0), False
    qty = max(number(row, "qty") for row in known[-2:]) - number(known[-1], "cum_qty")
    return qty, known[-1].get("state") == "PENDING_CANCEL"


def _position(recording: Recording, symbol: str, at: int) -> Fraction:
    known = [row for row in recording["positions"] if row["symbol"] == symbol and int(row["ts_local"]) <= at]
    return Fraction(known[-1]["qty"]) if known else Fraction(0)


def _limit(recording: Recording, row: Row) -> Fraction:
    return recording.limit(row["symbol"], "max_position") or Fraction(0)


def _most(recording: Recording, row: Row) -> Fraction:
    own = recording.limit(row["symbol"], "max_order_qty")
    return own if own is not None else _limit(recording, row)


def _least(recording: Recording, row: Row) -> Fraction:
    market = recording.instrument(row["symbol"])
    price, multiplier = number(row, "price") or 1, Fraction(market.get("multiplier") or 1)
    worth = Fraction(1) if market["kind"] == "inverse" else price
    return max(Fraction(market.get("min_qty") or 0), Fraction(market.get("min_notional") or 0) / worth / multiplier)


def _send_into(recording: Recording, request: Row, qty: Fraction) -> None:
    """Send an order of a quantity while another one is being cancelled; the venue rejects it."""
    rows, amount = recording.edit("order_events"), text(qty, request["qty"])
    new = {**request, "event": "submit", "client_order_id": f"{request['client_order_id']}0", "order_id": ""}
    new |= {"state": "PENDING_NEW", "qty": amount, "leaves_qty": amount, "cum_qty": text(0, amount), "avg_px": ""}
    new |= {
        "post_only": "false",
        "reduce_only": "false",
        "level": "",
        "ts_expires": "",
        "tif": _resting(recording, request),
    }
    new |= {"intent": "open_long" if request["side"] == "buy" else "open_short"}
    put(rows, new)
    reject = {"event": "reject", "state": "REJECTED", "leaves_qty": text(0, amount), "reason": "insufficient margin"}
    put(rows, later(new, 10 * MILLISECOND, **reject, ts_exchange=""))


def _resting(recording: Recording, row: Row) -> str:
    """Return good till cancelled, as this session writes it."""
    return "gtc" if row.get("tif", "").islower() else "GTC"
