"""Mistakes of position and inventory."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction

from mmverify.defects import Planted, benign, defect
from mmverify.defects.orders import SENT, Leg, direction, held, later, middle, room, unfilled, walk
from mmverify.defects.rebook import Rates, rebook
from mmverify.defects.recording import Recording, Row, first, shift, text
from mmverify.errors import NotExercised

CLAIMS = "1.2.1 1.2.3 1.2.4 1.2.5 2.2.3 2.2.6 2.3.2 5.2.4 5.3.3"
MONEY = "1.3.1 1.3.2 1.3.3 1.3.4"


def _seen_by(item: str, more: str = "") -> str:
    """Return the other items that look at claims of a position after a fill of some kind."""
    return " ".join(each for each in f"{CLAIMS} {more}".split() if each != item)


# 1.2.1


@defect("1.2.1", "gross", also=_seen_by("1.2.1", MONEY))
def fill_never_booked(recording: Recording) -> Planted:
    """One fill in the middle of the session is never booked."""
    fills = recording["fills"]
    lost = fills[first(fills, lambda row: row.get("kind", "trade") in ("", "trade"), after=0.5)]
    _believe(recording, [row for row in fills if row["exec_id"] != lost["exec_id"]])
    return recording.planted()


@defect("1.2.1", "deep", also=_seen_by("1.2.1"))
def claim_without_the_fill_before_last(recording: Recording) -> Planted:
    """One claim leaves out the fill before the last one, and the next claim has it again."""
    partial = {row["ts_local"] for row in recording["order_events"] if row["event"] == "partial_fill"}
    lacking = []
    for run in _by_symbol(recording).values():
        for near in zip(run, run[1:], run[2:], run[3:], strict=False):
            before, then, row, _ = near
            left_out = Fraction(row["qty"]) - Fraction(then["qty"]) + Fraction(before["qty"])
            is_apart = len({each["ts_local"] for each in near}) == 4 and not partial & {r["ts_local"] for r in near[1:]}
            is_new = left_out not in (Fraction(row["qty"]), Fraction(then["qty"]))
            lacking += [(row, left_out)] if is_apart and is_new and left_out * Fraction(row["qty"]) > 0 else []
    row, left_out = middle(lacking)
    row["qty"] = text(left_out, row["qty"])
    return recording.planted()


@defect("1.2.1", "deep", also=_seen_by("1.2.1"))
def fee_in_base_left_out(recording: Recording) -> Planted:
    """Once a fee that was paid in the base asset is not taken off the position."""
    at = _by_instant(recording)
    paid = [row for row in recording["fills"] if _is_in_base(recording, row) and Fraction(row["fee"])]
    row, fill = middle((row, fill) for fill in paid for row in at[fill["symbol"], fill["ts_local"]])
    shift(row, "qty", Fraction(fill["fee"]))
    return recording.planted()


# 1.2.2


@defect("1.2.2", "gross", also="1.2.6 1.4.3 2.4.4", like="nautechsystems/nautilus_trader#4419")
def each_order_held_against_the_limit_alone(recording: Recording) -> Planted:
    """An order may be as large as max_position whatever the position is."""
    for leg, most in _growing(recording):
        if most < _most(recording, leg):
            leg.resize(_most(recording, leg))
    return recording.planted()


@defect("1.2.2", "deep", also="1.2.6 1.4.3 2.4.4")
def one_lot_past_the_limit(recording: Recording) -> Planted:
    """One order would, executed in full, bring the position one lot past its limit."""
    lots = {row["symbol"]: Fraction(row["lot_size"]) for row in recording["instruments"]}
    leg, qty = middle(
        (leg, qty)
        for leg, most in _growing(recording)
        if (qty := most + lots[leg.sent["symbol"]]) <= _most(recording, leg)
    )
    leg.resize(qty)
    return recording.planted()


# 1.2.3


@defect("1.2.3", "gross", also=_seen_by("1.2.3", MONEY))
def partial_fill_booked_as_the_whole_order(recording: Recording) -> Planted:
    """One partial fill is booked with the quantity of its order."""
    fills, open_after, sent = recording["fills"], _partial(recording), recording["order_events"]
    whole = {row["client_order_id"]: row["qty"] for row in sent if row["event"] in SENT and row.get("qty")}
    partial = middle(row for row in fills if row["exec_id"] in open_after and row["client_order_id"] in whole)
    qty = whole[partial["client_order_id"]]
    _believe(recording, [{**row, "qty": qty} if row["exec_id"] == partial["exec_id"] else row for row in fills])
    return recording.planted()


@defect("1.2.3", "deep", also=_seen_by("1.2.3"))
def cumulative_quantity_added(recording: Recording) -> Planted:
    """Once what an order has filled so far is added where its last fill belongs, until the next claim."""
    partial, at = _partial(recording), _by_instant(recording)
    filled: dict[str, dict[str, Fraction]] = defaultdict(dict)
    again = []
    for fill in recording["fills"]:
        before = filled[fill["client_order_id"]]
        if before and fill["exec_id"] in partial and fill["exec_id"] not in before:
            more = direction(fill) * sum(before.values(), Fraction(0))
            again += [(row, more) for row in at[fill["symbol"], fill["ts_local"]]]
        before[fill["exec_id"]] = Fraction(fill["qty"])
    row, more = middle(again)
    shift(row, "qty", more)
    return recording.planted()


# 1.2.4


@defect("1.2.4", "gross", also=_seen_by("1.2.4"))
def sells_add_and_buys_take(recording: Recording) -> Planted:
    """The positions of one market have the opposite sign throughout."""
    claims = _claims(recording)
    symbol = claims[first(claims, lambda row: bool(Fraction(row["qty"])))]["symbol"]
    for row in claims:
        if row["symbol"] == symbol:
            row["qty"] = text(-Fraction(row["qty"]), row["qty"])
    return recording.planted()


@defect("1.2.4", "deep", also=_seen_by("1.2.4"), like="nautechsystems/nautilus_trader#60")
def flip_keeps_the_old_sign(recording: Recording) -> Planted:
    """When a fill turns the position over, its sign stays as it was until the position is closed."""
    runs: list[list[Row]] = []
    for claims in _by_symbol(recording).values():
        signs = [(Fraction(row["qty"]) > 0) - (Fraction(row["qty"]) < 0) for row in claims]
        for place in range(1, len(claims)):
            if signs[place] * signs[place - 1] < 0:
                ends = (n for n in range(place, len(claims)) if signs[n] != signs[place])
                runs.append(claims[place : next(ends, len(claims))])
    turned = [run for run in runs if len({row["ts_local"] for row in run}) > 1]
    for row in min(turned, key=len, default=[]):
        row["qty"] = text(-Fraction(row["qty"]), row["qty"])
    return recording.planted()


@defect("1.2.4", "deep", also="1.3.2", like="nautechsystems/nautilus_trader#60")
def unrealized_of_the_other_direction(recording: Recording) -> Planted:
    """A short position is valued as if it were long, in one claim and in the sum of all."""
    at, rows = held(recording), recording.edit("pnl")
    shorts = [
        row
        for row in rows
        if row["symbol"] != "*" and at(row["symbol"], int(row["ts_local"])) < 0 and Fraction(row.get("unrealized") or 0)
    ]
    row = middle(shorts)
    currency = row.get("currency") or recording.settings["session"]["currency"]
    by = shift(row, "unrealized", -2 * Fraction(row["unrealized"]))
    shift(row, "total", by)
    for star in rows:
        if star["symbol"] == "*" and star["ts_local"] == row["ts_local"]:
            into = star.get("currency") or recording.settings["session"]["currency"]
            rate = Rates(recording).at(currency, into, int(row["ts_local"]))
            shift(star, "total", shift(star, "unrealized", by * rate))
    return recording.planted(abs(by), currency)


# 1.2.5


@defect("1.2.5", "gross", also=_seen_by("1.2.5", MONEY))
def corrections_ignored(recording: Recording) -> Planted:
    """What the venue takes back or restates stays booked as it was."""
    _believe(recording, [row for row in recording["fills"] if not row.get("correction_of")])
    return recording.planted()


@defect("1.2.5", "deep", also=_seen_by("1.2.5"))
def bust_reaches_the_position_late(recording: Recording) -> Planted:
    """After one fill is taken back or restated, the position stands as before until the deadline has passed."""
    allowed = int(recording.settings.get("timing", {}).get("resync_timeout_ms") or 5000) * 10**6
    for fill in recording["fills"]:
        start, moved = int(fill["ts_local"]), _moves(recording, fill)
        claims = _claims(recording) if moved else []
        late = [row for row in claims if 0 < int(row["ts_local"]) - start <= 2 * allowed]
        late = [row for row in late if row["symbol"] == fill["symbol"]]
        if late:
            for row in late:
                shift(row, "qty", -moved)
            return recording.planted()
    raise NotExercised("the session has no correction with a claim soon after it")


@defect("1.2.5", "gross", also=_seen_by("1.2.5", MONEY), like="nautechsystems/nautilus_trader#4736")
def reconcile_closes_the_position_in_the_books(recording: Recording) -> Planted:
    """After a reconnect a fill is made up that is equal and opposite to the position, and the bot goes on from flat."""
    at, fills = held(recording), recording["fills"]
    for row in recording["connection"]:
        if row["event"] == "reconnect":
            ts = int(row["ts_local"]) + 1
            for last in (last for last in reversed(fills) if int(last["ts_local"]) < ts):
                if position := at(last["symbol"], ts):
                    made = {
                        "ts_local": str(ts),
                        "exec_id": "reconcile",
                        "fee": "0",
                        "kind": "trade",
                        "correction_of": "",
                    }
                    made |= {"side": "sell" if position > 0 else "buy", "qty": text(abs(position), "0.00000000")}
                    _believe(recording, [*fills, {**last, **made}])
                    return recording.planted()
    raise NotExercised("the session has no reconnect with a position")


# 1.2.6


@defect("1.2.6", "gross", also="1.4.3 2.4.4", like="enarjord/passivbot#980")
def orders_on_their_way_not_counted(recording: Recording) -> Planted:
    """Orders that are not yet answered leave the whole room to the next one."""
    for leg, most in _second(recording):
        leg.resize(most)
    return recording.planted()


@defect("1.2.6", "deep", also="1.4.3 2.4.4")
def two_at_once_pass_the_limit(recording: Recording) -> Planted:
    """Once two orders that go out together may pass the limit that each of them keeps."""
    leg, most = middle(_second(recording))
    leg.resize(most)
    return recording.planted()


def _second(recording: Recording) -> Iterator[tuple[Leg, Fraction]]:
    """Yield the legs sent while another of the side was not answered, and what each may be for alone."""
    legs = {leg.place: (leg, most) for leg, most in _growing(recording)}
    for place, live in walk(recording.edit("order_events")):
        if place in legs:
            leg, most = legs[place]
            on_their_way = any(
                row["event"] in SENT and row.get("reduce_only") != "true" for row in _others(leg, live).values()
            )
            if on_their_way and Fraction(leg.sent["qty"]) < most <= _most(recording, leg):
                yield leg, most


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def claim_before_the_fill_of_its_instant(recording: Recording) -> Planted:
    """One claim is made in the nanosecond in which a fill arrives, and before it."""
    partial = {row["ts_local"] for row in recording["order_events"] if row["event"] == "partial_fill"}
    fills = {(row["symbol"], row["ts_local"]) for row in recording["fills"]}
    early = [
        (row, before)
        for run in _by_symbol(recording).values()
        for before, row, after in zip(run, run[1:], run[2:], strict=False)
        if before["ts_local"] < row["ts_local"] < after["ts_local"] and before["qty"] != row["qty"]
        and int(after["ts_local"]) - int(row["ts_local"]) < 10**9
        and (row["symbol"], row["ts_local"]) in fills and row["ts_local"] not in partial
    ]  # fmt: skip
    row, before = middle(early)
    row["qty"] = before["qty"]
    return recording.planted()


@benign()
def venue_states_the_position_first(recording: Recording) -> Planted:
    """The venue's statement of a position arrives just before the fill that is in it already."""
    rows, early = recording.edit("positions"), []
    times: dict[str, list[int]] = defaultdict(list)
    for fill in recording["fills"]:
        times[fill["symbol"]].append(int(fill["ts_local"]))
    for row in (row for row in rows if row.get("source") == "exchange"):
        count = bisect_right(times[row["symbol"]], int(row["ts_local"]))
        last = times[row["symbol"]][count - 1] if count else 0
        if last > times[row["symbol"]][0] and int(row["ts_local"]) - last < 4 * 10**9:
            early.append((row, last))
    row, last = middle(early)
    row["ts_local"] = str(last - 1)
    rows.sort(key=lambda row: int(row["ts_local"]))
    return recording.planted()


@benign()
def order_to_the_last_lot(recording: Recording) -> Planted:
    """One order takes all the room that position and open orders leave, to the last lot."""
    legs = {leg.place: (leg, most) for leg, most in _growing(recording)}
    exact = []
    for place, live in walk(recording.edit("order_events")):
        if place in legs:
            leg, most = legs[place]
            others = _others(leg, live)
            open_qty = [Fraction(row["qty"]) - Fraction(row.get("cum_qty") or 0) for row in others.values()]
            qty = most - sum(open_qty, Fraction(0))
            is_alone = not any(_is_rival(row, leg, others) for row in later(recording, leg, leg.end))
            if is_alone and Fraction(leg.sent["qty"]) < qty <= _most(recording, leg):
                exact.append((leg, qty))
    leg, qty = middle(exact)
    leg.resize(qty)
    return recording.planted()


def _is_rival(row: Mapping[str, str], leg: Leg, others: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a row sends another order of the side, or one of the others for more."""
    old = row.get("orig_client_order_id") or ""
    is_like = row["event"] in SENT and (row["symbol"], row["side"]) == (leg.sent["symbol"], leg.sent["side"])
    more = old not in others or Fraction(row["qty"]) > Fraction(others[old]["qty"])
    return is_like and old != leg.sent["client_order_id"] and more


@benign()
def flat_written_with_a_sign(recording: Recording) -> Planted:
    """A position of 0 that was short before is written -0."""
    for row in _claims(recording):
        row["qty"] = f"-{row['qty']}" if not Fraction(row["qty"]) else row["qty"]
    return recording.planted()


# --- what they share --------------------------------------------------------------------------------------------------


def _claims(recording: Recording) -> list[Row]:
    """Return the bot's own claims, to be edited."""
    return [row for row in recording.edit("positions") if row.get("source", "bot") != "exchange"]


def _by_instant(recording: Recording) -> dict[tuple[str, str], list[Row]]:
    """Return the bot's own claims of each symbol and time."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _claims(recording):
        found[row["symbol"], row["ts_local"]].append(row)
    return found


def _partial(recording: Recording) -> frozenset[str]:
    """Return the executions that left something of their order open."""
    rows = recording["order_events"]
    return frozenset(row["exec_id"] for row in rows if row["event"] == "partial_fill" and row.get("exec_id"))


def _believe(recording: Recording, believed: list[Mapping[str, str]]) -> None:
    """Let the bot's positions and P&L follow from fills as it took them."""
    if not _claims(recording):
        raise NotExercised("the session has no positions of the bot's")
    rebook(recording, believed)


def _by_symbol(recording: Recording) -> dict[str, list[Row]]:
    """Return the bot's own claims of each symbol."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in _claims(recording):
        found[row["symbol"]].append(row)
    return found


def _growing(recording: Recording) -> Iterator[tuple[Leg, Fraction]]:
    """Yield the legs that may grow the position, and what each may be for alone."""
    at = held(recording)
    for leg in unfilled(recording):
        most = room(recording, leg, at(leg.sent["symbol"], leg.ts))
        if most is not None and most >= 0 and leg.sent.get("reduce_only") != "true":
            yield leg, most


def _others(leg: Leg, live: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Return the other orders of a leg's side that are not done, by their ids."""
    mine = leg.sent.get("orig_client_order_id") or leg.sent["client_order_id"]
    key = leg.sent["symbol"], leg.sent["side"]
    return {name: row for name, row in live.items() if (row["symbol"], row["side"]) == key and name != mine}


def _most(recording: Recording, leg: Leg) -> Fraction:
    """Return what an order may be for, whatever the position: by max_order_qty and the instrument."""
    symbol = leg.sent["symbol"]
    limits = [recording.limit(symbol, name) for name in ("max_order_qty", "max_position")]
    limits.append(Fraction(recording.instrument(symbol).get("max_qty") or 10**18))
    return min(each for each in limits if each is not None)


def _moves(recording: Recording, correction: Mapping[str, str]) -> Fraction:
    """Return what a correction or bust changes of the position, 0 for any other report."""
    if not correction.get("correction_of"):
        return Fraction(0)
    same = [row for row in recording["fills"] if row["exec_id"] == correction["correction_of"]]
    qty = Fraction(0) if correction["kind"] == "bust" else Fraction(correction["qty"])
    fee = Fraction(correction["fee"]) if _is_in_base(recording, correction) else Fraction(0)
    return direction(same[0]) * (qty - Fraction(same[0]["qty"])) - fee


def _is_in_base(recording: Recording, fill: Mapping[str, str]) -> bool:
    """Whether a fee moves the position."""
    instrument = recording.instrument(fill["symbol"])
    return instrument["kind"] == "spot" and instrument["base"] == fill["fee_asset"]
