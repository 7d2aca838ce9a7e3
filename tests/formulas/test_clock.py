"""What is particular to times: forms of text, digits, days before 1970, ends of windows, ids of another process."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.clock import (
    duration,
    duration_exact,
    order_id,
    parse_ts,
    parse_ts_exact,
    window_of,
    window_of_exact,
)

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
S, MS, US = 10**9, 10**6, 10**3
DAY = 86_400 * S
WIDTH = st.sampled_from([1, 7, MS, 250 * MS, S, 60 * S, 3600 * S, DAY])


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.1Z", 100_000_000),
        ("1970-01-01T00:00:00.000001Z", 1000),
        ("1970-01-01T00:00:00.123456789Z", 123_456_789),
        # before 1970: the fraction still counts forward
        ("1969-12-31T23:59:59Z", -S),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1969-12-31T00:00:00Z", -DAY),
        # an offset east of Greenwich is ahead of UTC
        ("1970-01-01T05:30:00+05:30", 0),
        ("1970-01-01T00:00:00+05:30", -19_800 * S),
        ("1970-01-01T00:00:00-05:00", 18_000 * S),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:00+23:59", -86_340 * S),
        ("1969-12-31T19:00:00.5-05:00", 500_000_000),
        # 2^31 s: 68 years, of which 17 leap, 18 days and 11,647 s
        ("2038-01-19T03:14:07Z", (2**31 - 1) * S),
        ("2038-01-19T03:14:08Z", 2**31 * S),
        ("1901-12-13T20:45:52Z", -(2**31) * S),
        # 2^31 ms: 24 days, 20:31:23.648
        ("1970-01-25T20:31:23.648Z", 2**31 * MS),
        # leap days: 2000 has one, 2100 has not
        ("2000-02-29T00:00:00Z", 11_016 * DAY),
        ("2000-03-01T00:00:00Z", 11_017 * DAY),
        ("2100-03-01T00:00:00Z", 47_541 * DAY),
        # around the leap second of 2016, which has no number
        ("2016-12-31T23:59:59Z", 1_483_228_799 * S),
        ("2017-01-01T00:00:00Z", 1_483_228_800 * S),
        # the ends of int64 nanoseconds, and beyond
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
        ("1677-09-21T00:12:43.145224192Z", -(2**63)),
        ("2262-04-11T23:47:16.854775808Z", 2**63),
        # an instant that float64 cannot tell from its neighbours
        ("2021-01-01T00:00:00.000000001Z", 1_609_459_200_000_000_001),
        # the ends of the calendar
        ("0001-01-01T00:00:00Z", -719_162 * DAY),
        ("9999-12-31T23:59:59.999999999Z", 2_932_897 * DAY - 1),
        # epoch numbers, by their digits: 11 s, 12 ms, 14 ms, 15 us, 17 us, 18 ns
        ("0", 0),
        ("1", S),
        ("-1", -S),
        ("1609459200", 1_609_459_200 * S),
        ("99999999999", 99_999_999_999 * S),
        ("100000000000", 100_000_000_000 * MS),
        ("1609459200000", 1_609_459_200 * S),
        ("99999999999999", 99_999_999_999_999 * MS),
        ("100000000000000", 100_000_000_000_000 * US),
        ("1609459200000001", 1_609_459_200_000_001 * US),
        ("99999999999999999", 99_999_999_999_999_999 * US),
        ("100000000000000000", 100_000_000_000_000_000),
        ("1609459200000000001", 1_609_459_200_000_000_001),
        ("-1609459200000", -1_609_459_200 * S),
        ("-1609459200000000001", -1_609_459_200_000_000_001),
        ("12345678901234567890", 12_345_678_901_234_567_890),
    ],
)
def test_times_worked_by_hand(text: str, ns: int) -> None:
    assert parse_ts_exact(text) == ns
    assert parse_ts(text) == ns


@REPEATABLE
@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
    st.integers(-1439, 1439),
    st.integers(0, 999_999_999),
    st.integers(0, 9),
)
def test_kernel_oracle_and_the_standard_library_agree(moment: datetime, minutes: int, ns: int, digits: int) -> None:
    moment = moment.replace(microsecond=0)
    fraction = f"{ns:09d}"[:digits]
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    text = f"{moment.isoformat()}{'.' if digits else ''}{fraction}{offset}"
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    seconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert parse_ts_exact(text) == parse_ts(text) == seconds * S + int(fraction.ljust(9, "0"))
    if minutes == 0:
        assert parse_ts_exact(text.removesuffix(offset) + "Z") == parse_ts_exact(text)


@REPEATABLE
@given(st.integers(-(10**22), 10**22))
def test_epoch_numbers_of_every_length_agree(number: int) -> None:
    assert parse_ts(str(number)) == parse_ts_exact(str(number))


@REPEATABLE
@given(st.text("0123456789-+:.TZz ", max_size=36))
def test_kernel_and_oracle_refuse_the_same_text(text: str) -> None:
    try:
        ns = parse_ts_exact(text)
    except Undefined:
        with pytest.raises(Undefined, match="is no time"):
            parse_ts(text)
        return
    assert parse_ts(text) == ns


@REPEATABLE
@given(st.integers(0, 34), st.sampled_from("0123456789-+:.TZ x"))
def test_kernel_and_oracle_agree_on_text_with_one_wrong_character(at: int, wrong: str) -> None:
    text = "2024-02-29T23:59:59.123456789+05:30"
    text = text[:at] + wrong + text[at + 1 :]
    try:
        ns = parse_ts_exact(text)
    except Undefined:
        with pytest.raises(Undefined, match="is no time"):
            parse_ts(text)
        return
    assert parse_ts(text) == ns


@pytest.mark.parametrize(
    ("start", "end", "ns"),
    [
        (0, 0, 0),
        (1_700_000_000_000_000_000, 1_700_000_000_000_000_001, 1),
        (-5, 5, 10),
        (2**31 * MS - 1, 2**31 * MS, 1),
        (-(2**63), 2**63 - 1, 2**64 - 1),
    ],
)
def test_durations_worked_by_hand(start: int, end: int, ns: int) -> None:
    assert duration_exact(start, end) == ns
    assert int(duration(start, end)) == ns
    assert duration_exact(np.int64(start), np.int64(end)) == ns


def test_one_pair_that_runs_backwards_spoils_an_array() -> None:
    assert duration([0, 5], [3, 5]).tolist() == [3, 0]
    with pytest.raises(Undefined, match="before its start"):
        duration([0, 5], [3, 4])
    with pytest.raises(Undefined, match="1 ns before the start"):
        duration_exact(5, 4)


@REPEATABLE
@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64), st.integers(-(2**63), 2**63))
def test_duration_kernel_equals_oracle_and_the_epoch_does_not_matter(start: int, passed: int, shift: int) -> None:
    assert duration_exact(start, start + passed) == int(duration(start, start + passed)) == passed
    assert duration_exact(start + shift, start + passed + shift) == passed


@pytest.mark.parametrize(
    ("ts", "width", "start"),
    [
        (0, 60 * S, 0),
        (60 * S - 1, 60 * S, 0),
        (60 * S, 60 * S, 60 * S),  # the end belongs to the next
        (60 * S + 1, 60 * S, 60 * S),
        (-1, 60 * S, -60 * S),  # towards the past, not towards 0
        (-60 * S, 60 * S, -60 * S),
        (-60 * S - 1, 60 * S, -120 * S),
        (10, 7, 7),  # no divisor of a day
        (5, 1, 5),
        # 2021-01-01 in days, from its last nanosecond
        (1_609_459_200 * S + DAY - 1, DAY, 1_609_459_200 * S),
        (-(2**63), 10, -(2**63) - 2),  # below int64
    ],
)
def test_windows_worked_by_hand(ts: int, width: int, start: int) -> None:
    assert window_of_exact(ts, width) == start
    assert int(window_of(ts, width)) == start


@REPEATABLE
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20), WIDTH, st.integers(-1000, 1000))
def test_window_kernel_equals_oracle_and_each_time_is_in_one_window(times: list[int], width: int, windows: int) -> None:
    starts = [window_of_exact(ts, width) for ts in times]
    assert window_of(times, width).tolist() == starts
    for ts, start in zip(times, starts, strict=True):
        assert start <= ts < start + width
        assert start % width == 0
        assert window_of_exact(ts + windows * width, width) == start + windows * width
        assert window_of_exact(start, width) == start


def test_times_of_now_stay_in_int64() -> None:
    assert window_of(np.array([1_700_000_000_000_000_000]), 60 * S).dtype == np.int64


def test_an_order_id_is_new_within_and_across_processes() -> None:
    mine = [order_id() for _ in range(1000)]
    code = "from mmverify.formulas.clock import order_id; print(*(order_id() for _ in range(1000)))"
    others = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    every = mine + [each for other in others for each in other.stdout.split()]
    assert len(set(every)) == len(every) == 3000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in every)
