"""Mistakes of the order state machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import FILLS, MILLISECOND, Life, events, ids, later, lives, number, one, put, some, ts
from mmverify.defects.rebook import rebook
from mmverify.defects.recording import Recording, Row, text
from mmverify.errors import NotExercised

# --- 2.2.1 ------------------------------------------------------------------------------------------------------------


@defect("2.2.1", "gross")
def canceled_with_two_ls(recording: Recording) -> Planted:
    """What the bot calls a cancelled order is no state of the map."""
    for row in some([row for row in recording.edit("order_events") if _is(row, "cancel_ack", "CANCELED")]):
        row["state"] = "CANCELLED"
    return recording.planted()


@defect("2.2.1", "deep", like="ccxt/ccxt#6915")
def status_passed_through_unmapped(recording: Recording) -> Planted:
    """One reject takes the order into the venue's own words for it."""
    one([row for row in recording.edit("order_events") if _is(row, "reject", "REJECTED")], at=0.5)["state"] = (
        "INSUFFICIENT BALANCE (U1)"
    )
    return recording.planted()


@defect("2.2.1", "deep")
def status_report_taken_as_an_event(recording: Recording) -> Planted:
    """A report that tells the state of an order, and nothing new, is recorded as an event of its own."""
    rows = recording.edit("order_events")
    row = one([row for row in rows if row["event"] == "ack"], at=0.7)
    put(rows, {**row, "event": "status"})
    return recording.planted()


# --- 2.2.2 ------------------------------------------------------------------------------------------------------------


@defect("2.2.2", "gross")
def cancel_request_leaves_the_state(recording: Recording) -> Planted:
    """An order that is to be cancelled stays NEW or PARTIALLY_FILLED until the venue has answered."""
    found = [
        pair for life in lives(recording) for pair in pairwise(life) if _is(pair[1], "cancel_request", "PENDING_CANCEL")
    ]
    for was, row in some([(was, row) for was, row in found if was.get("state") in ("NEW", "PARTIALLY_FILLED")]):
        row["state"] = was["state"]
    return recording.planted()


@defect("2.2.2", "deep")
def late_ack_forgets_the_cancel(recording: Recording) -> Planted:
    """An acknowledgement that comes when the order has gone on takes it back to NEW."""
    found = [
        (was, row)
        for life in lives(recording)
        for was, row in pairwise(life)
        if row["event"] == "ack" and row.get("state")
    ]
    one([row for was, row in found if row["state"] == was.get("state") != "PENDING_NEW"], at=0.5)["state"] = "NEW"
    return recording.planted()


@defect("2.2.2", "deep", like="QuantConnect/Lean#7382")
def canceled_order_goes_on_to_expire(recording: Recording) -> Planted:
    """An order that was cancelled is marked expired by a message that comes after."""
    life = one([life for life in lives(recording) if _is(life[-1], "cancel_ack", "CANCELED")], at=0.8)
    put(recording.edit("order_events"), {**life[-1], "event": "expire", "state": "EXPIRED"})
    return recording.planted()


# --- 2.2.3 ------------------------------------------------------------------------------------------------------------


@defect("2.2.3", "gross", also="2.2.2")
def late_fill_takes_the_order_to_filled(recording: Recording) -> Planted:
    """Each fill that arrives after the cancel takes its order to FILLED, which is what a fill does."""
    for _, row in some(_late_fills(recording)):
        row["state"] = "FILLED"
    return recording.planted()


@defect("2.2.3", "deep", also="2.2.2")
def late_fill_opens_the_order_again(recording: Recording) -> Planted:
    """A fill that arrives after the cancel opens its order again, until a query of the venue closes it."""
    _, row = one(
        [(life, row) for life, row in _late_fills(recording) if number(row, "qty") > number(row, "cum_qty")], at=0.99
    )
    closed = {"event": "reconcile", "exec_id": "", "state": row["state"], "leaves_qty": row.get("leaves_qty", "")}
    put(recording.edit("order_events"), later(row, 100 * MILLISECOND, **closed))
    left = number(row, "qty") - number(row, "cum_qty")
    row |= {"state": "PARTIALLY_FILLED", "leaves_qty": text(left, row["qty"])}
    return recording.planted()


@defect(
    "2.2.3", "deep", also="1.2.1 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3 1.3.4 2.3.2 2.3.3", like="freqtrade/freqtrade#3647"
)
def late_fill_is_dropped(recording: Recording) -> Planted:
    """A fill that arrives after the cancel is not booked: the order was gone."""
    life, row = one(_late_fills(recording), at=0.99)
    before = life[[each is row for each in life].index(True) - 1]
    for after in [each for each in life if ts(each) >= ts(row)]:
        after |= {name: before[name] for name in ("cum_qty", "avg_px") if name in before}
    rows = recording.edit("order_events")
    del rows[[each is row for each in rows].index(True)]
    costs = rebook(recording, [fill for fill in recording["fills"] if fill["exec_id"] != row["exec_id"]])
    return recording.planted(*costs.get("total", (None, "")))


# --- 2.2.4 ------------------------------------------------------------------------------------------------------------


@defect("2.2.4", "gross")
def leaves_kept_once_canceled(recording: Recording) -> Planted:
    """A cancelled order keeps what was left of it."""
    for row in some(
        [row for row in recording.edit("order_events") if _is(row, "cancel_ack", "CANCELED") and _rest(row)]
    ):
        row["leaves_qty"] = text(_rest(row), row["qty"])
    return recording.planted()


@defect("2.2.4", "deep", like="nautechsystems/nautilus_trader#449")
def leaves_of_the_quantity_before(recording: Recording) -> Planted:
    """When a replace changes an order's quantity, what is left is computed from the one before."""
    found = []
    for life in lives(recording):
        for request, row in pairwise(life):
            old = life[[each is request for each in life].index(True) - 1] if request is not life[0] else row
            by = number(old, "qty") - number(row, "qty")
            if row["event"] == "replace_ack" and row.get("leaves_qty") and by and number(row, "leaves_qty") + by > 0:
                found.append((row, by))
    row, by = one(found, at=0.6)
    row["leaves_qty"] = text(number(row, "leaves_qty") + by, row["leaves_qty"])
    return recording.planted()


@defect("2.2.4", "deep")
def average_price_without_weights(recording: Recording) -> Planted:
    """The average price of an order is the mean of its fills' prices, whatever their quantities."""
    life, price = one([(life, price) for life, price in _averages(recording, weighted=False)], at=0.6)
    for row in life[_last_fill(life) :]:
        row["avg_px"] = text(price, row["avg_px"])
    return recording.planted()


@defect("2.2.4", "deep")
def average_of_an_inverse_is_arithmetic(recording: Recording) -> Planted:
    """The average price of an inverse contract is weighted by contracts as a linear one's is."""
    inverse = {row["symbol"] for row in recording["instruments"] if row["kind"] == "inverse"}
    found = [(life, price) for life, price in _averages(recording, weighted=True) if life[0]["symbol"] in inverse]
    life, price = one(found, at=0.5)
    for row in life[_last_fill(life) :]:
        row["avg_px"] = text(price, row["avg_px"])
    return recording.planted()


@defect("2.2.4", "deep", also="2.3.3", like="nautechsystems/nautilus_trader#4154")
def replace_forgets_what_was_filled(recording: Recording) -> Planted:
    """A replaced order begins again with nothing filled."""
    found = [row for life in lives(recording) for row in events(life, "replace_ack") if number(row, "cum_qty")]
    row = one([row for row in found if row.get("state") == "PARTIALLY_FILLED"], at=0.5)
    row |= {"cum_qty": text(0, row["cum_qty"]), "leaves_qty": row["qty"], "avg_px": "", "state": "NEW"}
    return recording.planted()


# --- 2.2.5 ------------------------------------------------------------------------------------------------------------


@defect("2.2.5", "gross", also="2.2.2 5.3.5")
def rejected_orders_stay_open(recording: Recording) -> Planted:
    """The bot reads a reject and goes on to count the order as open."""
    for row in some([row for row in recording.edit("order_events") if _is(row, "reject", "REJECTED")]):
        row |= {"state": "PENDING_NEW", "leaves_qty": row["qty"]}
    return recording.planted()


@defect("2.2.5", "deep", also="2.2.2 2.4.1")
def rejected_order_is_cancelled(recording: Recording) -> Planted:
    """An order that was rejected is cancelled later."""
    rows = recording.edit("order_events")
    reject = one([row for row in rows if row["event"] == "reject"], at=0.5)
    put(rows, later(reject, 40 * MILLISECOND, event="cancel_request", ts_exchange="", code="", reason=""))
    put(rows, later(reject, 60 * MILLISECOND, event="cancel_reject", code="", reason="order is done"))
    return recording.planted()


@defect("2.2.5", "deep", also="1.4.4 5.3.2")
def rejected_order_sent_again_at_once(recording: Recording) -> Planted:
    """An order that was rejected is sent four times more within a tenth of a second, and rejected each time."""
    rows = recording.edit("order_events")
    life = one([life for life in lives(recording) if [row["event"] for row in life] == ["submit", "reject"]], at=0.5)
    submit, reject = life
    for n in range(1, 5):
        own = {"client_order_id": f"{submit['client_order_id']}{n}"}
        put(rows, {**submit, **own, "ts_local": str(ts(reject) + (25 * n - 20) * MILLISECOND)})
        put(rows, later(reject, (25 * n - 5) * MILLISECOND, **own))
    return recording.planted()


# --- 2.2.6 ------------------------------------------------------------------------------------------------------------


@defect("2.2.6", "gross", also="1.2.1 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.3.3 1.3.4 2.2.3 2.3.2 5.2.4")
def repeated_reports_booked_again(recording: Recording) -> Planted:
    """An execution that is reported twice is booked twice, in positions and in P&L."""
    again = [{**row, "exec_id": f"{row['exec_id']} again"} for row in some(_repeated(recording))]
    costs = rebook(recording, [*recording["fills"], *again])
    return recording.planted(*costs.get("total", (None, "")))


@defect("2.2.6", "deep", also="2.3.3")
def repeated_report_added_to_the_order(recording: Recording) -> Planted:
    """A repeated report is added to its order's cum_qty again, and to nothing else."""
    found = [(life, fill) for fill in _repeated(recording) for life in lives(recording) if _may_take(life, fill)]
    life, fill = one(found, at=0.9)
    after = [row for row in life if ts(row) > int(fill["ts_local"])]
    known = life[len(life) - len(after) - 1]
    again = {
        "event": "partial_fill",
        "exec_id": fill["exec_id"],
        "ts_local": fill["ts_local"],
        "ts_exchange": fill["ts_exchange"],
    }
    put(recording.edit("order_events"), {**known, **again})
    for row in [
        row
        for row in recording.edit("order_events")
        if row["client_order_id"] in ids(life) and ts(row) >= int(fill["ts_local"])
    ]:
        row["cum_qty"] = text(number(row, "cum_qty") + Fraction(fill["qty"]), row["cum_qty"])
        if number(row, "leaves_qty"):
            row["leaves_qty"] = text(number(row, "leaves_qty") - Fraction(fill["qty"]), row["leaves_qty"])
    return recording.planted()


@defect("2.2.6", "deep", also="1.3.1 1.3.3 1.3.4")
def fee_of_a_repeated_report_paid_again(recording: Recording) -> Planted:
    """A repeated report is kept out of the position, and its fee is added a second time."""
    base = {row["symbol"]: row["base"] for row in recording["instruments"] if row["kind"] == "spot"}
    fill = one([row for row in _repeated(recording) if row["fee_asset"] != base.get(row["symbol"])], at=0.9)
    costs = rebook(recording, [*recording["fills"], {**fill, "exec_id": f"{fill['exec_id']} again", "qty": "0"}])
    return recording.planted(*costs.get("total", (None, "")))


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def ack_overtaken_by_a_fill(recording: Recording) -> Planted:
    """An acknowledgement is processed after the order's first fill, and leaves the state as it is."""
    found = [life[:3] for life in lives(recording) if len(life) > 2 and life[1]["event"] == "ack"]
    quick = [head for head in found if head[2]["event"] in FILLS and ts(head[2]) - ts(head[0]) < 1000 * MILLISECOND]
    _, ack, fill = one(quick, at=0.5)
    rows = recording.edit("order_events")
    rows.remove(ack)
    rows.insert(rows.index(fill) + 1, ack)
    ack |= {"ts_local": fill["ts_local"]}
    ack |= {name: fill[name] for name in ("cum_qty", "leaves_qty", "avg_px", "state") if name in fill}
    return recording.planted()


@benign()
def cancel_sent_again(recording: Recording) -> Planted:
    """A cancel is sent a second time while the first is on its way."""
    rows = recording.edit("order_events")
    found = [was for life in lives(recording) for was, row in pairwise(life) if row["event"] == "cancel_ack"]
    row = one([row for row in found if row["event"] == "cancel_request"], at=0.5)
    put(rows, later(row, 1000))
    return recording.planted()


@benign()
def cancel_confirmed_twice(recording: Recording) -> Planted:
    """The venue confirms a cancel twice."""
    rows = recording.edit("order_events")
    put(rows, later(one([row for row in rows if row["event"] == "cancel_ack"], at=0.5), 1000))
    return recording.planted()


@benign()
def repeated_report_on_record(recording: Recording) -> Planted:
    """A repeated report is recorded as an event that changes nothing."""
    found = [(life, row) for life in lives(recording) for row in events(life, *FILLS) if row is life[-1]]
    _, row = one(found, at=0.5)
    put(recording.edit("order_events"), later(row, 1000))
    return recording.planted()


@benign()
def last_fill_called_partial(recording: Recording) -> Planted:
    """The execution that fills an order to the end is called a partial fill; nothing is left of the order."""
    found = [
        row for row in recording.edit("order_events") if _is(row, "fill", "FILLED") and not number(row, "leaves_qty")
    ]
    one([row for row in found if row.get("leaves_qty")], at=0.5)["event"] = "partial_fill"
    return recording.planted()


@benign()
def average_price_of_four_decimals(recording: Recording) -> Planted:
    """Average prices are printed with four decimals throughout."""
    for row in some([row for row in recording.edit("order_events") if row.get("avg_px")]):
        unit = Fraction(1, 10 ** len(row["avg_px"].partition(".")[2]))
        if abs(Fraction(row["avg_px"]) * 10_000 % 1 - Fraction(1, 2)) <= unit * 5_000:
            raise NotExercised("an average price lies between two numbers of four decimals, as far as it is printed")
        row["avg_px"] = text(Fraction(row["avg_px"]), "0.0000")
    return recording.planted()


@benign()
def time_out_before_the_answer(recording: Recording) -> Planted:
    """The bot notes that it is still waiting for an answer, which comes in time."""
    rows = recording.edit("order_events")
    found = [pair for life in lives(recording) for pair in pairwise(life) if pair[1]["event"] == "cancel_ack"]
    was, ack = one([(was, ack) for was, ack in found if was["event"] == "cancel_request"], at=0.3)
    put(rows, {**was, "event": "timeout", "ts_local": str((ts(was) + ts(ack)) // 2)})
    return recording.planted()


# --- order events -----------------------------------------------------------------------------------------------------


def _is(row: Row, event: str, state: str) -> bool:
    return row["event"] == event and row.get("state") == state


def _rest(row: Row) -> Fraction:
    """Return what an order that is done had left."""
    return number(row, "qty") - number(row, "cum_qty") if row.get("leaves_qty") else Fraction(0)


def _holds(life: Life, fill: Mapping[str, str]) -> bool:
    return any(row.get("exec_id") == fill["exec_id"] for row in life)


def _may_take(life: Life, fill: Mapping[str, str]) -> bool:
    """Whether a fill's quantity may be added to its order once more without passing what is left of it."""
    after = [row for row in life if ts(row) > int(fill["ts_local"])]
    open_after = [number(row, "leaves_qty") for row in [*life[: len(life) - len(after)][-1:], *after]]
    return (
        _holds(life, fill)
        and "cum_qty" in life[0]
        and all(not left or left > Fraction(fill["qty"]) for left in open_after)
    )


def _late_fills(recording: Recording) -> list[tuple[Life, Row]]:
    """Return fills, with their order, that came after it was cancelled or had expired."""
    pairs = [(life, was, row) for life in lives(recording) for was, row in pairwise(life) if row["event"] in FILLS]
    return [
        (life, row)
        for life, was, row in pairs
        if was.get("state") in ("CANCELED", "EXPIRED") and row["state"] == was["state"]
    ]


def _repeated(recording: Recording) -> list[Mapping[str, str]]:
    """Return the reports whose execution had been reported before."""
    met: set[str] = set()
    out = []
    for row in sorted(recording["fills"], key=lambda row: int(row["ts_local"])):
        if row["exec_id"] in met:
            out.append(row)
        met.add(row["exec_id"])
    return out


def _averages(recording: Recording, *, weighted: bool) -> Iterator[tuple[Life, Fraction]]:
    """Yield each order of several fills whose arithmetic average is another than the one that it claims."""
    fills: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in recording["fills"]:
        if row.get("kind", "trade") in ("", "trade"):
            fills.setdefault(row.get("client_order_id", ""), {}).setdefault(row["exec_id"], row)
    for life in lives(recording):
        mine = [
            fill for id in dict.fromkeys(row["client_order_id"] for row in life) for fill in fills.get(id, {}).values()
        ]
        weights = [Fraction(fill["qty"]) if weighted else Fraction(1) for fill in mine]
        if len(mine) > 1 and _holds(life, mine[-1]):
            price = sum((w * Fraction(f["price"]) for w, f in zip(weights, mine, strict=True)), Fraction(0)) / sum(
                weights
            )
            claimed = life[_last_fill(life)].get("avg_px")
            if claimed and text(price, claimed) != claimed:
                yield life, price


def _last_fill(life: Life) -> int:
    return max(place for place, row in enumerate(life) if row["event"] in FILLS)
