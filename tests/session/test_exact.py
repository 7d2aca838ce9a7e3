"""Every digit that a file holds comes through, whatever holds it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mmverify.errors import EvidenceError
from mmverify.numeric import Decimals
from mmverify.session import Session, Table, columns, open_session
from mmverify.session.columns import Builder
from mmverify.session.schema import TABLES

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
FILES = settings(
    derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def column(name: str, *batches: pa.Array, table: str = "pnl") -> Any:
    """Decode batches as a column of a table."""
    builder = Builder(TABLES[table][name])
    for batch in batches:
        builder.add(batch)
    return builder.column_data()


def decimals(*batches: pa.Array) -> Decimals:
    found = column("total", *batches)
    assert isinstance(found, Decimals)
    return found


@st.composite
def written(draw: st.DrawFn) -> str:
    """Write a number as people and programs do: up to 38 digits, a point anywhere, a sign, zeros, an exponent."""
    digits = draw(st.text("0123456789", min_size=1, max_size=38))
    point = draw(st.integers(0, len(digits)) | st.none())
    body = digits if point is None else f"{digits[:point]}.{digits[point:]}"
    sign = draw(st.sampled_from(["", "", "", "-", "+"]))
    exponent = draw(st.sampled_from(["", "", "", "e-05", "E-8", "e-30"]))
    return sign + body + exponent


def points(text: str) -> int:
    """Count the digits after the point of a number when it is written out."""
    return len(f"{Decimal(text):f}".partition(".")[2])


# --- text -------------------------------------------------------------------------------------------------------------


@REPEATABLE
@given(st.lists(written() | st.none(), min_size=1, max_size=8), st.integers(0, 8))
@example(["9223372036854775807", "0.1"], 1)
@example(["-9223372036854775808", "92233720368547758.07"], 2)
@example(["1e-324", "9" * 38], 1)
@example(["000000000000000000000000000000000000000000000000001", "+.5", "5."], 1)
@example(["0E+2", "0e-8", "-0.00"], 3)
def test_text_comes_through_digit_for_digit(texts: list[str | None], cut: int) -> None:
    whole = pa.array(texts, pa.string())
    found = decimals(whole.slice(0, cut), whole.slice(cut)) if cut < len(texts) else decimals(whole)
    known = [text for text in texts if text is not None]
    assert found.fractions() == [Fraction(text or "0") for text in texts]
    assert found.missing.tolist() == [text is None for text in texts]
    assert not found.nan.any() and not found.binary
    assert found.digits == found.scale == max((points(text) for text in known), default=0)
    assert found.printed is not None
    assert found.printed.tolist() == [0 if text is None else points(text) for text in texts]


@REPEATABLE
@given(st.lists(written(), min_size=1, max_size=8))
def test_integers_are_int64_wherever_all_of_them_fit(texts: list[str]) -> None:
    found = decimals(pa.array(texts))
    fits = all(abs(Fraction(text) * 10**found.scale) < 9.2e18 for text in texts)
    assert found.ints.dtype == (np.int64 if fits else object) or not fits
    assert all(type(value) is int for value in found.ints.tolist())


@FILES
@given(texts=st.lists(written(), min_size=1, max_size=6))
def test_text_comes_through_a_csv_file(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "session.toml").touch()
    (tmp_path / "pnl.csv").write_text("ts_local,symbol,total\n" + "".join(f"1,A,{text}\n" for text in texts))
    total = open_session(tmp_path).table("pnl").decimals("total")
    assert total.fractions() == [Fraction(text) for text in texts]
    assert total.digits == max(map(points, texts))


# --- decimal128 -------------------------------------------------------------------------------------------------------


@REPEATABLE
@given(
    st.lists(st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-(10**9), 10**9) | st.none(), min_size=1, max_size=8),
    st.integers(0, 38),
    st.integers(0, 6),
)
@example([10**38 - 1, 1 - 10**38, None], 38, 0)
@example([2**63 - 1, -(2**63)], 8, 0)
@example([2**63, -(2**63) - 1], 8, 1)
@example([12345678901234567890123456789012345678, 1], 20, 0)
def test_decimal128_comes_through_digit_for_digit(unscaled: list[int | None], scale: int, offset: int) -> None:
    exact = Context(prec=80)
    numbers = [None if value is None else exact.scaleb(Decimal(value), -scale) for value in unscaled]
    padded = pa.array([Decimal("0.1") if scale else Decimal(3)] * offset + numbers, pa.decimal128(38, scale))
    found = decimals(padded.slice(offset))
    assert found.fractions() == [Fraction(value or 0, 10**scale) for value in unscaled]
    assert found.missing.tolist() == [value is None for value in unscaled]
    assert found.digits == scale >= found.scale
    assert found.printed is None and not found.binary


def test_the_zeros_that_every_row_of_a_decimal128_ends_in_cost_nothing() -> None:
    values = [Decimal(f"{60000 + n % 7}.25") for n in range(3000)] + [Decimal("60000.125")]
    found = decimals(pa.array(values, pa.decimal128(38, 18)))
    assert (found.scale, found.digits, found.ints.dtype) == (3, 18, np.int64)
    assert found.fraction(3000) == Fraction(480001, 8)


# --- float64 ----------------------------------------------------------------------------------------------------------

FLOATS = st.floats(-1e37, 1e37, allow_nan=False, allow_infinity=False)
TICKS = st.builds(lambda ticks, scale: ticks / 10**scale, st.integers(-(10**16), 10**16), st.integers(0, 17))


@REPEATABLE
@given(st.lists(FLOATS | TICKS | st.none(), min_size=1, max_size=8))
@example([0.1 + 0.2, 60000.1])
@example([5e-324, 2.2250738585072014e-308, 1e37])
@example([9007199254740993.0, 0.5])
@example([1e22, 1e23, -0.0])
@example([900719925474099.1, 4503599627370495.5])
def test_a_float64_is_the_shortest_decimal_that_prints_as_it(values: list[float | None]) -> None:
    found = decimals(pa.array(values, pa.float64()))
    assert found.fractions() == [Fraction(repr(value or 0.0)) for value in values]
    assert found.missing.tolist() == [value is None for value in values]
    assert found.binary and found.printed is None


def test_any_bits_that_are_a_number_come_through() -> None:
    chance = np.random.default_rng(11)
    values = [struct.unpack("d", chance.bytes(8))[0] for _ in range(4000)]
    values = [value for value in values if math.isfinite(value) and abs(value) < 1e37]
    assert len(values) > 2000
    assert decimals(pa.array(values)).fractions() == [Fraction(repr(value)) for value in values]


@pytest.mark.parametrize("value", [1e38, -1.7976931348623157e308])
def test_a_float64_beyond_38_digits_is_refused(opened: Callable[..., Session], value: float) -> None:
    table = pa.table({"ts_local": [1, 2], "symbol": ["A", "A"], "total": pa.array([1.5, value])})
    with pytest.raises(EvidenceError, match=r"^pnl\.parquet, row 2, column total: .*, below 1e38 "):
        opened({"pnl.parquet": table})


# --- mixed ------------------------------------------------------------------------------------------------------------


@REPEATABLE
@given(st.lists(written(), min_size=1, max_size=4), st.lists(FLOATS | TICKS, min_size=1, max_size=4), st.integers(0, 3))
def test_parts_of_different_kinds_come_to_one_scale(texts: list[str], floats: list[float], empty: int) -> None:
    tenths = [Decimal("0.5"), Decimal("-7.25")]
    found = decimals(
        pa.nulls(empty),
        pa.array(texts),
        pa.array(floats),
        pa.array(tenths, pa.decimal128(10, 4)),
        pa.array([7, -3], pa.int32()),
    )
    expected = [Fraction(text) for text in texts] + [Fraction(repr(value)) for value in floats]
    assert found.fractions() == [Fraction(0)] * empty + expected + [Fraction(1, 2), Fraction(-29, 4), 7, -3]
    assert found.missing.tolist() == [True] * empty + [False] * (len(texts) + len(floats) + 4)
    assert found.binary


def test_mixed_scales_of_a_real_column_stay_int64() -> None:
    found = decimals(pa.array(["61800", "61800.2", "0.00001", "1e-05", "1.5E+3", "-0.1"]))
    assert found.ints.tolist() == [6180000000, 6180020000, 1, 1, 150000000, -10000]
    assert (found.scale, found.digits, found.ints.dtype) == (5, 5, np.int64)
    assert found.printed is not None and found.printed.tolist() == [0, 1, 5, 5, 0, 1]


# --- whole numbers and words ------------------------------------------------------------------------------------------


@REPEATABLE
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1, max_size=8), st.integers(0, 8))
def test_whole_numbers_come_through_text_and_integers_alike(values: list[int | None], cut: int) -> None:
    texts = pa.array([None if value is None else str(value) for value in values], pa.large_string())
    for whole in (texts, pa.array(values, pa.int64())):
        batches = [whole.slice(0, cut), whole.slice(cut)] if cut < len(values) else [whole]
        found = column("level", *batches, table="quotes")
        assert found.values.dtype == np.int64
        assert found.values.tolist() == [value or 0 for value in values]
        assert found.missing.tolist() == [value is None for value in values]


@REPEATABLE
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "", "é"]) | st.none(), max_size=5), min_size=1, max_size=5))
def test_words_come_through_whatever_the_batches(batches: list[list[str | None]]) -> None:
    _assert_words(batches)


LONG = ["x" * 1030 + end for end in "abab"]  # whose ends no hash covers


@pytest.mark.parametrize("hashed", [lambda texts: np.zeros(len(texts), np.uint64), columns._hashes])
@pytest.mark.parametrize("batches", [[LONG[:2], ["y"], LONG], [["12345678"], ["1234567", "123456789"], ["12345678"]]])
def test_words_of_one_hash_are_told_apart(
    batches: list[list[str | None]], hashed: Callable[[pa.Array], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_hashes", hashed)
    _assert_words(batches)


def _assert_words(batches: list[list[str | None]]) -> None:
    found = column("currency", *(pa.array(batch, pa.string()) for batch in batches))
    flat = [word or "" for batch in batches for word in batch]
    assert [found.text(row) for row in range(len(found))] == flat
    assert list(found.names) == [word for word in dict.fromkeys(flat) if word]
    assert found.codes.dtype == np.int32
    for name in (*found.names, "never"):
        assert found.is_(name).tolist() == [word == name for word in flat]
        assert (found.codes == found.code(name)).tolist() == [word == name for word in flat]


def test_a_column_that_is_not_there_is_empty_in_every_row(opened: Callable[..., Session]) -> None:
    table = opened({"trades.csv": "ts_exchange,ts_local,symbol,price,qty\n1,,A,2,3\n1,,A,2,3\n"}).table("trades")
    ids, side = table.words("trade_id"), table.words("aggressor")
    assert (len(ids), ids.missing.tolist(), ids.names, ids.text(1)) == (2, [True, True], (), "")
    assert side.is_("buy").tolist() == [False, False]
    assert table.whole("ts_local").missing.tolist() == [True, True]
    fee = opened({"pnl.csv": "ts_local,symbol\n1,A\n"}).table("pnl").decimals("fees")
    assert (fee.missing.tolist(), fee.known.tolist(), fee.digits) == ([True], [False], 0)
    assert np.isnan(fee.floats()).tolist() == [True]


def test_text_that_only_a_float_prints_is_held_to_what_a_float_can_keep(tmp_path: Path) -> None:
    """repr(0.1 + 0.2) has 17 digits; half a unit of the last of them is no measure of a sum of floats."""
    rows = ["0.30000000000000004", "12.35", "-7.1e-17", ""]
    column = session_of(tmp_path, rows).decimals("realized")
    assert column.binary and column.fraction(0) == Fraction("0.30000000000000004")
    assert column.tolerance(1) == Fraction("12.35") / 10**9
    assert column.tolerance(2) == Fraction("12.35") / 10**11  # not 7.1e-26: it is what is left of larger numbers


def test_text_with_more_digits_than_a_float_keeps_is_exact(tmp_path: Path) -> None:
    column = session_of(tmp_path, ["1.234567890123456789", "0.30000000000000004"]).decimals("realized")
    assert not column.binary and column.tolerance(0) == Fraction(1, 2 * 10**18)


def session_of(folder: Path, realized: list[str]) -> Table:
    (folder / "session.toml").write_text("", encoding="utf-8")
    lines = ["ts_local,symbol,realized", *(f"{n},X,{value}" for n, value in enumerate(realized))]
    (folder / "pnl.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_session(folder).table("pnl", "realized")
