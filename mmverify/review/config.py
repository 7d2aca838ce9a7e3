"""review.toml: waivers, attestations and what does not apply, each signed and dated."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mmverify.checks import items
from mmverify.errors import UsageError


@dataclass(frozen=True)
class Waiver:
    """A finding or an item whose findings someone accepts until a day."""

    target: str
    reason: str
    owner: str
    expires: date


@dataclass(frozen=True)
class Attestation:
    """A person's word, with a file, for what no evidence here can settle."""

    item: str
    person: str
    date: date
    file: str


@dataclass(frozen=True)
class NotApplicable:
    """An item that a person declares beside the point, with the reason."""

    item: str
    reason: str
    person: str
    date: date


@dataclass(frozen=True)
class ReviewConfig:
    """What review.toml says."""

    waivers: tuple[Waiver, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()


def read_config(path: Path) -> ReviewConfig:
    """Read review.toml.

    Raises
    ------
    UsageError
        One line that names the file and the entry, for anything that is missing, misspelt or does not hold.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({error.strerror}); should be a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: {error}; should be valid TOML") from None
    unknown = set(data) - {"waiver", "attestation", "not_applicable", "source"}
    if unknown:
        raise UsageError(f"{path.name}: {sorted(unknown)[0]!r} is no section; should be waiver, attestation, "
                         "not_applicable or source")  # fmt: skip
    return ReviewConfig(
        tuple(_waiver(path, entry) for entry in _entries(path, data, "waiver")),
        tuple(_attestation(path, entry) for entry in _entries(path, data, "attestation")),
        tuple(_not_applicable(path, entry) for entry in _entries(path, data, "not_applicable")),
    )


def _entries(path: Path, data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = data.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path.name}: {name} is {type(entries).__name__}; should be [[{name}]] tables")
    return entries


def _text(path: Path, name: str, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{path.name}: [[{name}]] {entry.get('item', '')} has no {key}; should be a text")
    return value


def _day(path: Path, name: str, entry: dict[str, Any], key: str) -> date:
    value = entry.get(key)
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date):
        raise UsageError(f"{path.name}: [[{name}]] {entry.get('item', '')} has no {key}; should be a day, 2026-12-31")
    return date(value.year, value.month, value.day)


def _item(path: Path, name: str, entry: dict[str, Any]) -> str:
    item = _text(path, name, entry, "item")
    if item not in items():
        raise UsageError(f"{path.name}: [[{name}]] names {item!r}; should be one of the 96 items, such as 1.3.1")
    return item


def _waiver(path: Path, entry: dict[str, Any]) -> Waiver:
    target = entry.get("finding") or _item(path, "waiver", entry)
    item = str(target).partition(":")[0]
    if item not in items():
        raise UsageError(f"{path.name}: [[waiver]] names {target!r}; should be the id of a finding or an item")
    if items()[item].severity == "CRITICAL" and "finding" not in entry:
        raise UsageError(f"{path.name}: [[waiver]] of {item}, which is CRITICAL; there is no waiver for those")
    return Waiver(
        str(target), _text(path, "waiver", entry, "reason"), _text(path, "waiver", entry, "owner"),
        _day(path, "waiver", entry, "expires"),
    )  # fmt: skip


def _attestation(path: Path, entry: dict[str, Any]) -> Attestation:
    item, name = _item(path, "attestation", entry), _text(path, "attestation", entry, "file")
    stated = _text(path, "attestation", entry, "sha256").lower()
    try:
        found = hashlib.sha256((path.parent / name).read_bytes()).hexdigest()
    except OSError:
        raise UsageError(f"{path.name}: [[attestation]] of {item} names {name!r}, which cannot be read") from None
    if found != stated:
        raise UsageError(f"{path.name}: [[attestation]] of {item}: the SHA-256 of {name} is {found}, not {stated}")
    return Attestation(
        item, _text(path, "attestation", entry, "person"), _day(path, "attestation", entry, "date"), name
    )


def _not_applicable(path: Path, entry: dict[str, Any]) -> NotApplicable:
    return NotApplicable(
        _item(path, "not_applicable", entry), _text(path, "not_applicable", entry, "reason"),
        _text(path, "not_applicable", entry, "person"), _day(path, "not_applicable", entry, "date"),
    )  # fmt: skip
