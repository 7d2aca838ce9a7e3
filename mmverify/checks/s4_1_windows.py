"""Windows of trades: by the venue's clock (4.1.2), their start in them and their end in the next (4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.known import Rows
from mmverify.checks.s4_1_times import shown
from mmverify.checks.signals import Claim, Value, agrees, claims, vwaps
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_SHOWN = 3
_NO_MONEY = "what the bot quoted on it is not recorded"


@dataclass(frozen=True)
class _Wrong:
    """A claim that is wrong, what reproduces it, and the trades in question: their places on the tape."""

    claim: Claim
    name: str
    how: str
    places: Rows


def windows_by_venue_clock(session: Session) -> Looked:
    """A window holds the trades that the venue stamped within it, not those that arrived within it."""
    exercised, found, notes = 0, list[_Wrong](), list[str]()
    for name, claim in _claims(session, notes):
        exercised += 1
        if not agrees(claim, _of_window(name, claim)):
            places = _by_arrival(claim)
            if agrees(claim, [_value(name, claim, places)]):
                inside = np.isin(places, np.arange(*claim.window))
                found.append(_Wrong(claim, name, "its window is cut by ts_local", places[~inside]))
    return Looked(exercised, tuple(_breaches(found, "by ts_exchange")), tuple(dict.fromkeys(notes)))


def window_ends(session: Session) -> Looked:
    """A trade on the end of a window is in the next window alone, one on its start in this one."""
    exercised, found, notes = 0, list[_Wrong](), list[str]()
    for name, claim in _claims(session, notes):
        start, end = _on(claim, claim.start), _on(claim, claim.end)
        if not (start.size or end.size):
            continue
        exercised += 1
        if agrees(claim, _of_window(name, claim)):
            continue
        for later, sooner, how, places in (
            (0, 1, "the trades on its end are counted in it, and in the next", end),
            (1, 0, "the trades on its start are left out of it", start),
            (1, 1, "the trades on its end are counted in it, those on its start are not", np.append(start, end)),
        ):
            moved = replace(claim, start=(claim.start or 0) + later, end=(claim.end or 0) + sooner)
            if agrees(claim, _of_window(name, moved)):
                found.append(_Wrong(claim, name, how, places))
                break
    return Looked(
        exercised, tuple(_breaches(found, "its start in the window, its end not")), tuple(dict.fromkeys(notes))
    )


def _claims(session: Session, notes: list[str]) -> Iterator[tuple[str, Claim]]:
    """Yield the claims of VWAP and volume that state a window and a value."""
    for name in ("vwap", "volume"):
        for _, found, told in claims(session, name):
            notes += told
            for claim in found:
                if claim.value is not None and claim.start is not None and claim.end is not None:
                    yield name, claim


def _of_window(name: str, claim: Claim) -> Sequence[Value]:
    """Return what a claim may be by its window."""
    if name == "vwap":
        return vwaps(claim)
    return [_value(name, claim, claim.tape.places(*claim.window, cut)) for cut in claim.cuts]


def _value(name: str, claim: Claim, places: Rows) -> Value:
    """Return volume or VWAP of some trades, None for the VWAP of none."""
    held = claim.tape
    qtys = held.qtys[places].tolist()
    if name == "volume":
        return Fraction(sum(qtys), 10**held.qty_scale)
    turnover = sum(price * qty for price, qty in zip(held.prices[places].tolist(), qtys, strict=True))
    return Fraction(turnover, sum(qtys) * 10**held.price_scale) if sum(qtys) else None


def _by_arrival(claim: Claim) -> Rows:
    """Return the places of the trades that arrived within a window."""
    low, high = np.searchsorted(claim.tape.arrived.times, [claim.start or 0, claim.end or 0], side="left")
    return np.flatnonzero((claim.tape.rank >= low) & (claim.tape.rank < min(high, claim.cuts[0])))


def _on(claim: Claim, ts: int | None) -> Rows:
    """Return the places of the trades that the venue stamped with a time and that had arrived."""
    low, high = (
        np.searchsorted(claim.tape.times, ts or 0, side="left"),
        np.searchsorted(claim.tape.times, ts or 0, "right"),
    )
    places = np.arange(low, high)
    most = int(claim.tape.arrived.span(np.array([claim.at]))[1][0])
    return places[claim.tape.rank[places] < most]


def _breaches(found: Sequence[_Wrong], should: str) -> Iterator[Breach]:
    """Make one breach of the wrong claims of a signal and a symbol."""
    groups: dict[str, list[_Wrong]] = {}
    for wrong in found:
        groups.setdefault(f"{wrong.claim.symbol} {wrong.name}", []).append(wrong)
    for key, own in groups.items():
        first = own[0]
        hows = list(dict.fromkeys(wrong.how for wrong in own))
        claim, right = first.claim, _of_window(first.name, first.claim)
        due = "none" if right[0] is None else decimal_text(Fraction(right[0]))
        yield Breach(
            key=key, where=tuple(wrong.claim.where for wrong in own[:_SHOWN]), count=len(own),
            was=f"{first.name} of {claim.symbol} was {decimal_text(claim.value or 0)}: {first.how}",
            should=f"{due}, its window cut {should}" if should.startswith("by") else f"{due}: {should}",
            work=(*_work(first), f"{first.name} of the window: {due}"), amount=None, currency="",
            loss=f"the {first.name} is of other trades than it says; {_NO_MONEY}",
            cause=hows[0] if len(hows) == 1 else "",
        )  # fmt: skip


def _work(wrong: _Wrong) -> Iterator[str]:
    """Name the trades in question, each with its time and the window."""
    claim, held = wrong.claim, wrong.claim.tape
    start, end = claim.start or 0, claim.end or 0
    yield f"{claim.where}: the window is from {start} to {end}, {shown(start)} to {shown(end)}"
    for place in wrong.places[:_SHOWN].tolist():
        qty = Fraction(int(held.qtys[place]), 10**held.qty_scale)
        yield (f"trades:{int(held.rows[place]) + 1}: {decimal_text(qty)} sent at {int(held.times[place])}, arrived at "
               f"{int(held.arrived.times[held.rank[place]])}")  # fmt: skip
