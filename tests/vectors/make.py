"""Make data/vectors from the cases beside this file: `python tests/vectors/make.py [--check]`.

Before a file is written every case is held against the corpus's own arithmetic, so an answer typed by hand and the one
computed must be the same. With --check nothing is written; the exit code says whether the folder is what would be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import arithmetic
import models
import money
import objects
import prices
import series
import times
from arithmetic import Refused
from corpus import Case, Group, document, encode
from flags import FLAGS

FOLDER = Path(__file__).parents[2] / "data" / "vectors"
FILES: dict[str, Callable[[], list[Group]]] = {
    "mid": prices.mid,
    "microprice": prices.microprice,
    "quote": prices.quote,
    "round_price": prices.round_price,
    "round_qty": prices.round_qty,
    "vwap": series.vwap,
    "ema": series.ema,
    "returns": series.returns,
    "volatility": series.volatility,
    "realized_pnl": money.realized_pnl,
    "unrealized_pnl": money.unrealized_pnl,
    "notional": money.notional,
    "fee": money.fee,
    "funding": money.funding,
    "convert": money.convert,
    "drawdown": series.drawdown,
    "trade_signs": series.trade_signs,
    "lee_ready": series.lee_ready,
    "exposure": money.exposure,
    "liquidation_price": money.liquidation_price,
    "parse_ts": times.parse_ts,
    "duration": times.duration,
    "window_of": times.window_of,
    "Position": objects.position,
    "Order": objects.order,
    "Book": objects.book,
    "RateLimiter": objects.rate_limiter,
    "Breaker": objects.breaker,
}
MODELS: dict[str, Callable[..., Any]] = {"Position": lambda **given: models.play_position(**given)[0], "Order": models.play_order, "Book": models.play_book, "RateLimiter": models.play_limiter, "Breaker": models.play_breaker}


def answer(name: str, group: Group, case: Case) -> Any:
    """Compute the answer to a case, 'refused' where there is none."""
    function = MODELS.get(name) or getattr(arithmetic, name)
    try:
        return encode(function(**encode(group.params), **encode(case.inputs)))
    except Refused:
        return "refused"


def same(expected: Any, computed: Any) -> bool:
    """Compare as numbers where both are numbers, so that 1.50 is 1.5."""
    if isinstance(expected, dict) and "either" in expected:
        return any(same(each, computed) for each in expected["either"])
    if isinstance(expected, dict) and isinstance(computed, dict):
        return expected.keys() == computed.keys() and all(same(expected[key], computed[key]) for key in expected)
    if isinstance(expected, list) and isinstance(computed, list):
        return len(expected) == len(computed) and all(map(same, expected, computed))
    if isinstance(expected, str) and isinstance(computed, str):
        try:
            return Fraction(expected) == Fraction(computed)
        except ValueError:
            pass
    return expected == computed and type(expected) is type(computed)


def problem(name: str, group: Group, case: Case) -> str | None:
    """Say what is wrong with a case, None if it stands."""
    computed = answer(name, group, case)
    if case.result == "acceptable":
        # What is open is left to the case; an object's history must still be one that the model plays.
        return None if name not in MODELS or same(encode(case.expected), computed) else f"computed {computed}"
    if case.result == "invalid":
        return None if computed == "refused" else f"computed {computed}, should be refused"
    return None if same(encode(case.expected), computed) else f"computed {computed}"


def build() -> dict[str, str]:
    """Return every file's text by its name."""
    made = {}
    for name, groups_of in FILES.items():
        groups = groups_of()
        wrong = [f"{name}: {case.comment}: expected {encode(case.expected)}, {found}" for group in groups for case in group.tests if (found := problem(name, group, case))]
        if wrong:
            sys.exit("\n".join(wrong))
        made[f"{name}.json"] = document(name, groups, FLAGS)
    return made


def main() -> None:
    """Write the files, or check them."""
    made = build()
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for file, text in made.items():
            (FOLDER / file).write_text(text, encoding="utf-8")
        return
    stale = [file for file, text in made.items() if not (FOLDER / file).is_file() or (FOLDER / file).read_bytes() != text.encode()]
    stale += sorted({path.name for path in FOLDER.glob("*.json")} - made.keys() - {"schema.json"})
    if stale:
        sys.exit(f"not as made: {', '.join(stale)}; run python tests/vectors/make.py")


if __name__ == "__main__":
    main()
