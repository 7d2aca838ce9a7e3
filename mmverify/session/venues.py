"""How venues number the updates of their books: what an importer writes into `seq` and `prev_seq`, and what it means.

The rules are data, ``data/venues.toml``, each with the venue's page that it was read in and the day.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from mmverify.bundled import bundled


@dataclass(frozen=True)
class SequenceRule:
    """The numbers of one venue's book channel.

    Parameters
    ----------
    venue, market, channel : str
    seq, prev_seq : str
        Fields of the venue's message, empty where it has no numbers.
    offset : int
        What is added to the field `prev_seq`.
    scope : str
        What the numbers count.
    snapshot, first : str
        Where a snapshot comes from, and which update follows it.
    reset : str
        What is legal though a number falls or repeats, empty where nothing is.
    checksum : str
        What the venue's checksum is made of, empty where it sends none.
    depth : str
        Levels that it keeps up.
    note : str
    source : str
        The venue's page.
    read : date
        When it was read.
    """

    venue: str
    market: str
    channel: str
    seq: str
    prev_seq: str
    offset: int
    scope: str
    snapshot: str
    first: str
    reset: str
    checksum: str
    depth: str
    note: str
    source: str
    read: date

    def numbers(self, message: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Return seq and prev_seq of a venue's message, None for one that it has not."""
        seq, prev = message.get(self.seq), message.get(self.prev_seq)
        return None if seq is None else int(seq), None if prev is None else int(prev) + self.offset


@cache
def sequence_rules() -> dict[str, SequenceRule]:
    """Return the rule of each venue and market, by name."""
    data = tomllib.loads(bundled("data/venues.toml").read_text(encoding="utf-8"))
    return {name: SequenceRule(**rule) for name, rule in data.items()}
