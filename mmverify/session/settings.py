"""session.toml: read, checked for what it cannot mean, its numbers exact."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmverify.errors import EvidenceError
from mmverify.session.columns import shown
from mmverify.session.files import inside
from mmverify.session.schema import CONVENTIONS, NUMBERS, SETTINGS

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAX_DIGITS = 38


def exact(value: Any, place: str) -> Fraction:
    """Return a number of session.toml, which may be quoted there, exact; raise EvidenceError for anything else."""
    if isinstance(value, (int, Decimal, str)) and not isinstance(value, bool):
        text = "" if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS else str(value)
        if _NUMBER.fullmatch(text) and abs(number := Decimal(text)) < 10**_MAX_DIGITS:
            return Fraction(number)
    raise EvidenceError("session.toml", column=place, was=shown(value), should="a finite number such as 0.25")


def read_settings(root: Path) -> dict[str, Any]:
    """Return session.toml as parsed, its decimal numbers as Decimal."""
    path = root / "session.toml"
    if not path.is_file():
        was = "not a file" if path.exists() else "not there"
        raise EvidenceError("session.toml", was=was, should="a file in the session folder (it may be short)")
    inside(root, path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise EvidenceError("session.toml", was="bytes that are not UTF-8", should="text in UTF-8") from None
    except OSError as error:
        raise EvidenceError("session.toml", was=f"cannot be read ({error.strerror})", should="a file to read") from None
    except (ValueError, RecursionError) as error:
        raise EvidenceError("session.toml", was=str(error)[:160], should="valid TOML") from None


def check_settings(settings: dict[str, Any]) -> list[str]:
    """Refuse what session.toml cannot mean; return a note on the names that it states and nobody knows."""
    unknown = [f"[{section}]" for section in settings if section not in SETTINGS]
    for section, names in SETTINGS.items():
        for place, stated in _tables(settings, section):
            unknown += [f"{place}.{name}" for name in stated if name not in names.split()]
            for name, value in stated.items():
                if name in names.split():
                    _check_value(f"{place}.{name}", name, value)
    return [f"session.toml: unknown, kept and ignored: {', '.join(unknown)}"] if unknown else []


def _tables(settings: dict[str, Any], section: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a section, each with its place: one, one a name, or the elements of a list."""
    stated, should = settings.get(section), f"a [{section}] table"
    kind: type = dict
    if section in ("limits", "config"):
        should = f"a [{section}.NAME] table each"
        tables = [(f"{section}.{name}", one) for name, one in stated.items()] if isinstance(stated, dict) else []
    elif section in ("breaker", "rate_limit", "maintenance"):
        kind, should = list, f"[[{section}]] tables"
        tables = [(f"{section}[{n}]", one) for n, one in enumerate(stated, 1)] if isinstance(stated, list) else []
    else:
        tables = [(section, stated)] if stated is not None else []
    if stated is not None and not (isinstance(stated, kind) and all(isinstance(one, dict) for _, one in tables)):
        raise EvidenceError("session.toml", column=section, was=shown(stated), should=should)
    return tables


def _check_value(place: str, name: str, value: Any) -> None:
    words = ("venue", "bot") if name == "fills_from" else CONVENTIONS.get(name, ()) if place.startswith("conv") else ()
    should = ""
    if words and value not in words:
        should = f"one of {', '.join(words)}"
    elif name in NUMBERS and exact(value, place) < 0 and name.endswith("_ms"):
        should = "0 or more"
    elif name in ("start", "end") and not _is_time(value):
        should = "a time such as 2025-03-03T12:00:00+00:00"
    elif name in ("venue", "bot", "bot_version", "currency", "client_order_id") and not isinstance(value, str):
        should = "text"
    elif name == "client_order_id" and not _is_pattern(value):
        should = "a regular expression"
    if should:
        raise EvidenceError("session.toml", column=place, was=shown(value), should=should)


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, datetime) or bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _is_pattern(value: str) -> bool:
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
