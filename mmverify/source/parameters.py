"""The parameters of a bot: what each is stated as in configuration files, schemas, classes of settings and tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mmverify.source.config import AWAY, config_files, parsed
from mmverify.source.symbols import Class, Symbols
from mmverify.source.tree import File, Tree

#: What makes a table a parameter that states itself.
STATED = frozenset({"value", "default"})
SAID = ("unit", "min", "max", "default", "critical", "hot_reload")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*)(\.\d*)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a bot.

    Attributes
    ----------
    name : str
        Its own, the last of its path.
    at : str
        Where it is stated: ``file:line``, or a place in session.toml.
    value : object
        As read; of a class of settings its default.
    said : mapping of str to object
        What is stated of it: `unit`, `min`, `max`, `default`, `critical`, `hot_reload`; what is not is not there.
    section : str
        The names above it, with dots.
    itself : bool
        It states itself, as a table, so that nothing else speaks for it.
    checked : bool
        A validator of its class looks at it.
    comment : str
        What stands beside it or on the line above.
    """

    name: str
    at: str
    value: Any
    said: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""
    itself: bool = False
    checked: bool = False
    comment: str = ""

    @property
    def file(self) -> str:
        """The file that states it."""
        return self.at.rpartition(":")[0]


def read_file(file: File) -> tuple[list[Parameter], str]:
    """Return the parameters of a configuration file, and why it cannot be read, if so."""
    try:
        data, lines = parsed(file)
    except ValueError as error:
        return [], f"{file.path} cannot be read: {' '.join(str(error).split())[:120]}"
    return list(_walk(file, data, (), lines)), ""


def _walk(file: File, data: Any, above: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> Iterator[Parameter]:
    """Yield the parameters of a tree of tables: a table that states itself is one, a plain value another."""
    for key, value in data.items() if isinstance(data, Mapping) else ():
        path = (*above, str(key))
        at = file.at(lines.get(path, lines.get(above, 1)))
        if (
            isinstance(value, Mapping)
            and STATED & value.keys()
            and not any(isinstance(v, Mapping) for v in value.values())
        ):
            said = {name: value[name] for name in SAID if name in value}
            yield Parameter(path[-1], at, value.get("value", value.get("default")), said, ".".join(above), True)
        elif isinstance(value, Mapping):
            yield from _walk(file, value, path, lines)
        elif not isinstance(value, list):
            yield Parameter(path[-1], at, value, _unit_of(told := _comment(file, at)), ".".join(above), comment=told)


_UNITS = (
    "ns", "us", "ms", "seconds?", "secs?", "minutes?", "mins?", "hours?", "days?", "bps", "basis points",
    "percent(?:age)?", "%", "fraction", "ratio", "usdt?", "usd", "btc", "eth", "eur", "contracts?", "lots?", "ticks?",
    "orders?", "levels?", "updates?", "count", "base", "quote", "milliseconds?", "microseconds?", "nanoseconds?",
    "bytes", "times", "s",
)  # fmt: skip
_UNIT_WORD = re.compile(rf"(?i)(?<![\w-])({'|'.join(_UNITS)})(?![\w-])")
#: A unit that a comment states: its first word, after a number or ``in``, or in brackets.
_STATED_UNIT = re.compile(rf"(?i)(?:^|\bin |\d ?|[(\[])({'|'.join(_UNITS)})(?=$|[\s.,;:)\]])")


def _comment(file: File, at: str) -> str:
    """Return the comment beside a value, and what the lines above it say."""
    n = int(at.rpartition(":")[2])
    beside = re.search(r"(?:#|//|;)\s*(.*)$", file.lines[n - 1]) if n <= len(file.lines) else None
    told = [beside[1]] if beside else []
    for line in reversed(file.lines[: n - 1]):
        above = re.fullmatch(r"\s*(?:#|//|;)+\s*(.*?)[#\s]*", line)
        if above is None:
            break
        told.append(above[1])
    return " ".join(told).strip()


def _unit_of(comment: str) -> dict[str, Any]:
    unit = _STATED_UNIT.search(comment)
    return {"unit": unit[1].lower()} if unit else {}


def names_unit(comment: str) -> bool:
    """Say whether a comment speaks of a unit anywhere."""
    return _UNIT_WORD.search(comment) is not None


def number(value: Any) -> float | None:
    """Return a value as a number, infinity and NaN among them; None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip().replace("_", "")
    if re.fullmatch(r"[-+]?(inf(inity)?|nan)", text, re.IGNORECASE):
        return float(text)
    return float(text) if _NUMBER.fullmatch(text) else None


# --- classes of settings ----------------------------------------------------------------------------------------------

_SETTINGS = re.compile(r"(Settings|Config|Configuration|Params|Parameters|Limits|Options)$")
#: Classes of what is sent, drawn or reported, whatever they are called.
_WIRE = re.compile(r"(?i)(^|/)[^/]*(schema|response|wire|message|proto|plot|chart|report|analysis|backtest)[^/]*(/|$)")
#: What a file says of itself, not of the bot.
_ITS_OWN = re.compile(r"(?i)^(\w+_)?version$|^\$schema$")
_CHECKS = r"@\w*\.?(field_|model_|root_)?validator\b|def (__post_init__|\w*validate\w*|\w*check\w*)\("
_BOUNDS = {"ge": "min", "gt": "min", "le": "max", "lt": "max"}


def of_classes(known: Symbols, files: Iterable[str]) -> Iterator[Parameter]:
    """Yield the numeric and boolean fields of the classes of settings of Python, with what their Field says."""
    wanted = set(files)
    for short, classes in known.classes.items():
        for each in classes if "." not in short else ():
            if each.file.language == "python" and each.file.path in wanted and _SETTINGS.search(short):
                yield from () if _WIRE.search(each.file.path) else _fields(each)


def _fields(each: Class) -> Iterator[Parameter]:
    for node in each.file.root.find_all(kind="class_definition"):
        name, body = node.field("name"), node.field("body")
        if name is None or name.text() != each.short or body is None:
            continue
        validators = [line.text() for line in body.children() if re.match(_CHECKS, line.text())]
        for line in body.children():
            told = line.child(0) if line.kind() == "expression_statement" else None
            left, kind = (told.field("left"), told.field("type")) if told is not None else (None, None)
            if (
                told is None
                or left is None
                or kind is None
                or not re.search(r"\b(int|float|Decimal|bool)\b", kind.text())
            ):
                continue
            right = told.field("right")
            text = f"{kind.text()} = {right.text() if right is not None else ''}"
            at = each.file.at(told.range().start.line + 1)
            comment = _comment(each.file, at)
            said = _said(text) | _unit_of(comment)
            checked = any(re.search(rf"\b{left.text()}\b", own) for own in validators)
            yield Parameter(left.text(), at, said.get("default"), said, each.short, False, checked, comment)


def _said(text: str) -> dict[str, Any]:
    """Return what a declaration says of its field: bounds and default of Field, unit of its description."""
    said: dict[str, Any] = {}
    for key, told in re.findall(r"\b(ge|gt|le|lt|default)\s*=\s*([^,)\]]+)", text):
        said[_BOUNDS.get(key, key)] = _literal(told)
    plain = re.search(r"=\s*(?:Field\(\s*)?([-+\w.\"'()]+)\s*[,)]?[^=]*$", text)
    if "default" not in said and plain and plain[1] not in ("Field(", "..."):
        said["default"] = _literal(plain[1])
    told_unit = re.search(r"(?:description|title|unit)\s*=\s*[\"'](.*?)[\"']", text, re.DOTALL)
    if told_unit and (unit := _UNIT_WORD.search(told_unit[1])):
        said["unit"] = unit[1].lower()
    return said


def _literal(text: str) -> Any:
    inner = re.fullmatch(r"(?:Decimal|float|int)\(\s*[\"']?([^\"')]*)[\"']?\)?", text.strip())
    plain = (inner[1] if inner else text).strip().strip("\"'")
    if plain in ("math.inf", "np.inf", "numpy.inf"):
        return float("inf")
    if plain in ("True", "False"):
        return plain == "True"
    value = number(plain)
    return plain if value is None else value


# --- schemas and tables -----------------------------------------------------------------------------------------------


def schemas(tree: Tree) -> dict[str, dict[str, Any]]:
    """Return what the JSON schemas of a tree say of each property: bounds, default, unit."""
    out: dict[str, dict[str, Any]] = {}
    for file in tree.files:
        if file.suffix == ".json" and '"properties"' in file.text:
            try:
                _properties(json.loads(file.text), out)
            except (ValueError, RecursionError):
                continue
    return out


def _properties(node: Any, out: dict[str, dict[str, Any]]) -> None:
    for each in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        _properties(each, out)
    properties = node.get("properties") if isinstance(node, dict) else None
    for name, told in properties.items() if isinstance(properties, dict) else ():
        if isinstance(told, dict):
            said = {"min": told.get("minimum", told.get("exclusiveMinimum")), "default": told.get("default"),
                    "max": told.get("maximum", told.get("exclusiveMaximum")), "unit": told.get("unit")}  # fmt: skip
            if not said["unit"] and (unit := _UNIT_WORD.search(str(told.get("description", "")))):
                said["unit"] = unit[1].lower()
            out.setdefault(name, {}).update({key: value for key, value in said.items() if value is not None})


_COLUMNS = {
    "unit": r"units?", "min": r"min(imum)?|lower( bound)?", "max": r"max(imum)?|upper( bound)?",
    "range": r"range|bounds",
    "default": r"default( value)?", "name": r"param(eter)?s?|name|key|option|setting|field|variable",
}  # fmt: skip


@dataclass(frozen=True)
class Documented:
    """A row of a documented table: where, what it says of bounds and units, and its words."""

    at: str
    said: Mapping[str, Any]
    words: str


def tables(files: Iterable[File]) -> dict[str, Documented]:
    """Return what the tables of Markdown pages say of each name in their first column."""
    out: dict[str, Documented] = {}
    for file in files:
        heads: list[str] = []
        for n, line in enumerate(file.lines, 1):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if not line.strip().startswith("|"):
                heads = []
            elif not heads:
                heads = [_column(cell) for cell in cells]
            elif not re.fullmatch(r"[\s|:-]+", line):
                name = re.sub(r"[`*]", "", cells[0]).strip().rpartition(".")[2]
                if name and heads[0] == "name":
                    out.setdefault(name, Documented(file.at(n), _row(heads, cells), " ".join(cells[1:])))
    return out


def _column(text: str) -> str:
    plain = re.sub(r"[`*]", "", text).lower().strip()
    return next((name for name, pattern in _COLUMNS.items() if re.fullmatch(pattern, plain)), plain)


def _row(heads: list[str], cells: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for head, cell in zip(heads, cells, strict=False):
        text = re.sub(r"[`*]", "", cell).strip()
        if head == "range":
            bounds = re.fullmatch(r"[\[(]?\s*(\S+?)\s*(?:to|\.\.\.?|-|–|,)\s*(\S+?)\s*[\])]?", text)
            if bounds and number(bounds[1]) is not None and number(bounds[2]) is not None:
                said |= {"min": bounds[1], "max": bounds[2]}
        elif head in ("unit", "min", "max", "default") and text not in ("", "-", "–", "n/a"):
            said[head] = text
    return said


def parameters(tree: Tree, known: Symbols) -> tuple[list[Parameter], list[str]]:
    """Return the parameters of a tree: of its configuration files, completed by schemas and tables, and of its classes.

    Returns
    -------
    parameters : list of Parameter
    notes : list of str
        What was guessed, and what could not be read.
    """
    files, guessed = config_files(tree)
    notes = [guessed] if guessed else []
    found: list[Parameter] = []
    for file in files:
        if not file.language:
            read, why = read_file(file)
            found += read
            notes += [why] if why else []
    classes = [file.path for file in files if file.language] or [
        file.path for file in tree.code if not AWAY.search(f"/{file.path}")
    ]
    found = [each for each in found if not _ITS_OWN.search(each.name)]
    stated, fields = {each.name for each in found}, list(of_classes(known, classes))
    beside, documented = schemas(tree), tables(file for file in tree.files if file.suffix == ".md")
    more = {
        name: {key: value for key, value in row.said.items() if name not in beside or key not in ("min", "max")}
        for name, row in documented.items()
    }
    times = Counter(each.name for each in fields)
    of_fields = {each.name: each.said for each in fields if times[each.name] == 1}
    found += [each for each in fields if each.name not in stated]
    return [
        each if each.itself else replace(each, said={
            **more.get(each.name, {}), **of_fields.get(each.name, {}), **beside.get(each.name, {}), **each.said,
        })
        for each in found
    ], notes  # fmt: skip
