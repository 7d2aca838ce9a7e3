"""Why a symbol is not quoted now: each reason comes and goes on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: In these even an order that reduces the position has to wait.
HARD = ("market_data", "orders", "resync", "stale", "maintenance", "overload", "limited", "paused", "shutdown", "start")


class Halts:
    """The reasons by symbol.

    Parameters
    ----------
    on_halt : Callable
        Called with symbol, reason and whether its orders are to be cancelled, when a reason comes.
    on_resume : Callable
        Called with a symbol when its last reason goes.
    """

    def __init__(
        self, symbols: Iterable[str], *, on_halt: Callable[[str, str, bool], None], on_resume: Callable[[str], None]
    ) -> None:
        self._reasons: dict[str, dict[str, None]] = {symbol: {} for symbol in symbols}
        self._on_halt, self._on_resume = on_halt, on_resume

    def any(self, symbol: str) -> bool:
        """Whether a symbol is halted."""
        return bool(self._reasons[symbol])

    def has(self, reason: str, symbol: str) -> bool:
        """Whether a symbol is halted for this reason."""
        return reason in self._reasons[symbol]

    def others(self, symbol: str, reason: str) -> bool:
        """Whether a symbol is halted for more than this reason."""
        return any(each != reason for each in self._reasons[symbol])

    def hard(self, symbol: str) -> bool:
        """Whether nothing at all may be sent to grow or reduce a position."""
        return any(reason in HARD for reason in self._reasons[symbol])

    def add(self, reason: str, symbol: str = "", *, cancel: bool = True) -> None:
        """Halt a symbol, or all; with `cancel`, withdraw its orders."""
        for each in [symbol] if symbol else self._reasons:
            if reason not in self._reasons[each]:
                self._reasons[each][reason] = None
                self._on_halt(each, reason, cancel)

    def remove(self, reason: str, symbol: str = "") -> None:
        """Take a reason back."""
        for each in [symbol] if symbol else self._reasons:
            if reason in self._reasons[each]:
                del self._reasons[each][reason]
                if not self._reasons[each]:
                    self._on_resume(each)
