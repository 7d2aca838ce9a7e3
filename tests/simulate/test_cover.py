"""Twenty seeds over a pairwise cover of the conventions: every claim is true, no check of the review finds anything.

Every two choices of two conventions meet in one row of the cover. A row a seed is in each run; all rows of all seeds
are a campaign of their own.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from random import Random

import pytest
from audit import audit

from mmverify.review.engine import review
from mmverify.session import open_session
from mmverify.simulate import CHOICES, simulate

Pair = tuple[tuple[str, str], ...]


def pairs(row: dict[str, str]) -> set[Pair]:
    """Return every two choices of a row."""
    return set(combinations(sorted(row.items()), 2))


def cover() -> list[dict[str, str]]:
    """Return rows in which every two choices meet: of random rows, always the one with the most that are new."""
    rng, rows = Random(0), []
    missing = {
        ((a, x), (b, y)) for a, b in combinations(sorted(CHOICES), 2) for x, y in product(CHOICES[a], CHOICES[b])
    }
    while missing:
        seed = dict(rng.choice(sorted(missing)))
        drawn = [{name: rng.choice(choices) for name, choices in CHOICES.items()} | seed for _ in range(60)]
        row = max(drawn, key=lambda each: len(pairs(each) & missing))
        rows.append(row)
        missing -= pairs(row)
    return rows


ROWS = cover()
SEEDS = range(1, 21)


def check(folder: Path, seed: int, row: dict[str, str]) -> None:
    simulate(folder, seed=seed, hours=Fraction(1, 10), symbols=1 + seed % 3, conventions=row)
    assert {item: seen.violations for item, seen in audit(folder).items() if seen.violations} == {}
    assessment = review([open_session(folder)])
    assert not assessment.findings and not assessment.errors
    unseen = {item.id: item.reason for item in assessment.items if item.checks and item.status != "verified"}
    unseen.pop("4.1.3", None)  # in six minutes no trade may lie on the end of a window
    assert not unseen or seed % 3 != 2, unseen  # a session of fewer markets may lack a kind of record


def test_the_cover_holds_every_two_choices() -> None:
    met = set().union(*map(pairs, ROWS))
    assert all(((a, x), (b, y)) in met for a, b in combinations(sorted(CHOICES), 2)
               for x, y in product(CHOICES[a], CHOICES[b]))  # fmt: skip
    assert len(ROWS) <= 40


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_a_seed(seed: int, tmp_path: Path) -> None:
    check(tmp_path / "session", seed, ROWS[seed])


@pytest.mark.campaign
@pytest.mark.parametrize("row", range(len(ROWS)))
@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_of_every_seed(seed: int, row: int, tmp_path: Path) -> None:
    check(tmp_path / "session", seed, ROWS[row])
