"""Cases of parse_ts, duration and window_of: whole nanoseconds, never a float."""

from __future__ import annotations

import arithmetic
from corpus import EXACT, HAND, Group, Numbers

SECOND = 10**9
DAY = 86400 * SECOND


def parse_ts() -> list[Group]:
    iso = Group({}, HAND)
    for comment, flags, text, ns in [
        ("the epoch", "Worked", "1970-01-01T00:00:00Z", 0),
        ("a second after it", "Worked", "1970-01-01T00:00:01Z", SECOND),
        ("a billion seconds", "Worked", "2001-09-09T01:46:40Z", 10**18),
        ("1.7 billion seconds", "Worked", "2023-11-14T22:13:20Z", 1700000000 * SECOND),
        ("nine digits of fraction, all kept", "Nanoseconds", "2023-11-14T22:13:20.123456789Z", 1700000000123456789),
        ("a last nanosecond", "Nanoseconds", "2021-01-01T00:00:00.000000001Z", 1609459200000000001),
        ("no float: .999999999 is not the next second", "Nanoseconds", "2023-11-14T22:13:20.999999999Z", 1700000000999999999),
        ("six digits", "FractionDigits", "2023-11-14T22:13:20.123456Z", 1700000000123456000),
        ("three digits", "FractionDigits", "2023-11-14T22:13:20.123Z", 1700000000123000000),
        ("one digit is a tenth", "FractionDigits", "2023-11-14T22:13:20.5Z", 1700000000500000000),
        ("two digits: .05 is 50 ms", "FractionDigits", "2023-11-14T22:13:20.05Z", 1700000000050000000),
        ("four digits: .0857 is 85.7 ms, not 857", "FractionDigits", "2018-05-17T05:22:00.0857Z", 1526534520085700000),
        ("seven digits", "FractionDigits", "2023-11-14T22:13:20.1234567Z", 1700000000123456700),
        ("eight digits", "FractionDigits", "2023-11-14T22:13:20.00000001Z", 1700000000000000010),
        ("a fraction of zeros", "FractionDigits", "2023-11-14T22:13:20.000000000Z", 1700000000 * SECOND),
        ("offset +00:00 is Z", "Offset", "2023-11-14T22:13:20+00:00", 1700000000 * SECOND),
        ("offset +07:00 is earlier in UTC", "Offset", "1970-01-01T07:00:00+07:00", 0),
        ("offset -05:00 is later in UTC", "Offset", "1969-12-31T19:00:00-05:00", 0),
        ("offset +05:30", "Offset", "1970-01-01T05:30:01+05:30", SECOND),
        ("offset -03:30: the minutes have the sign too", "Offset", "1970-01-01T00:00:00-03:30", 12600 * SECOND),
        ("offset +05:45", "Offset", "1970-01-01T05:45:00+05:45", 0),
        ("offset +14:00, the day before in UTC", "Offset", "1970-01-01T13:00:00+14:00", -3600 * SECOND),
        ("offset -12:00", "Offset", "1970-01-01T00:00:00-12:00", 43200 * SECOND),
        ("offset and fraction", "Offset FractionDigits", "2023-11-15T00:13:20.25+02:00", 1700000000250000000),
        ("29 February of a leap year", "LeapYear", "2024-02-29T00:00:00Z", 1709164800 * SECOND),
        ("1 March after it", "LeapYear", "2024-03-01T00:00:00Z", 1709251200 * SECOND),
        ("29 February 2000: a leap year", "LeapYear", "2000-02-29T00:00:00Z", 951782400 * SECOND),
        ("1 March 2100: no leap year", "LeapYear", "2100-03-01T00:00:00Z", 4107542400 * SECOND),
        ("the last second of a year", "TickBoundary", "2023-12-31T23:59:59Z", 1704067199 * SECOND),
        ("the first second of a year", "TickBoundary", "2024-01-01T00:00:00Z", 1704067200 * SECOND),
        ("past 2^31 seconds: 19 January 2038", "Overflow", "2038-01-19T03:14:08Z", 2147483648 * SECOND),
        ("past 2^32 seconds", "Overflow", "2106-02-07T06:28:16Z", 4294967296 * SECOND),
        ("the last microsecond but one of int64", "Overflow Nanoseconds", "2262-04-11T23:47:16.854775807Z", 2**63 - 1),
        ("a nanosecond before the epoch", "BeforeEpoch Nanoseconds", "1969-12-31T23:59:59.999999999Z", -1),
        ("half a second before the epoch: not after it", "BeforeEpoch FractionDigits", "1969-12-31T23:59:59.5Z", -500000000),
        ("a second before the epoch", "BeforeEpoch", "1969-12-31T23:59:59Z", -SECOND),
        ("1900", "BeforeEpoch LeapYear", "1900-03-01T00:00:00Z", -2203891200 * SECOND),
        ("the first of int64", "BeforeEpoch Overflow", "1677-09-21T00:12:43.145224193Z", -(2**63) + 1),
    ]:
        iso.add(comment, flags, ns, text=text)
    iso.either("beyond int64: exact, or refused, never wrapped", "Overflow", [9223372037 * SECOND, None], text="2262-04-11T23:47:17Z")
    iso.either("the year 9999: exact, or refused, never wrapped", "Overflow", [253402300799 * SECOND, None], text="9999-12-31T23:59:59Z")
    iso.either("a space in the place of T: as ISO-8601's own T, or refused", "Offset", [1544724034 * SECOND, None], text="2018-12-14 01:00:34+07:00")
    iso.either("lower case t and z", "Offset", [1700000000 * SECOND, None], text="2023-11-14t22:13:20z")
    iso.either("offset without its colon", "Offset", [1544724034 * SECOND, None], text="2018-12-14T01:00:34+0700")
    iso.either("offset -00:00: UTC, or 'unknown'", "Offset", [1700000000 * SECOND, None], text="2023-11-14T22:13:20-00:00")

    epoch = Group({}, HAND)
    for comment, flags, text, ns in [
        ("10 digits are seconds", "EpochDigits", "1700000000", 1700000000 * SECOND),
        ("13 digits are milliseconds", "EpochDigits", "1700000000123", 1700000000123000000),
        ("16 digits are microseconds", "EpochDigits", "1700000000123456", 1700000000123456000),
        ("19 digits are nanoseconds, all kept", "EpochDigits Nanoseconds", "1700000000123456789", 1700000000123456789),
        ("19 digits, the last one odd: float64 steps by 256 here", "EpochDigits Nanoseconds", "1609459200000000001", 1609459200000000001),
        ("19 digits, one below a multiple of 256", "EpochDigits Nanoseconds", "1748908801024200191", 1748908801024200191),
        ("16 digits beyond 2^53", "EpochDigits Nanoseconds", "9007199254740993", 9007199254740993000),
        ("0", "EpochDigits", "0", 0),
        ("1 second", "EpochDigits", "1", SECOND),
        ("9 digits are seconds", "EpochDigits", "999999999", 999999999 * SECOND),
        ("11 digits are seconds", "EpochDigits TickBoundary", "99999999999", None),
        ("12 digits are milliseconds", "EpochDigits TickBoundary", "100000000000", 10**17),
        ("14 digits are milliseconds", "EpochDigits TickBoundary", "99999999999999", None),
        ("15 digits are microseconds", "EpochDigits TickBoundary", "100000000000000", 10**17),
        ("17 digits are microseconds", "EpochDigits TickBoundary", "99999999999999999", None),
        ("18 digits are nanoseconds", "EpochDigits TickBoundary", "100000000000000000", 10**17),
        ("float32 would be 31 s off", "EpochDigits", "1520300063", 1520300063 * SECOND),
        ("past 2^31 seconds", "EpochDigits Overflow", "2147483648", 2147483648 * SECOND),
        ("past 2^32 milliseconds", "EpochDigits Overflow", "4294967296000", 4294967296 * SECOND),
        ("the sign is no digit: seconds before 1970", "EpochDigits BeforeEpoch", "-1", -SECOND),
        ("10 digits and a sign are seconds", "EpochDigits BeforeEpoch", "-1700000000", -1700000000 * SECOND),
        ("13 digits and a sign are milliseconds", "EpochDigits BeforeEpoch", "-1000000000500", -1000000000500000000),
        ("11 digits and a sign are seconds, not 12 digits", "EpochDigits BeforeEpoch TickBoundary", "-10000000000", None),
    ]:
        exact = ns if ns is not None else arithmetic.parse_ts(text)
        if abs(exact) < 2**63:
            epoch.add(comment, flags, exact, text=text)
        else:
            epoch.either(f"{comment}: exact beyond int64, or refused, never wrapped", f"{flags} Overflow", [exact, None], text=text)

    hostile = Group({}, HAND)
    for comment, flag, text in [
        ("no offset", "NoOffset", "2023-11-14T22:13:20"),
        ("no offset, with a fraction", "NoOffset", "2023-11-14T22:13:20.123"),
        ("no offset, with a space", "NoOffset", "2023-11-14 22:13:20"),
        ("a date alone", "NoOffset", "2023-11-14"),
        ("no seconds", "BrokenTime", "2023-11-14T22:13Z"),
        ("no time between T and Z", "BrokenTime", "2023-11-14TZ"),
        ("a point without digits", "BrokenTime", "2023-11-14T22:13:20.Z"),
        ("ten digits of fraction: rounding would lose one", "FractionDigits", "2023-11-14T22:13:20.1234567891Z"),
        ("month 13", "BrokenTime", "2023-13-01T00:00:00Z"),
        ("month 0", "BrokenTime", "2023-00-10T00:00:00Z"),
        ("day 0", "BrokenTime", "2023-01-00T00:00:00Z"),
        ("31 April", "BrokenTime", "2023-04-31T00:00:00Z"),
        ("29 February 2023", "LeapYear", "2023-02-29T00:00:00Z"),
        ("29 February 2100", "LeapYear", "2100-02-29T00:00:00Z"),
        ("hour 25", "BrokenTime", "2023-11-14T25:00:00Z"),
        ("minute 60", "BrokenTime", "2023-11-14T22:60:00Z"),
        ("second 61", "BrokenTime", "2023-11-14T22:13:61Z"),
        ("offset of 99 hours", "Offset", "2023-11-14T22:13:20+99:00"),
        ("a name in the place of an offset", "Offset", "2023-11-14T22:13:20 EST"),
        ("nothing", "Empty", ""),
        ("words", "BrokenTime", "yesterday"),
        ("NaN", "NaN", "NaN"),
        ("day before month", "BrokenTime", "14/11/2023 22:13:20Z"),
    ]:
        hostile.refuse(comment, flag, text=text)
    hostile.either("an epoch with a fraction is no whole number: refused, or exact (85.7 ms, not 857)", "EpochDigits FractionDigits", [1526534520085700000, None], text="1526534520.0857")
    hostile.either("an epoch in exponent form: refused, or exact", "EpochDigits", [1700000000 * SECOND, None], text="1.7e9")

    computed = Group({}, EXACT)
    numbers = Numbers(41)
    for number in range(16):
        month, day = numbers.between(1, 12), numbers.between(1, 28)
        clock = f"{numbers.below(24):02d}:{numbers.below(60):02d}:{numbers.below(60):02d}"
        digits = numbers.between(0, 9)
        fraction = f".{numbers.below(10**digits):0{digits}d}" if digits else ""
        offset = numbers.pick(["Z", "+01:00", "-08:00", "+09:30", "-02:30"])
        text = f"{numbers.between(1950, 2060)}-{month:02d}-{day:02d}T{clock}{fraction}{offset}"
        flag = "BeforeEpoch" if text < "1970" else "Offset" if offset != "Z" else "FractionDigits" if digits else "Worked"
        computed.add(f"drawn time {number + 1}", flag, arithmetic.parse_ts(text), text=text)
    return [iso, epoch, hostile, computed]


def duration() -> list[Group]:
    by_hand = Group({}, HAND)
    now = 1700000000123456789
    for comment, flags, start, end, ns in [
        ("a second", "Worked", 0, SECOND, SECOND),
        ("nothing: equal times are no error", "TickBoundary", now, now, 0),
        ("one nanosecond at today's size: a float64 says 0", "Nanoseconds", now, now + 1, 1),
        ("100 ns: a float64 says 0 or 256", "Nanoseconds", now, now + 100, 100),
        ("127 ns across a multiple of 256", "Nanoseconds", 1700000000000000001, 1700000000000000128, 127),
        ("a day", "Worked", now, now + DAY, DAY),
        ("past 2^31 milliseconds: 24.9 days", "Overflow", 0, 2147483648 * 10**6, 2147483648000000),
        ("past 2^31 microseconds: 36 minutes", "Overflow", 0, 2147483648 * 1000, 2147483648000),
        ("past 2^32 milliseconds: 49.7 days", "Overflow", now, now + 4294967296 * 10**6, 4294967296000000),
        ("30000 s in microseconds wraps int32", "Overflow", 0, 30000 * SECOND, 30000 * SECOND),
        ("past 2^53 ns: 104 days and 1 ns", "Overflow Nanoseconds", 0, 2**53 + 1, 2**53 + 1),
        ("fifty years", "Overflow", 0, 1577836800 * SECOND, 1577836800 * SECOND),
        ("from before 1970 to after", "BeforeEpoch", -SECOND, SECOND, 2 * SECOND),
        ("both before 1970", "BeforeEpoch", -3 * SECOND, -SECOND, 2 * SECOND),
        ("from 1 ns before 1970", "BeforeEpoch", -1, 0, 1),
        ("over midnight", "Worked", DAY - 1, DAY + 1, 2),
        ("over a leap day", "LeapYear", 1709078400 * SECOND, 1709251200 * SECOND, 172800 * SECOND),
        ("0 to 0", "TickBoundary", 0, 0, 0),
    ]:
        by_hand.add(comment, flags, ns, start_ns=start, end_ns=end)
    for comment, flags, start, end in [("all of int64 and more: exact, or refused, never wrapped", "Overflow", -(2**63) + 1, 2**63 - 1), ("2^63 exactly: exact, or refused, never wrapped", "Overflow", -1, 2**63 - 1)]:
        by_hand.either(comment, flags, [end - start, None], start_ns=start, end_ns=end)
    hostile = Group({}, HAND)
    for comment, start, end in [
        ("one nanosecond backwards", now + 1, now),
        ("a second backwards", SECOND, 0),
        ("backwards across 1970", 1, -1),
        ("backwards before 1970", -1, -2),
        ("a clock set back an hour", now + 3600 * SECOND, now),
        ("milliseconds against nanoseconds", now, now // 10**6),
        ("never started: 0 is no end", now, 0),
        ("one nanosecond backwards, near 0", 1, 0),
    ]:
        hostile.refuse(comment, "Backwards", start_ns=start, end_ns=end)
    computed = Group({}, EXACT)
    numbers = Numbers(42)
    for number in range(16):
        start = numbers.between(-(10**9), 17 * 10**8) * SECOND + numbers.below(SECOND)
        ns = numbers.below(10 ** numbers.between(1, 15))
        flag = "BeforeEpoch" if start < 0 else "Nanoseconds" if ns % 1000 else "Worked"
        computed.add(f"drawn times {number + 1}", flag, ns, start_ns=start, end_ns=start + ns)
    return [by_hand, hostile, computed]


def window_of() -> list[Group]:
    by_hand = Group({}, HAND)
    minute, now = 60 * SECOND, 1700000000123456789
    for comment, flags, ts, width, start in [
        ("inside", "Worked", 61 * SECOND, minute, minute),
        ("exactly at a start: in the new window", "TickBoundary", minute, minute, minute),
        ("one nanosecond before the end: in the old window", "TickBoundary", minute - 1, minute, 0),
        ("one nanosecond after a start", "TickBoundary", minute + 1, minute, minute),
        ("the epoch", "TickBoundary", 0, minute, 0),
        ("one nanosecond", "Worked", 1, minute, 0),
        ("a day: midnight UTC belongs to the new day", "TickBoundary", 86400 * SECOND, DAY, 86400 * SECOND),
        ("a nanosecond before midnight", "TickBoundary", DAY - 1, DAY, 0),
        ("today, a minute", "Worked", now, minute, 1699999980 * SECOND),
        ("today, a second", "Worked", now, SECOND, 1700000000 * SECOND),
        ("today, a millisecond", "Nanoseconds", now, 10**6, 1700000000123000000),
        ("today, a microsecond", "Nanoseconds", now, 1000, 1700000000123456000),
        ("windows of 1 ns: the time itself", "Nanoseconds", now, 1, now),
        ("windows of 7 ns: no float64 can", "Nanoseconds", now, 7, now - now % 7),
        ("a last nanosecond before a second: no float64 can", "Nanoseconds TickBoundary", 1700000000999999999, SECOND, 1700000000 * SECOND),
        ("windows of 3 s", "Worked", 10 * SECOND, 3 * SECOND, 9 * SECOND),
        ("a window wider than the time", "Worked", 5 * SECOND, DAY, 0),
        ("before 1970: the start is below, not above", "BeforeEpoch", -1, minute, -minute),
        ("before 1970, exactly at a start", "BeforeEpoch TickBoundary", -minute, minute, -minute),
        ("before 1970, one nanosecond below a start", "BeforeEpoch TickBoundary", -minute - 1, minute, -2 * minute),
        ("before 1970, inside", "BeforeEpoch", -90 * SECOND, minute, -2 * minute),
        ("before 1970, a day", "BeforeEpoch", -DAY // 2, DAY, -DAY),
        ("near the end of int64", "Overflow", 2**63 - 1, SECOND, 9223372036 * SECOND),
        ("a width past 2^31 ms", "Overflow", now, 30 * DAY, now - now % (30 * DAY)),
        ("a week starts where the epoch's does: on a Thursday", "Worked", 1700000000 * SECOND, 7 * DAY, 1699488000 * SECOND),
    ]:
        by_hand.add(comment, flags, start, ts_ns=ts, width_ns=width)
    hostile = Group({}, HAND)
    for comment, flag, ts, width in [("width 0: a division by 0", "ZeroTick", now, 0), ("negative width", "ZeroTick", now, -minute), ("width 0 at 0", "ZeroTick", 0, 0), ("negative width before 1970", "ZeroTick BeforeEpoch", -1, -1)]:
        hostile.refuse(comment, flag, ts_ns=ts, width_ns=width)
    computed = Group({}, EXACT)
    numbers = Numbers(43)
    for number in range(20):
        width = numbers.pick([1000, 10**6, SECOND, 5 * SECOND, minute, 3600 * SECOND, DAY, 7 * SECOND])
        ts = numbers.between(-(10**9), 17 * 10**8) * SECOND + numbers.below(SECOND)
        if number % 4 == 0:
            ts -= ts % width
        flag = "TickBoundary" if number % 4 == 0 else "BeforeEpoch" if ts < 0 else "Worked"
        computed.add(f"drawn time {number + 1}", flag, arithmetic.window_of(str(ts), str(width)), ts_ns=ts, width_ns=width)
    return [by_hand, hostile, computed]
