"""Times as whole nanoseconds since 1970, UTC. Nothing here asks the machine what time it is."""

from __future__ import annotations

import re
from datetime import date

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH = re.compile(r"-?\d+", re.ASCII)
_EPOCH_1970 = date(1970, 1, 1).toordinal()
#: The most digits of an epoch number, and how many nanoseconds its unit has.
_UNITS = ((11, 10**9), (14, 10**6), (17, 10**3))


def parse_ts(text: str) -> int:
    """Read ISO-8601 with seconds and an offset, or an epoch number in s, ms, us or ns."""
    if not isinstance(text, str):
        raise ValueError("a time should be text")
    if _EPOCH.fullmatch(text):
        digits = len(text.removeprefix("-"))
        return int(text) * next((unit for most, unit in _UNITS if digits <= most), 1)
    parts = _ISO.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no time with an offset")
    year, month, day, hour, minute, second = map(int, parts.groups()[:6])
    off_hour, off_minute = int(parts[9] or 0), int(parts[10] or 0)
    if hour > 23 or minute > 59 or second > 59 or off_hour > 23 or off_minute > 59:
        raise ValueError(f"{text!r} is no time of a day")
    days = date(year, month, day).toordinal() - _EPOCH_1970
    offset_s = (off_hour * 3600 + off_minute * 60) * (-1 if parts[8] == "-" else 1)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_s
    return seconds * 10**9 + int((parts[7] or "").ljust(9, "0"))


def duration(start_ns: int, end_ns: int) -> int:
    """Give the time from start to end, which should not be before it."""
    if end_ns < start_ns:
        raise ValueError("the end is before the start")
    return end_ns - start_ns


def window_of(ts_ns: int, width_ns: int) -> int:
    """Give the start of the window [start, start + width) that holds a time."""
    if width_ns <= 0:
        raise ValueError("a window should have a width")
    return ts_ns - ts_ns % width_ns
