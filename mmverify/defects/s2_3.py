"""Mistakes of matching and fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import FILLS, REQUESTS, Life, events, is_quote, lives, move, number, one, some, ts
from mmverify.defects.rebook import rebook
from mmverify.defects.recording import Recording, Row, shift, text

Report = Mapping[str, str]

# --- 2.3.1 ------------------------------------------------------------------------------------------------------------


@defect("2.3.1", "gross", also="1.3.1 1.3.2 1.3.4 2.3.2", like="jesse-ai/jesse#574")
def gains_at_the_orders_prices(recording: Recording) -> Planted:
    """P&L is computed with the prices of the orders and not with those that they were filled at."""
    prices = {row["client_order_id"]: row.get("price") for row in recording["order_events"] if row["event"] in REQUESTS}
    believed = [_filled_at(recording, row, prices.get(row.get("client_order_id", ""))) for row in recording["fills"]]
    return recording.planted(*rebook(recording, believed).get("realized", (None, "")))


@defect("2.3.1", "deep", also="2.2.4")
def average_price_is_the_limit(recording: Recording) -> Planted:
    """An order that was filled at better prices has its limit for an average price."""
    found = [
        (life, row)
        for life in lives(recording)
        for row in events(life, *FILLS)
        if row.get("avg_px") and row.get("price")
    ]
    life, row = one([(life, row) for life, row in found if number(row, "avg_px") != number(row, "price")], at=0.5)
    for each in life:
        if each.get("avg_px") and ts(each) >= ts(row):
            each["avg_px"] = text(number(each, "price"), each["avg_px"])
    return recording.planted()


@defect("2.3.1", "deep")
def limit_recorded_beyond_the_fill(recording: Recording) -> Planted:
    """An order's limit is recorded a tick better than the worst price that it was filled at."""
    fills = _by_order(recording)
    found = [
        life for life in lives(recording) if life[0]["client_order_id"] in fills and life[0].get("type") == "limit"
    ]
    plain = [life for life in found if not events(life, "replace_request", "reconcile")]
    life = one(
        [life for life in plain if not is_quote(life[0])] or [life for life in plain if not life[0].get("intent")],
        at=0.5,
    )
    prices = [Fraction(row["price"]) for row in fills[life[0]["client_order_id"]]]
    tick = Fraction(recording.instrument(life[0]["symbol"])["tick_size"])
    for row in life:
        row["price"] = text(max(prices) - tick if row["side"] == "buy" else min(prices) + tick, row["price"])
    return recording.planted()


# --- 2.3.2 ------------------------------------------------------------------------------------------------------------


@defect("2.3.2", "gross", also="1.1.5 1.3.1 1.3.3 1.3.4")
def fees_booked_a_claim_later(recording: Recording) -> Planted:
    """From the middle of the session on a fill is booked at once, and its fee when the next claim has been made."""
    half = len(recording["fills"]) // 2
    settle = {
        row["symbol"]: row.get("settle") or row["quote"] for row in recording["instruments"] if row["kind"] != "spot"
    }
    believed: list[Report] = list(recording["fills"][:half])
    for row in recording["fills"][half:]:
        if row["fee_asset"] != settle.get(row["symbol"]):
            believed.append(row)
            continue
        after = [ts(claim) for claim in _claims(recording, row["symbol"]) if ts(claim) >= int(row["ts_local"])][:1]
        believed.append({**row, "fee": "0"})
        believed += [
            {**row, "exec_id": f"{row['exec_id']} fee", "qty": "0", "correction_of": "", "ts_local": str(at + 1)}
            for at in after
        ]
    return recording.planted(*rebook(recording, believed).get("fees", (None, "")))


@defect("2.3.2", "deep", also="1.3.2 1.3.4")
def open_gain_of_the_lots_before(recording: Recording) -> Planted:
    """One claim, made as a fill is booked, has what it realized and its fee, and the open gain from before it."""
    fill, claim = one(_followed(recording), at=0.7)
    positions, claims = ([dict(row) for row in recording[table]] for table in ("positions", "pnl"))
    late = {**fill, "ts_local": str(ts(claim) + 1)}
    costs = rebook(recording, [late if row["exec_id"] == fill["exec_id"] else row for row in recording["fills"]])
    for row, was in zip(recording.edit("pnl"), claims, strict=True):
        off = number(row, "unrealized") - number(was, "unrealized")
        row |= was
        shift(row, "total", shift(row, "unrealized", off))
    recording.edit("positions")[:] = positions
    return recording.planted(*costs.get("unrealized", (None, "")))


@defect("2.3.2", "deep", also="1.2.1 1.2.3 1.2.5")
def position_in_the_middle_of_a_fill(recording: Recording) -> Planted:
    """A position is claimed while a fill is being added: half of it is there."""
    rows, fills = recording.edit("positions"), {(row["symbol"], row["ts_local"]): row for row in recording["fills"]}
    found = []
    for symbol in {row["symbol"]: None for row in rows}:
        own = [row for row in rows if row["symbol"] == symbol and row["source"] == "bot"]
        found += [(was, row) for was, row in pairwise(own) if (symbol, row["ts_local"]) in fills]
    was, row = one(
        [
            (was, row)
            for was, row in found
            if abs(number(row, "qty") - number(was, "qty")) > recording.lot(row["symbol"])
        ],
        at=0.6,
    )
    half = (number(row, "qty") - number(was, "qty")) / 2 // recording.lot(row["symbol"]) * recording.lot(row["symbol"])
    rows.insert([each is row for each in rows].index(True), {**row, "qty": text(number(was, "qty") + half, row["qty"])})
    return recording.planted()


# --- 2.3.3 ------------------------------------------------------------------------------------------------------------


@defect("2.3.3", "gross", also="2.2.4", like="hummingbot/hummingbot#4625")
def cumulative_reports_added_up(recording: Recording) -> Planted:
    """Reports that give what is filled so far are added up as if each gave what is new."""
    several = [life for life in lives(recording) if len(events(life, *FILLS)) > 1 and life[0].get("cum_qty")]
    for life in some([life for life in several if not events(life, "replace_request")]):
        added, met = Fraction(0), {""}
        for row in [row for row in life if row.get("cum_qty")]:
            if row["event"] in FILLS and row.get("exec_id", "") not in met:
                added += number(row, "cum_qty")
                met.add(row["exec_id"])
            row["cum_qty"] = text(added, row["cum_qty"]) if added else row["cum_qty"]
    return recording.planted()


@defect("2.3.3", "deep", like="QuantConnect/Lean.Brokerages.TradeStation#84")
def one_report_not_added_to_its_order(recording: Recording) -> Planted:
    """An execution moves the position and not the cum_qty of its order, of which more than is left counts as open."""
    qtys, found = _quantities(recording), []
    for life in [life for life in lives(recording) if life[0]["event"] == "submit"]:
        for place, (was, row) in enumerate(pairwise(life), 1):
            later = [each for each in life[place:] if ts(each) > ts(row)]
            is_counted = number(row, "cum_qty") - number(was, "cum_qty") == qtys.get(row.get("exec_id", "")) != 0
            if row["event"] in FILLS and is_counted and number(was, "cum_qty") and later and _is_plain(life[place:]):
                found.append((life[place:], qtys[row["exec_id"]]))
    rows, qty = one(found, at=0.6)
    for row in rows:
        shift(row, "cum_qty", -qty)
        if number(row, "leaves_qty"):
            shift(row, "leaves_qty", qty)
    return recording.planted()


# --- 2.3.4 ------------------------------------------------------------------------------------------------------------


@defect("2.3.4", "gross", also="1.3.1 1.3.2 1.3.4 2.3.2")
def fills_of_a_message_booked_backwards(recording: Recording) -> Planted:
    """Fills that come together are taken from the end of the message, the last one first."""
    return _book_backwards(recording, some(_overtaken(recording)))


@defect("2.3.4", "deep", also="1.3.1 1.3.2 1.3.4 2.3.2", like="enarjord/passivbot#1428")
def two_fills_booked_in_turn(recording: Recording) -> Planted:
    """Once, of two fills that came together, the later one is booked first."""
    return _book_backwards(recording, [one(_overtaken(recording), at=0.5)])


# --- 2.3.5 ------------------------------------------------------------------------------------------------------------


@defect("2.3.5", "gross", also="1.1.3")
def post_only_flag_never_reaches_the_venue(recording: Recording) -> Planted:
    """Every limit order is post_only for the bot, and takes."""
    for life in some(_taking(recording)):
        _mark_post_only(life)
    return recording.planted()


@defect("2.3.5", "deep", also="1.1.3")
def one_post_only_order_takes(recording: Recording) -> Planted:
    """One order that is post_only for the bot is filled as taker."""
    _mark_post_only(one(_taking(recording), at=0.7))
    return recording.planted()


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def filled_before_it_was_acknowledged(recording: Recording) -> Planted:
    """An order is filled at once and no acknowledgement of it is recorded."""
    rows = recording.edit("order_events")
    found = [
        life for life in lives(recording) if len(life) > 2 and life[1]["event"] == "ack" and life[2]["event"] in FILLS
    ]
    life = one([life for life in found if ts(life[2]) - ts(life[0]) < 10**9], at=0.5)
    del rows[[row is life[1] for row in rows].index(True)]
    return recording.planted()


@benign()
def decisions_of_one_instant_in_another_order(recording: Recording) -> Planted:
    """Two orders that were sent at the same time stand the other way round."""
    rows = recording.edit("order_events")
    found = [
        place for place, (a, b) in enumerate(pairwise(rows)) if a["event"] == b["event"] == "submit" and ts(a) == ts(b)
    ]
    place = one(found, at=0.5)
    rows[place : place + 2] = rows[place + 1], rows[place]
    return recording.planted()


# --- fills ------------------------------------------------------------------------------------------------------------


def _by_order(recording: Recording) -> dict[str, list[Report]]:
    """Return the trades of each client_order_id, each execution once."""
    out: dict[str, dict[str, Report]] = {}
    for row in recording["fills"]:
        if row.get("kind", "") in ("", "trade") and row.get("client_order_id"):
            out.setdefault(row["client_order_id"], {}).setdefault(row["exec_id"], row)
    return {id: list(rows.values()) for id, rows in out.items()}


def _is_plain(rows: Sequence[Row]) -> bool:
    """Whether nothing is said of an order in these rows that only its true cum_qty explains."""
    return not any(row["event"] in ("reconcile", "replace_reject") for row in rows) and all(
        row.get("cum_qty") for row in rows
    )


def _quantities(recording: Recording) -> dict[str, Fraction]:
    return {row["exec_id"]: Fraction(row["qty"]) for row in recording["fills"]}


def _filled_at(recording: Recording, row: Report, price: str | None) -> Report:
    """Return a report as if at another price, with the quantity, the fee and the position that it has."""
    market = recording.instrument(row["symbol"])
    if not price:
        return row
    if market["kind"] != "spot" or row["fee_asset"] != market["base"]:
        return {**row, "price": price}
    qty, fee = Fraction(row["qty"]), Fraction(row["fee"])
    moved = qty - fee if row["side"] == "buy" else qty + fee
    exact = {"qty": text(moved, "0." + "0" * 20), "fee": text(fee * Fraction(row["price"]), "0." + "0" * 20)}
    return {**row, **exact, "price": price, "fee_asset": market["quote"]}


def _claims(recording: Recording, symbol: str) -> list[Row]:
    return [dict(row) for row in recording["pnl"] if row["symbol"] == symbol]


def _followed(recording: Recording) -> list[tuple[Report, Row]]:
    """Return each trade that was the newest one when P&L was claimed, and the claim."""
    out = []
    for symbol in {row["symbol"]: None for row in recording["fills"]}:
        trades = [row for row in recording["fills"] if row["symbol"] == symbol and row.get("kind", "") in ("", "trade")]
        for was, claim in pairwise(_claims(recording, symbol)):
            between = [row for row in trades if ts(was) < int(row["ts_local"]) < ts(claim)]
            out += [(between[-1], claim)] if between and claim.get("unrealized") else []
    return out


# --- the order of fills -----------------------------------------------------------------------------------------------


def _overtaken(recording: Recording) -> list[tuple[Report, Report]]:
    """Return pairs of trades of a symbol that came together and whose order decides on what is gained later."""
    out: list[tuple[Report, Report]] = []
    known = {row.get("exec_id") for row in recording["order_events"]}
    for symbol in {row["symbol"]: None for row in recording["fills"]}:
        trades = {row["exec_id"]: row for row in recording["fills"] if row["symbol"] == symbol}
        for a, b in pairwise(sorted(trades.values(), key=lambda row: int(row["ts_local"]))):
            together = a["ts_local"] == b["ts_local"] and {a["exec_id"], b["exec_id"]} <= known
            other = a["price"] != b["price"] and a.get("client_order_id") != b.get("client_order_id")
            if together and other and (not out or out[-1][1] is not a) and _differs(recording, a, b):
                out.append((a, b))
    return out


def _differs(recording: Recording, a: Report, b: Report) -> bool:
    trial = recording.fresh()
    rebook(trial, _swapped(recording, [(a, b)]))
    return bool(trial.changed())


def _swapped(recording: Recording, pairs: Sequence[tuple[Report, Report]]) -> list[Report]:
    turn = {a["exec_id"]: b for a, b in pairs} | {b["exec_id"]: a for a, b in pairs}
    return [turn.get(row["exec_id"], row) for row in recording["fills"]]


def _book_backwards(recording: Recording, pairs: Sequence[tuple[Report, Report]]) -> Planted:
    rows = recording.edit("order_events")
    for a, b in pairs:
        last = {row.get("exec_id"): row for row in reversed(rows) if row["event"] in FILLS}
        move(rows, last[a["exec_id"]], ts(last[b["exec_id"]]))
    return recording.planted(*rebook(recording, _swapped(recording, pairs)).get("realized", (None, "")))


# --- takers -----------------------------------------------------------------------------------------------------------


def _taking(recording: Recording) -> list[Life]:
    """Return the limit orders that took."""
    took = {row.get("client_order_id") for row in recording["fills"] if row["liquidity"] == "taker"}
    return [life for life in lives(recording) if life[0]["client_order_id"] in took and life[0].get("type") == "limit"]


def _mark_post_only(life: Life) -> None:
    for row in life:
        row |= {"post_only": "true", "tif": "gtc" if row["tif"].islower() else "GTC"}
