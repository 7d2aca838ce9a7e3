"""The offsets of times that are text: kept with the column, over files and batches."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmverify.session import open_session
from mmverify.session.load import Session


def written(folder: Path, parts: list[pa.Array]) -> Session:
    """Write equity in parts."""
    (folder / "equity").mkdir()
    (folder / "session.toml").write_text("[session]\n")
    for n, times in enumerate(parts):
        pq.write_table(pa.table({"ts_local": times, "equity": [1.0] * len(times)}), folder / "equity" / f"{n}.parquet")
    return open_session(folder)


@pytest.mark.parametrize(
    ("end", "name"),
    [("Z", "Z"), ("+00:00", "Z"), ("-0000", "Z"), ("+00", "Z"), ("+01:00", "+01:00"), ("+0100", "+01:00"),
     ("-03", "-03:00"), ("", "")],
)  # fmt: skip
def test_an_offset_has_one_name(tmp_path: Path, end: str, name: str) -> None:
    column = written(tmp_path, [pa.array([f"2025-03-03T12:00:00.5{end}"])]).table("equity").whole("ts_local")
    assert dict(column.offsets) == {name: (0, 1)}


def test_rows_are_counted_over_parts_and_numbers_have_none(tmp_path: Path) -> None:
    first = pa.array(["1741003200000000000", "2025-03-03T12:00:00Z", "2025-03-03 12:00:01"])
    second = pa.array(["2025-03-03T12:00:02Z", "2025-03-03T13:00:02+01:00"])
    session = written(tmp_path, [first, second])
    assert dict(session.table("equity").whole("ts_local").offsets) == {"Z": (1, 2), "": (2, 1), "+01:00": (4, 1)}
    assert session.notes == ["equity, column ts_local: '2025-03-03 12:00:01' has no offset; read as UTC"]


@pytest.mark.parametrize(("zone", "offsets"), [("UTC", {}), (None, {"": (0, 2)})])
def test_times_of_parquet_name_their_zone_or_none(
    tmp_path: Path, zone: str | None, offsets: dict[str, tuple[int, int]]
) -> None:
    moment = datetime(2025, 3, 3, 12, tzinfo=UTC if zone else None)
    session = written(tmp_path, [pa.array([moment, moment], pa.timestamp("us", zone))])
    assert dict(session.table("equity").whole("ts_local").offsets) == offsets
