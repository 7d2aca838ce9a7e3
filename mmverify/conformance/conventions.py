"""What a name is tried with: the convention that its target states, else each that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from mmverify.conformance.inputs import Case, Conventions
from mmverify.conformance.judge import Failure, Test
from mmverify.conformance.target import CARRIED, KNOWN, Target

_FILLS = [("buy", Decimal(100), Decimal(1)), ("buy", Decimal(110), Decimal(1)), ("sell", Decimal(130), Decimal(1))]


@dataclass(frozen=True)
class Settled:
    """What a name of a target is tried with.

    Attributes
    ----------
    tried : Conventions
        By the convention's name the words that cases are drawn with.
    held : str
        The parameter that carries it where the target has no place for it: its answers are held against the word of a
        case all the same.
    note : str
        What the target does not state, and what it was tried with in its place; empty where nothing is open.
    """

    tried: Conventions = field(default_factory=dict)
    held: str = ""
    note: str = ""


def settle(target: Target, name: str, left_out: frozenset[str], test: Callable[[str], Test]) -> Settled:
    """Find out what a name is tried with.

    A stated convention is the only one tried. Where the target is silent, each is asked for in a plain case and those
    that it refuses are left out, since an unknown convention must be refused. A target that cannot be asked is held
    against the convention that it fits, the contract's own where it fits none.

    Parameters
    ----------
    target : Target
        The target.
    name : str
        A name that it exposes.
    left_out : frozenset of str
        Parameters of the contract that it has no place for.
    test : callable
        The parameter that it is not passed, to the test of the name.

    Returns
    -------
    Settled
    """
    parameter, key = CARRIED.get(name, ("", ""))
    held = parameter if parameter in left_out else ""
    if not parameter:
        return Settled()
    if key in target.conventions:
        return Settled({key: (target.conventions[key],)}, held)
    words = KNOWN[key]
    seen = {word: test(held)(_telling(name, word)) for word in words}
    if held:
        fits = next((word for word in words if seen[word].exercised and not seen[word].failure), "")
        how = "which it fits" if fits else "the contract's own, since it fits none"
        word = fits or words[0]
        note = f"{name} takes no {parameter} and states no {key}: it was held against {word}, {how}"
        return Settled({key: (word,)}, held, note)
    refused = [word for word in words if _refused(seen[word].failure)]
    if not refused or len(refused) == len(words):
        return Settled({key: words})
    note = f"{name} states no {key} and refuses {' and '.join(refused)}, which was not tried"
    return Settled({key: tuple(word for word in words if word not in refused)}, note=note)


def _refused(failure: Failure | None) -> bool:
    return failure is not None and failure.outcome is not None and failure.outcome.kind == "refused"


def _telling(name: str, word: str) -> Case:
    """Return a case whose answer under one convention is none of the others'."""
    if name == "Position":
        rows = [("fill", (f"E{n}", *fill, Decimal(0)), dict[str, str]()) for n, fill in enumerate(_FILLS)]
        return {"make": ("linear", Decimal(1), word), "steps": rows}
    if name == "realized_pnl":
        return {"fills": _FILLS, "cost_basis": word}
    if name == "ema":
        return {"values": [Decimal(1), Decimal(3), Decimal(8)], "span": 2, "init": word}
    prices = [Decimal(100), Decimal(110), Decimal(99)]
    return {"prices": prices, "kind": word} | ({"periods_per_year": 365} if name == "volatility" else {})
