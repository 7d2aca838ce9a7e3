"""Time the review of market data and timing: ``python tests/bench/market.py``, at 1x, 2x and 4x.

The largest session has 10 million book rows, 10 million trades and a million orders, or as many rows as ``--rows`` says
and a tenth of it in orders; a review of sections 3.1 to 3.3, 4.1, 4.3 and 5.1 to 5.3 is a process of its own, as a user
starts it. The session is clean, and has what exercises every check: a finding is an error, and so is a check that
nothing exercised.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import pyarrow.compute as pc
import pyarrow.parquet as pq
from market_session import write
from run import BUILD, above, made, review, summary

SIZES = (1, 2, 4)
SECTIONS = ("3.1", "3.2", "3.3", "4.1", "4.3", "5.1", "5.2", "5.3")
SECONDS, MEBIBYTES = 120, 4096  # that the largest may take
GROWTH = 1.25  # of what a row costs, from the smallest to the largest
SOURCES = ("market_session.py", "market_orders.py", "market_feed.py", "columns.py", "books.py")


def main() -> int:
    """Print the table and what exercised each item; return 1 where a limit is passed or nothing exercised a check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="book rows, and trades, of the largest session")
    parser.add_argument("--section", action="append", help="review these alone")
    arguments = parser.parse_args()
    print("| | book rows, trades | orders | CPU s | clock s | peak MiB | CPU us a row | to 1x |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    costs = []
    for size in SIZES:
        rows = arguments.rows * size // SIZES[-1]
        folder = made(BUILD / f"market-{rows}", partial(write, rows=rows), *SOURCES)
        event = pq.read_table(folder / "order_events.parquet", columns=["event"])["event"]
        orders = pc.sum(pc.equal(event.cast("string"), "submit")).as_py()
        run, items = review(folder, arguments.section or SECTIONS)
        costs.append(run.cpu / rows * 10**6)
        print(f"| {size}x | {rows} | {orders} | {run.cpu:.1f} | {run.wall:.1f} | {run.mebibytes:.0f} | "
              f"{costs[-1]:.2f} | {costs[-1] / costs[0]:.2f} |", flush=True)  # fmt: skip
    print(f"\n{summary(items)}")
    print("records that exercised them:", ", ".join(f"{item['id']} {item['exercised']}" for item in items))
    wrong = above((run.wall, SECONDS, "s on the clock"), (run.mebibytes, MEBIBYTES, "MiB"),
                  (costs[-1] / costs[0], GROWTH, f"times as much a row at {SIZES[-1]}x"))  # fmt: skip
    wrong += [f"nothing exercised: {item['id']} {check['name']}" for item in items for check in item["checks"]
              if check["evidence"] == "session" and not check["exercised"]]  # fmt: skip
    print("".join(f"{each}\n" for each in wrong), end="")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
