r"""Times in whole nanoseconds: read from text, subtracted, cut into windows; and an id that no restart repeats.

.. math::

    \text{duration} = t_1 - t_0, \qquad \text{window}(t) = \left\lfloor \frac{t}{w} \right\rfloor w

A time is a whole number of nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted, in integers only: float64
steps by 256 ns in this century. Text is ISO-8601, date, T, time with seconds, up to 9 digits of fraction, and Z or
±hh:mm; or a whole epoch number, whose unit its digits tell: s up to 11, ms up to 14, us up to 17, ns above. A window
holds its start and not its end. Times before 1970 count like any other: the nanosecond before it is -1, and belongs to
the window below 0.

Undefined, and an error: text of any other form, without an offset above all; a tenth digit of fraction; a day that the
calendar does not have, 24:00:00, and the leap second 23:59:60, which the count has no number for; a float as a time; an
end before its start; a window of no width. It does not depend on the time zone or the locale of the machine.

References
----------
ISO 8601-1:2019; RFC 3339, section 5.6; IEEE Std 1003.1, "Seconds Since the Epoch"; Hinnant, "chrono-Compatible
Low-Level Date Algorithms", days_from_civil.
"""

from __future__ import annotations

import re
import secrets
from datetime import date
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula
from mmverify.formulas.rounding import scaled_integers
from mmverify.numeric import Ints

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH = re.compile(r"-?(\d+)", re.ASCII)
_EPOCH_UNITS = (1_000_000_000, 1_000_000, 1000, 1)
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


def parse_ts_exact(text: str) -> int:
    """Read a time by the definition, counting days with the calendar of the standard library.

    Parameters
    ----------
    text : str
        ISO-8601 with seconds and an offset, or a whole epoch number.

    Returns
    -------
    int
        Nanoseconds since 1970, UTC, exact. [ns]

    Raises
    ------
    Undefined
        If the text is neither, or is no time.
    """
    if not isinstance(text, str):
        raise Undefined(f"{text!r} is not text")
    if number := _EPOCH.fullmatch(text):
        size = len(number[1])
        return int(text) * (10**9 if size <= 11 else 10**6 if size <= 14 else 10**3 if size <= 17 else 1)
    form = _ISO.fullmatch(text)
    if form is None:
        raise Undefined(f"{text!r} is no ISO-8601 time with an offset, nor a whole epoch number")
    year, month, day, hour, minute, second = (int(form[group]) for group in range(1, 7))
    try:
        days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError as error:
        raise Undefined(f"{text!r} is no day of the calendar") from error
    offset_hour, offset_minute = int(form[9] or 0), int(form[10] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hour > 23 or offset_minute > 59:
        raise Undefined(f"{text!r} is no time of a day")
    offset = (offset_hour * 3600 + offset_minute * 60) * (-1 if form[8] == "-" else 1)
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 10**9 + int((form[7] or "").ljust(9, "0"))


def parse_ts(text: str) -> int:
    """Read a time by its places in the text, counting days with integers.

    Parameters
    ----------
    text : str
        ISO-8601 with seconds and an offset, or a whole epoch number.

    Returns
    -------
    int
        Nanoseconds since 1970, UTC, exact. [ns]

    Raises
    ------
    Undefined
        If the text is neither, or is no time.
    """
    try:
        digits = text.removeprefix("-")
        if digits.isdecimal() and digits.isascii():
            return int(text) * _EPOCH_UNITS[min(max(len(digits) - 9, 0) // 3, 3)]
        zone = -1 if text.endswith("Z") else -6
        offset = 0 if zone == -1 else _clock(text[-5:]) * {"+": 60, "-": -60}[text[-6]]
        body, point, fraction = text[:zone].partition(".")
        if (body[4] + body[7] + body[10], len(body)) != ("--T", 19) or bool(point) != bool(fraction):
            raise ValueError("misplaced separators")
        days = _days(_number(body[:4]), _number(body[5:7]), _number(body[8:10]))
        second = _number(body[17:])
        if body[16] != ":" or second > 59 or len(fraction) > 9:
            raise ValueError("misplaced or surplus digits")
        ns = _number(fraction) * 10 ** (9 - len(fraction)) if fraction else 0
        return ((days * 1440 + _clock(body[11:16])) * 60 + second - offset) * 1_000_000_000 + ns
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Undefined(f"{text!r} is no time: {error}") from error


def _number(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"{digits!r} should be digits")
    return int(digits)


def _clock(text: str) -> int:
    """Return the minutes of hh:mm."""
    hours, minutes = _number(text[:2]), _number(text[3:])
    if text[2] != ":" or len(text) != 5 or hours > 23 or minutes > 59:
        raise ValueError(f"{text!r} should be hh:mm")
    return hours * 60 + minutes


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970 of a day of the Gregorian calendar."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year < 1 or not 1 <= month <= 12:
        raise ValueError("no such month")
    length = _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (leap and month == 2)
    if not 1 <= day <= length:
        raise ValueError("no such day")
    past = year - 1
    leap_days = past // 4 - past // 100 + past // 400
    return past * 365 + leap_days + _DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 719163


def duration_exact(start_ns: int, end_ns: int) -> int:
    """Compute the time from a start to an end.

    Parameters
    ----------
    start_ns, end_ns : int
        Times of one clock. [ns]

    Returns
    -------
    int
        Never negative, exact. [ns]

    Raises
    ------
    Undefined
        If the end is before the start or a time is not an integer.
    """
    if not (isinstance(start_ns, Integral) and isinstance(end_ns, Integral)):
        raise Undefined(f"times are whole nanoseconds, not {start_ns!r} and {end_ns!r}")
    if end_ns < start_ns:
        raise Undefined(f"the end is {int(start_ns) - int(end_ns)} ns before the start")
    return int(end_ns) - int(start_ns)


def duration(start_ns: ArrayLike, end_ns: ArrayLike) -> Ints:
    """Compute the times from an array of starts to an array of ends.

    Parameters
    ----------
    start_ns, end_ns : array_like of int
        Times of one clock. [ns]

    Returns
    -------
    ndarray of int64 or Python integers
        Of the shape that the inputs broadcast to (0-d for numbers), none negative, exact. [ns]

    Raises
    ------
    Undefined
        If an end is before its start or a time is not an integer.
    """
    start, end = scaled_integers(start_ns, end_ns, terms=2)
    passed = np.asarray(end - start)
    if (passed < 0).any():
        raise Undefined("an end is before its start")
    return passed


def window_of_exact(ts_ns: int, width_ns: int) -> int:
    """Find the start of the window that holds a time.

    Parameters
    ----------
    ts_ns : int
        Time. [ns]
    width_ns : int
        Width of the windows, > 0; one of them starts at 0. [ns]

    Returns
    -------
    int
        The largest multiple of the width that is not after the time, exact. [ns]

    Raises
    ------
    Undefined
        If the width is not above 0 or an input is not an integer.
    """
    if not (isinstance(ts_ns, Integral) and isinstance(width_ns, Integral)) or width_ns <= 0:
        raise Undefined(f"the window of {ts_ns!r} in windows of {width_ns!r} ns is not defined")
    return int(ts_ns) // int(width_ns) * int(width_ns)


def window_of(ts_ns: ArrayLike, width_ns: ArrayLike) -> Ints:
    """Find the starts of the windows that hold an array of times.

    Parameters
    ----------
    ts_ns : array_like of int
        Times. [ns]
    width_ns : array_like of int
        Widths of the windows, > 0; one of them starts at 0. [ns]

    Returns
    -------
    ndarray of int64 or Python integers
        Of the shape that the inputs broadcast to (0-d for numbers), exact. [ns]

    Raises
    ------
    Undefined
        If a width is not above 0 or an input is not an integer.
    """
    ts, width = scaled_integers(ts_ns, width_ns, terms=2)
    if not (width > 0).all():
        raise Undefined("a window needs a width above 0")
    return np.asarray(ts - ts % width)


def order_id() -> str:
    """Make a new client order id from 128 random bits of the operating system.

    It needs no counter, clock or file, so that a fresh process, a forked one or a second bot makes no old one again:
    among 10**12 ids a pair alike has a chance of 1.5e-15.

    Returns
    -------
    str
        32 hexadecimal digits, within what Binance (36 characters), OKX (32, letters and digits) and Bybit (36) allow.
    """
    return secrets.token_hex(16)


PARSE_TS = Formula(
    name="parse_ts",
    tex=r"t = \left( 86400 \, \text{days} + \text{seconds of the day} - \text{offset} \right) 10^9 + \text{fraction}",
    units={"text": "ISO-8601, or s, ms, us, ns since 1970", "return": "ns"},
    exact=parse_ts_exact,
    fast=parse_ts,
    error_bound="none: integers",
    items=("4.1.1", "4.1.5"),
    example=Example(
        text="A nanosecond after half past five on 2 January 1970, five and a half hours east of Greenwich.",
        inputs={"text": "1970-01-02T05:30:00.000000001+05:30"},
        steps=(
            "seconds of the day = 5 x 3600 + 30 x 60 = 19800",
            "offset = 5 x 3600 + 30 x 60 = 19800",
            "seconds = 1 x 86400 + 19800 - 19800 = 86400",
            "time = 86400 x 10^9 + 1 = 86400000000001",
        ),
        result="86400000000001",
    ),
)

DURATION = Formula(
    name="duration",
    tex=r"t_1 - t_0",
    units={"start_ns": "ns", "end_ns": "ns", "return": "ns"},
    exact=duration_exact,
    fast=duration,
    error_bound="none: integers",
    items=("4.1.4",),
    example=Example(
        text="250 ns, which float64 takes for 256.",
        inputs={"start_ns": 1_700_000_000_000_000_000, "end_ns": 1_700_000_000_000_000_250},
        steps=("duration = 1700000000000000250 - 1700000000000000000 = 250",),
        result="250",
    ),
)

WINDOW_OF = Formula(
    name="window_of",
    tex=r"\left\lfloor \frac{t}{w} \right\rfloor w",
    units={"ts_ns": "ns", "width_ns": "ns", "return": "ns"},
    exact=window_of_exact,
    fast=window_of,
    error_bound="none: integers",
    items=("4.1.3",),
    example=Example(
        text="The nanosecond before 1970 in windows of a minute.",
        inputs={"ts_ns": -1, "width_ns": 60_000_000_000},
        steps=(
            "windows = floor(-1 / 60000000000) = -1",
            "start = -1 x 60000000000 = -60000000000",
        ),
        result="-60000000000",
    ),
)
