"""Decimals: checked on the way in, computed with room to spare, rounded once on the way out."""

from __future__ import annotations

from decimal import Context, Decimal

KINDS = ("spot", "linear", "inverse", "quanto")
WIDE = Context(prec=60)
ROUND = Context(prec=34)  # decimal128


def number(value: object) -> Decimal:
    """Take a whole number or a finite decimal; a float is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("should be a finite decimal")
    return value


def positive(value: object) -> Decimal:
    """Take a number above 0."""
    taken = number(value)
    if taken <= 0:
        raise ValueError("should be above 0")
    return taken


def unsigned(value: object) -> Decimal:
    """Take a number that is not below 0."""
    taken = number(value)
    if taken < 0:
        raise ValueError("should not be below 0")
    return taken


def one_of(word: object, words: tuple[str, ...]) -> str:
    """Take a word of a list."""
    if not isinstance(word, str) or word not in words:
        raise ValueError("should be one of the words that are known")
    return word
