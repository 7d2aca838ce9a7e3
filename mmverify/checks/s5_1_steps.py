"""5.1.5: no order of less than one lot, or at less than one tick."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.handwork import text
from mmverify.checks.s2_1_sent import REFUSED, SHOWN, Places, Sent, orders_sent
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_STEPS = {"qty": "lot_size", "price": "tick_size"}


def least_steps(session: Session) -> Looked:
    """Each quantity is one lot or more, each price one tick or more."""
    sent, looked, found = orders_sent(session), 0, list[Breach]()
    for name, step in _STEPS.items():
        column, steps = sent.table.decimals(name), session.table("instruments", step).decimals(step)
        judged = column.known[sent.rows] & steps.known[sent.terms]
        if name == "price":
            judged &= ~sent.among("type", "market")
        scale = max(column.scale, steps.scale)
        less = np.asarray(column.at_scale(scale)[sent.rows] < steps.at_scale(scale)[sent.terms])
        looked += int(judged.sum())
        for symbol, places in sent.by_symbol(judged & less):
            found.append(_below(sent, symbol, name, places, steps.fraction(int(sent.terms[places[0]]))))
    return Looked(looked, tuple(found))


def _below(sent: Sent, symbol: str, name: str, places: Places, least: Fraction) -> Breach:
    first, column = places[0], sent.table.decimals(name)
    value, step = column.fraction(int(sent.rows[first])), _STEPS[name]
    return Breach(
        key=f"{symbol} {name}", where=sent.where(places), count=len(places),
        was=f"{name} of {sent.name(first)} of {symbol} was {decimal_text(value)}",
        should=f"one {step} of {decimal_text(least)} or more, or no order",
        work=(
            *(sent.line(place, "side", "price", "qty") for place in places[:SHOWN]),
            f"{text(value)} / {text(least)} = {decimal_text(value / least)}, less than one",
        ),
        amount=None, currency="", loss=REFUSED,
        cause=f"the {name} rounded down to 0 and was sent" if not np.any(column.ints[sent.rows[places]]) else "",
    )  # fmt: skip
