"""Mistakes of trades: whose side they were on, which of them count, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmverify.defects import Planted, benign, defect
from mmverify.defects.recording import Recording, first
from mmverify.defects.windows import Trade, Window, by_arrival, misjudge
from mmverify.errors import NotExercised

_TURNED = {"buy": "sell", "sell": "buy"}


@defect("3.2.1", "gross")
def maker_side_for_the_aggressor(recording: Recording) -> Planted:
    """The side of every trade is that of the order that rested, not of the one that took."""
    rows = recording.edit("bot_trades")
    start = first(rows, lambda row: row["side"] in _TURNED)
    for row in rows:
        row["side"] = _TURNED.get(row["side"], row["side"])
    return Planted((f"bot_trades:{start + 1}",))


@defect("3.2.1", "deep")
def zero_tick_signed_anew(recording: Recording) -> Planted:
    """A trade at the price of the one before is given the other side, where a zero tick says nothing new."""
    reports = {(row["symbol"], row.get("trade_id")): row for row in recording["trades"]}
    rows = recording.edit("bot_trades")
    prices: dict[str, str] = {}
    zero = []
    for place, row in enumerate(rows):
        report = reports.get((row["symbol"], row["trade_id"]))
        if report and row["side"] in _TURNED and (report.get("aggressor") or "trade_sign" in _stated(recording)):
            if prices.get(row["symbol"]) == report["price"]:
                zero.append(place)
            prices[row["symbol"]] = report["price"]
    if not zero:
        raise NotExercised("no trade of the session is at the price of the one before")
    place = zero[len(zero) // 2]
    rows[place]["side"] = _TURNED[rows[place]["side"]]
    return Planted((f"bot_trades:{place + 1}",))


@defect("3.2.2", "gross")
def one_trade_a_timestamp(recording: Recording) -> Planted:
    """Trades are kept by their time, so that of those with one timestamp only the last counts in a volume."""
    return misjudge(recording, ["volume"], _last_of_each)


@defect("3.2.2", "deep")
def second_trade_of_an_instant_is_a_duplicate(recording: Recording) -> Planted:
    """Once, late in the session, a trade with the timestamp of another is dropped as a repeated message."""
    return misjudge(recording, ["volume"], _first_of_each, last=True)


@defect("3.2.3", "gross", also="3.3.1")
def late_trades_dropped(recording: Recording) -> Planted:
    """A trade that arrives after a newer one is left out of every VWAP."""
    return misjudge(recording, ["vwap"], _without_late)


@defect("3.2.3", "deep", also="3.3.1 4.1.2")
def late_trade_in_the_window_of_its_arrival(recording: Recording) -> Planted:
    """One VWAP is over the trades that arrived in its window, not over those that happened in it."""
    return misjudge(recording, ["vwap"], by_arrival, last=True)


@defect("3.2.4", "gross")
def outlier_filter_drops_good_trades(recording: Recording) -> Planted:
    """A filter takes trades within the book and of full size for outliers."""
    return _drop(recording, _unseen_by_claims(recording), "outlier")


@defect("3.2.4", "deep")
def trade_at_the_end_dropped(recording: Recording) -> Planted:
    """The last trade of the session that counts is thrown away as too small."""
    return _drop(recording, _unseen_by_claims(recording)[-1:], "below min_qty")


@benign()
def trades_of_an_instant_in_another_order(recording: Recording) -> Planted:
    """The bot lists two trades in the other order than it received them; each keeps its side and use."""
    rows = recording.edit("bot_trades")
    place = first(rows[1:], lambda row: row["symbol"] != rows[0]["symbol"] or row["side"] != rows[0]["side"])
    rows[place], rows[place + 1] = rows[place + 1], rows[place]
    return Planted((f"bot_trades:{place + 1}",))


@benign()
def reason_in_other_words(recording: Recording) -> Planted:
    """Trades that are too small are left out with the reason in other words."""
    rows = recording.edit("bot_trades")
    start = first(rows, lambda row: row.get("used") == "false" and bool(row.get("reason")))
    for row in rows:
        if row.get("used") == "false" and row.get("reason"):
            row["reason"] = f"{row['reason']} (dust)"
    return Planted((f"bot_trades:{start + 1}",))


def _stated(recording: Recording) -> Mapping[str, str]:
    found: Mapping[str, str] = recording.settings.get("conventions", {})
    return found


def _last_of_each(window: Window) -> Sequence[Trade]:
    return list({trade.ts_exchange: trade for trade in window.trades()}.values())


def _first_of_each(window: Window) -> Sequence[Trade]:
    return list({trade.ts_exchange: trade for trade in reversed(window.trades())}.values())


def _without_late(window: Window) -> Sequence[Trade]:
    newest, kept = 0, []
    for trade in window.arrived:
        if trade.ts_exchange >= newest and window.start <= trade.ts_exchange < window.end:
            kept.append(trade)
        newest = max(newest, trade.ts_exchange)
    return kept


def _unseen_by_claims(recording: Recording) -> list[int]:
    """Return the places of used trades of full size that no signal of their symbol came after."""
    claimed = {row["symbol"]: int(row["ts_local"]) for row in recording["signals"]}
    least = {row["symbol"]: float(row.get("min_qty") or 0) for row in recording["instruments"]}
    reports = {(row["symbol"], row.get("trade_id")): row for row in recording["trades"]}
    found = []
    for place, row in enumerate(recording["bot_trades"]):
        report = reports.get((row["symbol"], row["trade_id"]))
        if report and row.get("used") == "true" and float(report["qty"]) >= least[row["symbol"]]:
            found += [place] if int(report.get("ts_local") or 0) > claimed.get(row["symbol"], 0) else []
    return found


def _drop(recording: Recording, places: Sequence[int], reason: str) -> Planted:
    if not places:
        raise NotExercised("every trade of the session that counts is in a signal")
    rows = recording.edit("bot_trades")
    for place in places:
        rows[place] |= {"used": "false", "reason": reason}
    return Planted((f"bot_trades:{places[0] + 1}",))
