"""Mistakes of VWAP, moving averages and volatility, and what is none."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from mmverify.defects import Planted, benign, defect
from mmverify.defects.recording import Recording, Row, first, text
from mmverify.defects.tape import Claim, claims_of, longest_value, mean, peeked, price_cost, replaced
from mmverify.errors import NotExercised
from mmverify.simulate.signals import YEAR

RECOMPUTED = ("vwap", "volume", "ema", "volatility")
DAY = YEAR // 365

# 3.3.1


@defect("3.3.1", "gross")
def prices_averaged_without_their_quantities(recording: Recording) -> Planted:
    """VWAP is the mean of the prices of the window."""
    return replaced(recording, "vwap", lambda each: mean([trade.price for trade in each.window]))


@defect("3.3.1", "gross", also="3.2.2", like="gbeced/pyalgotrade#155")
def vwap_reset_on_every_trade(recording: Recording) -> Planted:
    """The sums of the VWAP start anew with every trade, so that it is the last price."""
    return replaced(recording, "vwap", lambda each: each.window[-1].price if each.window else None)


@defect("3.3.1", "deep")
def vwap_of_the_claim_before(recording: Recording) -> Planted:
    """Late in the session one VWAP is published again in place of the next one."""
    claims = [each for each in claims_of(recording, "vwap") if each.row["value"]]
    last: dict[str, str] = {}
    found = []
    for n, each in enumerate(claims):
        before = last.get(each.symbol, each.row["value"])
        last[each.symbol] = each.row["value"]
        if n >= len(claims) // 2:
            found.append((abs(Fraction(before) - Fraction(each.row["value"])), n, before))
    if not found or not max(found)[0]:
        raise NotExercised("no VWAP of the later half differs from the one before it")
    _, n, before = max(found)
    claims[n].row["value"] = before
    return recording.planted(*price_cost(recording, [(claims[n], claims[n].vwap())]))


@defect("3.3.1", "deep")
def empty_window_keeps_the_last_vwap(recording: Recording) -> Planted:
    """A window in which nothing traded is published with the VWAP of the window before it."""
    _look_at_silence(recording, keep=True)
    return recording.planted()


# 3.3.2


@defect("3.3.2", "gross")
def smoothed_by_one_over_the_span(recording: Recording) -> Planted:
    """The weight of a new price is 1 / span (Wilder's), where 2 / (span + 1) is stated."""

    def value(each: Claim) -> Decimal | None:
        return each.ema(alpha=1 / Decimal(each.params["span"])) if "span" in each.params else each.ema()

    return replaced(recording, "ema", value)


@defect("3.3.2", "deep", like="twopirllc/pandas-ta#767")
def started_by_another_rule(recording: Recording) -> Planted:
    """Weights are normalised over what there is, where the first price is the start; the first price, otherwise."""
    other = "adjusted" if recording.convention("ema_init", "first") == "first" else "first"
    return replaced(recording, "ema", lambda each: each.ema(init=other))


@defect("3.3.2", "deep", like="TA-Lib/ta-lib-python#542")
def missing_price_taken_as_0(recording: Recording) -> Planted:
    """In the middle of the session the price of one trade is missing, and the average takes it as 0."""
    found = [each for each in claims_of(recording, "ema") if each.row["value"] and each.window]
    if not found:
        raise NotExercised("the session has no EMA of trades")
    bad = found[len(found) // 2].window[-1]

    def value(each: Claim) -> Decimal | None:
        return each.ema(price=lambda trade: Decimal(0) if trade == bad else trade.price)

    return replaced(recording, "ema", value)


@defect("3.3.2", "deep")
def mean_of_fewer_than_n_prices(recording: Recording) -> Planted:
    """An average that starts at the mean of n prices is published before they are there, as the mean of what is."""
    recording.edit_settings().setdefault("conventions", {})["ema_init"] = "sma"
    early, like = False, longest_value(recording)
    for each in claims_of(recording, "ema"):
        value = each.ema()
        early |= value is None and bool(each.window)
        value = mean([trade.price for trade in each.window]) if value is None else value
        each.row["value"] = each.row["value"] if value is None else text(Fraction(value), each.row["value"] or like)
    if not early:
        raise NotExercised("no moving average has fewer than n prices")
    return recording.planted()


# 3.3.3


@defect("3.3.3", "gross")
def returns_of_the_other_kind(recording: Recording) -> Planted:
    """Simple returns are taken where log returns are stated, or the other way round."""
    other = {"log": "simple", "simple": "log"}[recording.convention("volatility", "log")]
    return replaced(recording, "volatility", lambda each: each.volatility(kind=other))


@defect("3.3.3", "gross")
def divided_by_n_where_a_sample_is_stated(recording: Recording) -> Planted:
    """The squares are divided by n where n - 1 is stated, by n - 1 where n is."""
    return replaced(recording, "volatility", lambda each: each.volatility(ddof=0 if each.ddof else 1))


@defect("3.3.3", "gross", like="polakowo/vectorbt#294")
def annualized_by_252_days(recording: Recording) -> Planted:
    """A market that never closes is annualized by the 252 days of one that does."""

    def value(each: Claim) -> Decimal | None:
        stated = "periods_per_year" in each.params
        return each.volatility(per_year=each.per_year if stated else each.per_year * 252 / 365)

    return replaced(recording, "volatility", value)


@defect("3.3.3", "deep")
def empty_bucket_left_out(recording: Recording) -> Planted:
    """Late in the session one volatility leaves out a bucket in which nothing traded."""
    found = [each for each in claims_of(recording, "volatility") if each.row["value"] and each.is_gapped]
    if not found:
        raise NotExercised("no volatility of the session has a bucket in which nothing traded")
    chosen = found[-1].place
    return replaced(recording, "volatility", lambda each: each.volatility(repeat=each.place != chosen))


# 3.3.4


@defect("3.3.4", "gross", also="3.2.2 3.2.3 3.3.1 3.3.2 3.3.3", like="peerchemist/finta#25")
def signal_shifted_by_minus_one(recording: Recording) -> Planted:
    """Each claim of a signal is the one that its next inputs give."""
    rows = [row for row in recording.edit("signals") if row.get("ts_input_max")]
    names = {row["name"] for row in rows}
    chosen = min(names, key=lambda name: (name in RECOMPUTED, name), default="")
    later: dict[tuple[str, str], Row] = {}
    moved = []
    for row in reversed([row for row in rows if row["name"] == chosen]):
        after = later.get((row["symbol"], row.get("params") or ""))
        later[row["symbol"], row.get("params") or ""] = dict(row)
        if after and int(after["ts_input_max"]) > int(row["ts_local"]):
            row["value"], row["ts_input_max"] = after["value"], after["ts_input_max"]
            moved.append(row)
    return recording.planted(*peeked(recording, moved))


@defect("3.3.4", "deep", also="3.3.2")
def trade_taken_in_before_it_arrived(recording: Recording) -> Planted:
    """Late in the session one moving average has the next trade in it already."""
    claims = [each for each in claims_of(recording, "ema") if each.row["value"] and each.row.get("ts_input_max")]
    for each in claims[len(claims) // 2 :]:
        next_ = next((trade for trade in each.tape.arrived if trade.ts_local > each.at), None)
        if next_ and "period_ns" not in each.params:
            early = Claim(each.place, {**each.row, "ts_local": str(next_.ts_local)}, each.tape, each.init, each.kind)
            each.row["value"] = text(Fraction(early.ema(until=next_.ts_exchange + 1) or 0), each.row["value"])
            each.row["ts_input_max"] = str(next_.ts_local)
            return recording.planted(*peeked(recording, [each.row]))
    raise NotExercised("no moving average of the later half has a trade after it")


@defect("3.3.4", "deep")
def input_of_a_nanosecond_after(recording: Recording) -> Planted:
    """Late in the session the newest input of one signal is a nanosecond later than the signal."""
    rows = [row for row in recording.edit("signals") if row.get("ts_input_max")]
    if not rows:
        raise NotExercised("no signal says how new its inputs are")
    row = rows[len(rows) * 3 // 4]
    row["ts_input_max"] = str(int(row["ts_local"]) + 1)
    return recording.planted()


# Oddities


@benign()
def empty_window_without_a_value(recording: Recording) -> Planted:
    """Of a window in which nothing traded the bot says that there is no VWAP."""
    _look_at_silence(recording, keep=False)
    return recording.planted()


@benign()
def input_of_the_very_nanosecond(recording: Recording) -> Planted:
    """The newest input of one signal reached the bot at the signal's own nanosecond."""
    rows = recording.edit("signals")
    row = rows[first(rows, lambda row: bool(row.get("ts_input_max")) and row["name"] not in RECOMPUTED)]
    row["ts_input_max"] = row["ts_local"]
    return recording.planted()


@benign()
def average_by_alpha(recording: Recording) -> Planted:
    """The weight of a new price is stated as alpha, with the n of its start, and not as a span."""
    for each in claims_of(recording, "ema"):
        if "span" in each.params:
            span = each.params["span"]
            other = {name: value for name, value in each.params.items() if name != "span"}
            each.row["params"] = json.dumps({**other, "alpha": 2 / (span + 1), "n": span})
    return recording.planted()


@benign()
def other_kind_of_return_stated_and_kept(recording: Recording) -> Planted:
    """The bot takes simple returns, log returns where simple ones were stated, and says so."""
    other = {"log": "simple", "simple": "log"}[recording.convention("volatility", "log")]
    replaced(recording, "volatility", lambda each: each.volatility(kind=other))
    recording.edit_settings().setdefault("conventions", {})["volatility"] = other
    return recording.planted()


@benign()
def year_of_252_days_stated_and_kept(recording: Recording) -> Planted:
    """The bot annualizes by 252 days, and says so beside each claim."""
    per_year = {each.place: each.per_year * 252 // 365 for each in claims_of(recording, "volatility")}
    replaced(recording, "volatility", lambda each: each.volatility(per_year=per_year[each.place]))
    for each in claims_of(recording, "volatility"):
        each.row["params"] = json.dumps({**each.params, "periods_per_year": int(per_year[each.place])})
    return recording.planted()


def _look_at_silence(recording: Recording, *, keep: bool) -> None:
    """Add a VWAP of a window in which nothing traded, late in the session; `keep` the value of the claim before it."""
    claims = [each for each in claims_of(recording, "vwap") if each.row["value"]]
    for each in claims[len(claims) // 2 :]:
        before = [trade.ts_exchange for trade in each.tape.stamped if trade.ts_exchange < int(each.row["window_end"])]
        gaps = [(now - was, was) for was, now in pairwise(before) if now - was > 2]
        if gaps:
            length, start = max(gaps)
            own = {"window_start": str(start + 1), "window_end": str(start + length)}
            row = {**each.row, **own, "value": each.row["value"] if keep else "", "ts_input_max": ""}
            recording.edit("signals").insert(each.place + 1, row)
            return
    raise NotExercised("no VWAP of the later half has a silence between trades before it")
