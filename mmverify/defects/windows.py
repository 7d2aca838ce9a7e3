"""What mistakes of trades and windows are made on: the trades that a claim's window holds, and the claim anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mmverify.defects import Planted
from mmverify.defects.recording import Recording, Row, text
from mmverify.errors import NotExercised


@dataclass(frozen=True)
class Trade:
    """A trade that entered the signals."""

    ts_exchange: int
    ts_local: int
    price: Fraction
    qty: Fraction


@dataclass(frozen=True)
class Window:
    """A claim of a VWAP or a volume: its place and row, the trades of its symbol that had arrived, in that order."""

    place: int
    row: Row
    arrived: Sequence[Trade]

    @property
    def start(self) -> int:
        """First instant of the window. [ns]"""
        return int(self.row["window_start"])

    @property
    def end(self) -> int:
        """First instant after the window. [ns]"""
        return int(self.row["window_end"])

    def trades(self) -> list[Trade]:
        """Return the trades of the window, by the venue's clock."""
        return [trade for trade in self.arrived if self.start <= trade.ts_exchange < self.end]


def windows(recording: Recording, *names: str) -> Iterator[Window]:
    """Yield the claims of these names, their rows to be changed."""
    unused = {(row["symbol"], row["trade_id"]) for row in recording["bot_trades"] if row.get("used") == "false"}
    tapes: dict[str, list[Trade]] = {}
    for row in recording["trades"]:
        if (row["symbol"], row.get("trade_id", "")) not in unused and row.get("ts_local") and row["ts_exchange"]:
            trade = Trade(int(row["ts_exchange"]), int(row["ts_local"]), Fraction(row["price"]), Fraction(row["qty"]))
            tapes.setdefault(row["symbol"], []).append(trade)
    for place, row in enumerate(recording.edit("signals")):
        if row["name"] in names and row.get("window_start") and row.get("window_end"):
            ts = int(row["ts_local"])
            yield Window(place, row, [trade for trade in tapes.get(row["symbol"], ()) if trade.ts_local <= ts])


def by_arrival(window: Window) -> Sequence[Trade]:
    """Return the trades that arrived in a window, whenever they were made."""
    return [trade for trade in window.arrived if window.start <= trade.ts_local < window.end]


def misjudge(
    recording: Recording, names: Sequence[str], taken: Callable[[Window], Sequence[Trade]], *, last: bool = False
) -> Planted:
    """Claim what the trades give that a mistake takes for the window's; of all claims that it changes, or the last.

    Raises
    ------
    NotExercised
        If it changes none.
    """
    found = []
    for window in windows(recording, *names):
        right, wrong = _value(window, window.trades()), _value(window, taken(window))
        if window.row["value"] == right != wrong:
            found.append((window, wrong))
    if not found:
        raise NotExercised("no window of the session holds trades that this mistake would change")
    for window, wrong in found[-1:] if last else found:
        window.row["value"] = wrong
    return Planted((f"signals:{(found[-1] if last else found[0])[0].place + 1}",))


def _value(window: Window, trades: Sequence[Trade]) -> str:
    """Write a claim in the digits that it has, empty where there is none."""
    volume = sum((trade.qty for trade in trades), Fraction(0))
    like = window.row["value"]
    if window.row["name"] == "volume":
        return text(volume, like)
    return text(sum((trade.price * trade.qty for trade in trades), Fraction(0)) / volume, like) if volume else ""
