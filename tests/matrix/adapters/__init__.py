"""One file a library: which of its calls stand for which name of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


class Cannot(Exception):
    """The library has no way to say what the case asks for; the message says why."""


@dataclass(frozen=True)
class Entry:
    """A call of a library that stands for a name: how a user writes it, and how a case becomes that call."""

    name: str
    call: str
    run: Callable[[Values, Values], Any]


def number(text: Any) -> float:
    """Read a number as a float; None is NaN."""
    return float("nan") if text is None else float(text)


def numbers(texts: list[Any]) -> list[float]:
    """Read numbers as floats; None is NaN."""
    return [number(text) for text in texts]


def need(key: str, value: Any, *known: Any) -> None:
    """Say that the library cannot express a setting, unless it is one of these."""
    if value not in known:
        raise Cannot(f"no {key} but {', '.join(known)}")


def span_of(params: Values) -> int:
    """Return the span, which is all that this library takes."""
    if "span" not in params:
        raise Cannot("it takes a span, not alpha")
    return int(params["span"])
