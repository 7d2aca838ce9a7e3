"""The legal map of order states as one step: how an order stands, what a row says, how the order stands after it.

The map is `mmverify.replay.order_state`'s, each of its conditions applied. Where the state that the bot recorded is
legal the order goes there; else where the event takes it at the venue, so that one wrong state is one wrong row.
"""

from __future__ import annotations

from typing import NamedTuple

from mmverify.replay.order_state import DONE, NONE, OPEN, STATES, legal

FILLS = ("partial_fill", "fill")
_ENDS = {
    "reject": "REJECTED", "cancel_ack": "CANCELED", "expire": "EXPIRED", "exchange_cancel": "CANCELED",
    "liquidation": "CANCELED",
}  # fmt: skip
_WAITING = ("submit", "timeout", "cancel_request", "replace_request")


class Standing(NamedTuple):
    """How an order stands: its state, and what is open beside it.

    Parameters
    ----------
    state : str
        One of `STATES`; `NONE` before its first event.
    is_acked, is_answered, is_traded : bool
        The venue acknowledged it; it said anything of it at all; a fill of it was reported.
    cancel_open, replace_open : bool
        A cancel or a replace is not answered yet.
    """

    state: str = NONE
    is_acked: bool = False
    is_answered: bool = False
    is_traded: bool = False
    cancel_open: bool = False
    replace_open: bool = False


class Report(NamedTuple):
    """What the map looks at in a row.

    Parameters
    ----------
    event : str
        One of `EVENTS`, empty where it is none of them.
    state : str
        One of `STATES`, empty where the bot recorded none of them.
    is_filled : bool or None
        Whether cum_qty, the last that was recorded, is above 0.
    is_complete : bool
        Nothing is left of the order: leaves_qty is 0, or where there is none the event is `fill`.
    is_covered : bool
        The quantity that it is replaced to is at or below cum_qty.
    is_repeated : bool
        Its exec_id was reported before.
    is_foreign : bool
        The venue is its origin.
    is_resubmitted : bool
        A submit under an id that an order had before.
    """

    event: str
    state: str
    is_filled: bool | None
    is_complete: bool
    is_covered: bool
    is_repeated: bool
    is_foreign: bool
    is_resubmitted: bool


def allowed(was: Standing, report: Report) -> frozenset[str]:
    """Return the states that the map allows after a report, its conditions applied; none where the event is illegal."""
    event, state = report.event, was.state
    if event == "reconcile" or not event:
        return frozenset(STATES)
    if event == "submit" and report.is_resubmitted:
        return frozenset()
    if state == NONE and event != "submit":
        return frozenset(STATES) if report.is_foreign else frozenset()
    if event in FILLS:
        return _after_fill(state, report)
    choices = legal(state, event)
    is_open = {"cancel": was.cancel_open, "replace": was.replace_open}.get(event.partition("_")[0], True)
    if event.endswith(("_ack", "_reject")) and state == "PARTIALLY_FILLED" and not is_open:
        return frozenset()
    if event == "cancel_reject" and state in OPEN and not (was.is_acked or was.is_traded or report.is_filled):
        return choices & {"PENDING_NEW"}
    if event == "replace_ack" and report.is_covered and "PARTIALLY_FILLED" in choices:
        return frozenset({"FILLED"})  # of a filled order: the fill was faster than the answer
    if event in ("cancel_reject", "replace_ack", "replace_reject") and len(choices) > 1:
        by_cum_qty = {True: {"PARTIALLY_FILLED"}, False: {"NEW"}, None: {"PARTIALLY_FILLED", "NEW"}}
        return choices & by_cum_qty[report.is_filled]
    return choices


def _after_fill(state: str, report: Report) -> frozenset[str]:
    if report.is_repeated or state == "FILLED":
        return frozenset({state})
    if state in DONE:
        return legal(state, report.event)
    return legal(state, "fill" if report.is_complete else "partial_fill")


def step(was: Standing, report: Report) -> tuple[Standing, frozenset[str]]:
    """Take an order over a report: how it stands after it, and the states that the map allows."""
    choices, event = allowed(was, report), report.event
    if report.state in choices and event:
        state = report.state
    elif len(choices) == 1:
        (state,) = choices
    else:
        state = _outcome(was, report)
    is_pending = state in ("PENDING_NEW", "PENDING_CANCEL", "PENDING_REPLACE")
    cancel = {"cancel_request": True, "cancel_ack": False, "cancel_reject": False}
    replace = {"replace_request": True, "replace_ack": False, "replace_reject": False}
    if event == "reconcile":
        cancel[event] = state == "PENDING_CANCEL"
        replace[event] = was.replace_open and is_pending
    begun = was.state == NONE and event != "submit"
    confirmed = event in ("ack", "replace_ack") or (event == "reconcile" and state in ("NEW", "PARTIALLY_FILLED"))
    return (
        Standing(
            state,
            is_acked=was.is_acked or begun or confirmed,
            is_answered=was.is_answered or bool(event and event not in _WAITING),
            is_traded=was.is_traded or event in FILLS,
            cancel_open=cancel.get(event, was.cancel_open),
            replace_open=replace.get(event, was.replace_open),
        ),
        choices,
    )


def _outcome(was: Standing, report: Report) -> str:
    """Return what an event does to an order at the venue, where the map leaves a choice or forbids it."""
    event, state = report.event, "PENDING_NEW" if was.state == NONE else was.state
    if was.state == NONE and event == "reconcile":
        return "NEW"
    if state in DONE or not event or event in ("reconcile", "timeout"):
        return state
    if event in FILLS and report.is_complete:
        return "FILLED"
    if event in _ENDS:
        return _ENDS[event]
    if event == "cancel_request":
        return "PENDING_CANCEL"
    if event == "replace_request":
        return state if state == "PENDING_CANCEL" else "PENDING_REPLACE"
    if event == "ack":
        return "NEW" if state == "PENDING_NEW" else state
    if event in FILLS:
        return state if state in ("PENDING_CANCEL", "PENDING_REPLACE") else "PARTIALLY_FILLED"
    if event in ("cancel_reject", "replace_ack", "replace_reject") and not (was.cancel_open and event[0] == "r"):
        return "PARTIALLY_FILLED" if report.is_filled or was.is_traded else "NEW" if was.is_acked else "PENDING_NEW"
    return state
