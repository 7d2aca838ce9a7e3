"""Mistakes about what exchanges do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import DONE, FILLS, MILLISECOND, Life, later, lives, number, one, put, some, ts
from mmverify.defects.rebook import Books, Claim, rebook
from mmverify.defects.recording import Recording, Row, text
from mmverify.simulate.ledger import Ledger

FORCED = ("liquidation", "adl")

# --- 5.3.1 ------------------------------------------------------------------------------------------------------------


@defect("5.3.1", "gross", also="2.2.2", like="freqtrade/freqtrade#1535")
def cancels_of_the_venue_are_not_read(recording: Recording) -> Planted:
    """What the venue cancels stays open for the bot until a query, long after, finds that it is gone."""
    rows, late = recording.edit("order_events"), recording.deadline("ack_timeout_ms") + 1000 * MILLISECOND
    for life in some([life for life in _cancelled(recording) if ts(life[-1]) + late < ts(rows[-1])]):
        row = life[-1]
        found = {"event": "reconcile", "origin": "bot", "reason": ""}
        put(rows, later(row, late, **found))
        row |= {"state": life[-2]["state"], "leaves_qty": text(number(row, "qty") - number(row, "cum_qty"), row["qty"])}
    return recording.planted()


@defect("5.3.1", "deep", also="2.2.2 2.4.1")
def cancel_sent_for_what_the_venue_cancelled(recording: Recording) -> Planted:
    """One order is cancelled a second after the venue had cancelled it."""
    row, rows = one(_cancelled(recording), at=0.5)[-1], recording.edit("order_events")
    asked = {"event": "cancel_request", "origin": "bot", "reason": ""}
    put(rows, later(row, 1000 * MILLISECOND, **asked, ts_exchange=""))
    put(rows, later(row, 1010 * MILLISECOND, event="cancel_reject", origin="bot", reason="order is done"))
    return recording.planted()


@benign()
def venue_cancels_what_the_bot_is_cancelling(recording: Recording) -> Planted:
    """The venue cancels an order while the bot's own cancel is on its way, and says so in its place."""
    life = one(
        [life for life in lives(recording) if [row["event"] for row in life[-2:]] == ["cancel_request", "cancel_ack"]],
        0.5,
    )
    life[-1] |= {"event": "exchange_cancel", "origin": "exchange", "reason": "market operations"}
    return recording.planted()


def _cancelled(recording: Recording) -> list[Life]:
    """Return the orders whose last event is that the venue cancelled them."""
    found = [life for life in lives(recording) if len(life) > 1 and life[-1]["event"] == "exchange_cancel"]
    return [life for life in found if life[-2].get("state") in ("NEW", "PARTIALLY_FILLED")]


# --- 5.3.2 ------------------------------------------------------------------------------------------------------------


@defect("5.3.2", "gross", like="xLydianSoftware/Qubx#411")
def tries_again_at_one_pace(recording: Recording) -> Planted:
    """While the venue answers 503 the bot tries again at one short pause."""
    rows = recording.edit("requests")
    for run in some(_refusals(recording)):
        pause = 2 * _lasted(run[0])
        for n in range(1, 4):
            put(rows, _again(run[0], n * pause))
    return recording.planted()


@defect("5.3.2", "deep")
def pause_reaches_its_cap(recording: Recording) -> Planted:
    """The last pause of one outage is as long as the one before: the backoff has a cap."""
    run = one([run for run in _refusals(recording) if len(run) > 1], at=0.9)
    put(recording.edit("requests"), _again(run[-1], ts(run[-1]) - ts(run[-2])))
    return recording.planted()


@benign()
def one_refusal_tried_again_at_once(recording: Recording) -> Planted:
    """The venue answers 503 once, and the next try, shortly after, is answered."""
    rows = recording.edit("requests")
    row = one([row for row in rows if row.get("status") == "200" and not row.get("client_order_id")], at=0.3)
    put(rows, _again(row, 100 * MILLISECOND, status="503"))
    put(rows, _again(row, 150 * MILLISECOND))
    return recording.planted()


def _refusals(recording: Recording) -> list[list[Row]]:
    """Return the requests that were answered 503, those of an endpoint in a row together."""
    runs: dict[str, list[list[Row]]] = defaultdict(lambda: [[]])
    for row in recording.edit("requests"):
        if row.get("status") == "503":
            runs[row["endpoint"]][-1].append(row)
        else:
            runs[row["endpoint"]].append([])
    return [run for each in runs.values() for run in each if run]


def _lasted(request: Row) -> int:
    """Return how long a request took. [ns]"""
    return int(request.get("ts_response") or ts(request) + 25 * MILLISECOND) - ts(request)


def _again(request: Row, by: int, **cells: str) -> Row:
    """Return a request sent and answered again some ns later, with other cells."""
    answered = {"ts_response": str(int(request["ts_response"]) + by)} if request.get("ts_response") else {}
    return later(request, by, **answered, **cells)


# --- 5.3.3 ------------------------------------------------------------------------------------------------------------


@defect("5.3.3", "gross")
def quotes_on_after_a_liquidation(recording: Recording) -> Planted:
    """Liquidations and ADL trip nothing: they are booked as any fill is."""
    rows = recording.edit("risk_events")
    rows[:] = [row for row in rows if row["rule"] not in FORCED]
    return recording.planted()


@defect("5.3.3", "gross", also="1.2.1 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3 1.3.4 2.3.2", like="freqtrade/freqtrade#7107")
def forced_fills_are_not_booked(recording: Recording) -> Planted:
    """A fill that is of no order of the bot's is not booked, in positions and in P&L."""
    forced = some([row for row in recording["fills"] if row.get("kind") in FORCED])
    known, rows = {row["exec_id"] for row in forced}, recording.edit("order_events")
    rows[:] = [row for row in rows if row.get("exec_id") not in known]
    costs = rebook(recording, [row for row in recording["fills"] if row["exec_id"] not in known])
    return recording.planted(*costs.get("total", (None, "")))


@defect("5.3.3", "deep", also="1.3.1 1.3.4")
def forced_fill_without_profit_or_loss(recording: Recording) -> Planted:
    """The last forced fill that closes anything moves the position; what it realized is left out of P&L."""
    forced = [place for place, row in enumerate(recording["fills"]) if row.get("kind") in FORCED]
    fill, gained = one(
        [(recording["fills"][place], gained) for place in forced if (gained := _gained(recording, place))], 0.99
    )

    def shown(right: Claim, ledger: Ledger) -> Claim:
        if fill["exec_id"] not in ledger.executions:
            return right
        gross, fees = Fraction(ledger.settled.realized), Fraction(ledger.settled.fees)
        off = (
            gained
            if right.realized in (gross, gross - fees)
            else gained * Fraction(ledger.executions[fill["exec_id"]].rate)
        )
        return replace(right, realized=right.realized - off, total=right.total - off)

    return recording.planted(*rebook(recording, claim=shown).get("realized", (None, "")))


def _gained(recording: Recording, place: int) -> Fraction:
    """Return what a fill realized, by the stated cost basis, in the settlement currency."""
    fills, basis = recording["fills"], recording.convention("cost_basis", "fifo")
    fill = fills[place]
    known = [row for row in fills if int(row["ts_local"]) <= int(fill["ts_local"])]
    place = [row is fill for row in known].index(True)
    booked = [
        Books(recording, known[:end], (), cost_basis=basis, contract=lambda each: each) for end in (place, place + 1)
    ]
    before, after = (each.at(int(fill["ts_local"]))[fill["symbol"]].settled.realized for each in booked)
    return Fraction(after) - Fraction(before)


@defect("5.3.3", "deep", also="1.4.4")
def trip_after_the_next_quote(recording: Recording) -> Planted:
    """The trip of one liquidation or ADL comes only when the bot has quoted on."""
    rows = recording.edit("risk_events")
    trip = one([row for row in rows if row["rule"] in FORCED and row["event"] == "trip" and row.get("symbol")], at=0.99)
    quoted = [
        ts(row) for row in recording["quotes"] if row["symbol"] == trip["symbol"] and row["bid"] and ts(row) > ts(trip)
    ]
    by = one(quoted) + MILLISECOND - ts(trip)
    for row in [
        row
        for row in rows
        if row["rule"] == trip["rule"] and row.get("symbol") == trip["symbol"] and ts(row) >= ts(trip)
    ]:
        row["ts_local"] = str(ts(row) + by)
    rows.sort(key=ts)
    return recording.planted()


@benign()
def liquidations_of_others(recording: Recording) -> Planted:
    """The venue says of public trades which were liquidations; none was the bot's."""
    for place, row in enumerate(recording.edit("trades")):
        row["kind"] = "trade" if place % 5 else "liquidation"
    return recording.planted()


# --- 5.3.4 ------------------------------------------------------------------------------------------------------------


@defect("5.3.4", "gross", like="hummingbot/hummingbot#1291")
def tries_again_after_429(recording: Recording) -> Planted:
    """A request that is refused for its rate is sent again at once, five times."""
    rows = recording.edit("requests")
    for row, start, _ in some(_limited(recording)):
        for n in range(5):
            put(rows, _again(row, start - ts(row) + (1 + 50 * n) * MILLISECOND))
    return recording.planted()


@defect("5.3.4", "deep")
def wait_ends_a_millisecond_early(recording: Recording) -> Planted:
    """After one refusal the bot counts the wait from when it asked, not from the answer, and ends it too early."""
    row, start, end = one(_limited(recording), at=0.99)
    early = max(MILLISECOND, start - ts(row))
    put(recording.edit("requests"), _again(row, end - early - ts(row), status="200", code="", retry_after_ms=""))
    return recording.planted()


@benign()
def sent_when_the_wait_is_over(recording: Recording) -> Planted:
    """After a refusal for its rate a request is sent again at the very end of the wait."""
    row, _, end = one(_limited(recording), at=0.5)
    put(recording.edit("requests"), _again(row, end - ts(row), status="200", code="", retry_after_ms=""))
    return recording.planted()


@benign()
def limited_without_a_wait(recording: Recording) -> Planted:
    """One refusal for its rate says no time to wait; the bot chooses its own."""
    rows = recording.edit("requests")
    row = one([row for row in rows if row.get("status") == "200" and not row.get("client_order_id")], at=0.6)
    put(rows, _again(row, 200 * MILLISECOND, status="429", code="-1003", retry_after_ms=""))
    return recording.planted()


def _limited(recording: Recording) -> list[tuple[Row, int, int]]:
    """Return the requests that were refused for their rate, and from when until when their endpoint is barred."""
    out = []
    for row in recording.edit("requests"):
        if row.get("status") in ("429", "418") and row.get("retry_after_ms"):
            start = int(row.get("ts_response") or ts(row) + recording.deadline("max_clock_skew_ms"))
            wait = round(number(row, "retry_after_ms") * MILLISECOND)
            out.append((row, start, (start if row.get("ts_response") else ts(row)) + wait))
    return out


# --- 5.3.5 ------------------------------------------------------------------------------------------------------------


@defect("5.3.5", "gross", also="2.2.2 2.4.2")
def unknown_order_is_taken_as_cancelled(recording: Recording) -> Planted:
    """An order that the venue does not know is cancelled for the bot, and no query asks after it."""
    rows, gone = recording.edit("order_events"), set()
    for life, place in some(_unknown(recording)):
        for row in life[place:]:
            row |= {"state": "CANCELED", "leaves_qty": text(0, row["leaves_qty"])}
            gone |= {id(row)} if row["event"] == "reconcile" else set()
    rows[:] = [row for row in rows if id(row) not in gone]
    return recording.planted()


@defect("5.3.5", "deep", like="ccxt/ccxt#25229")
def error_code_is_passed_over(recording: Recording) -> Planted:
    """One query of an order is answered by an error that the bot has no case for: nothing follows."""
    life = one([life for life in lives(recording) if _rests(recording, life)], at=0.6)
    asked = {"endpoint": "query", "weight": "1", "client_order_id": life[1]["client_order_id"]}
    sent = ts(life[1]) + MILLISECOND
    answer = {"status": "400", "code": "-1021", "ts_response": str(sent + 10 * MILLISECOND)}
    rows = recording.edit("requests")
    put(rows, {name: "" for name in one(rows)} | asked | answer | {"ts_local": str(sent)})
    return recording.planted()


@benign()
def code_of_success(recording: Recording) -> Planted:
    """The venue puts the code 0 in every answer that is no error."""
    for row in recording.edit("requests"):
        if row.get("status") == "200" and not row.get("code"):
            row["code"] = "0"
    return recording.planted()


def _unknown(recording: Recording) -> list[tuple[Life, int]]:
    """Return orders that were open when the venue said that it does not know them, and the place of that row."""
    out = []
    for life in lives(recording):
        for place, row in enumerate(life):
            is_refused = (
                row["event"] in ("cancel_reject", "replace_reject") and "unknown" in row.get("reason", "").lower()
            )
            ends = all(each["event"] in (*FILLS, "reconcile") for each in life[place + 1 :])
            if is_refused and ends and row.get("state") and row["state"] not in DONE and row.get("leaves_qty"):
                out.append((life, place))
    return out


def _rests(recording: Recording, life: Life) -> bool:
    """Whether an order rests for ack_timeout_ms once it is acknowledged, and nothing trips meanwhile."""
    if [row["event"] for row in life[:2]] != ["submit", "ack"]:
        return False
    wait = recording.deadline("ack_timeout_ms")
    start, end = ts(life[1]), ts(life[1]) + wait + 20 * MILLISECOND
    trips = [ts(row) for row in recording["risk_events"] if row["event"] == "trip"]
    is_quiet = not any(start <= at <= end for at in trips)
    return bool(wait) and is_quiet and len(life) > 2 and ts(life[2]) > end
