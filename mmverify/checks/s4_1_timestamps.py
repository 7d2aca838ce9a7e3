"""4.1 Timestamps: one zone, two clocks, ends of windows, durations that hold, nanoseconds that are kept."""

from __future__ import annotations

from mmverify.checks.s4_1_durations import durations, units_and_wraps
from mmverify.checks.s4_1_precision import cut_times, float_trips
from mmverify.checks.s4_1_skew import copied_clocks, early_arrivals
from mmverify.checks.s4_1_source import naive_local_time
from mmverify.checks.s4_1_windows import window_ends, windows_by_venue_clock
from mmverify.checks.s4_1_zones import offsets_of_text, whole_hours

__all__ = [
    "copied_clocks", "cut_times", "durations", "early_arrivals", "float_trips", "naive_local_time", "offsets_of_text",
    "units_and_wraps", "whole_hours", "window_ends", "windows_by_venue_clock",
]  # fmt: skip
