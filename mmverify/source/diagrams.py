"""Diagrams of a tree's documents: the boxes that they draw, and the modules that the tree has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mmverify.source.symbols import Symbols
from mmverify.source.tree import File, Tree

_ARROWS = re.compile(r"-{1,3}>|={2,}>|-\.+->|--[ox]|<-{1,2}>?|---|~~~")
_NOT_BOXES = re.compile(
    r"\s*%%|\s*(flowchart|graph|subgraph|end|direction|style|classDef|class|linkStyle|click|title|accTitle|"
    r"sequenceDiagram|participant|actor|note|loop|alt|else|opt|par|activate|deactivate|autonumber|stateDiagram|erDiagram|"
    r"gantt|pie|journey)\b"
)  # fmt: skip
_SMALL = {"the", "a", "of", "and", "to", "for", "in", "on", "with", "py", "rs", "cpp", "hpp", "h", "mod"}
#: Words of boxes that stand outside of the bot.
_OUTSIDE = re.compile(
    r"(?i)exchange|venue|market data|feed|operator|user|trader|person|human|internet|network|disk|database|postgres|"
    r"redis|kafka|s3|file|terminal|console|stdin|stdout|api\b|websocket|rest\b|binance|bybit|okx|kraken|coinbase|deribit|"
    r"grafana|prometheus|telegram|slack|queue|start|stop|yes|no\b|thread|process|log\b"
)  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A box of a diagram: its line, its id, its label."""

    line: int
    id: str
    label: str


@dataclass(frozen=True)
class Diagram:
    """A drawing of modules."""

    file: File
    line: int
    boxes: tuple[Box, ...]


def diagrams(tree: Tree) -> list[Diagram]:
    """Return the diagrams of modules in the files that review.toml lists, else in every document and drawing."""
    listed = tree.settings.get("diagrams")
    files = [tree.by_path[path] for path in listed if path in tree.by_path] if listed is not None else [
        file for file in tree.files if file.suffix in (".md", ".rst", ".mmd", ".puml", ".plantuml", ".dot", ".gv")
    ]  # fmt: skip
    return [found for file in files for found in _of_file(file) if found.boxes]


def _of_file(file: File) -> Iterator[Diagram]:
    if file.suffix in (".mmd", ".puml", ".plantuml", ".dot", ".gv"):
        kind = {".mmd": "mermaid", ".dot": "dot", ".gv": "dot"}.get(file.suffix, "plantuml")
        yield Diagram(file, 1, tuple(_boxes(kind, list(enumerate(file.lines, 1)))))
        return
    kind, block = "", list[tuple[int, str]]()
    for n, line in enumerate(file.lines, 1):
        mark = re.match(r"\s*(?:```|~~~)\s*\{?(\w*)|\s*\.\. (mermaid|uml|graphviz)::", line)
        if mark and not kind:
            kind, block = mark[1] or mark[2] or "text", []
        elif mark:
            yield Diagram(file, block[0][0] if block else n, tuple(_boxes(kind, block)))
            kind = ""
        elif kind:
            block.append((n, line))


def _boxes(kind: str, lines: list[tuple[int, str]]) -> Iterator[Box]:
    text = "\n".join(line for _, line in lines)
    if kind == "mermaid":
        if re.search(r"(?m)^\s*(flowchart|graph|C4|classDiagram)", text):
            yield from _mermaid(lines)
    elif kind in ("plantuml", "puml", "uml"):
        for n, line in lines:
            told = re.match(
                r"\s*(?:component|package|class|node|rectangle|module)\s+(?:\"([^\"]+)\"|\[?([\w. ]+)\]?)", line
            )
            label = (told[1] or told[2]).strip() if told else ""
            for found in [label] if label else re.findall(r"^\s*\[([^\]]+)\]|[->]\s*\[([^\]]+)\]", line):
                name = found if isinstance(found, str) else found[0] or found[1]
                yield Box(n, name, name)
    elif kind in ("dot", "graphviz"):
        for n, line in lines:
            told = re.match(r"\s*\"?([\w.]+)\"?\s*(?:\[.*label\s*=\s*\"([^\"]+)\".*\])?\s*;?\s*$", line)
            ends = (
                []
                if told
                else re.findall(r"\"?([\w.]+)\"?\s*(?=->|;|$|\[)", re.sub(r"\[.*\]", "", line))
                if "->" in line
                else []
            )
            if told and told[1] not in ("digraph", "graph", "node", "edge", "subgraph"):
                yield Box(n, told[1], (told[2] or told[1]).split("\\n")[0])
            yield from (Box(n, end, end) for end in ends)
    elif kind == "text" and re.search(r"[┌└│]|\+-{3,}\+", text):
        yield from _ascii(lines)


def _mermaid(lines: list[tuple[int, str]]) -> Iterator[Box]:
    labels: dict[str, tuple[int, str]] = {}
    node = re.compile(r"([A-Za-z_][\w.]*)\s*(?:[\[({>]{1,2}[\[(/\\]?\"?([^\])}\"|]*?)\"?[/\\\])]?[\])}]{1,2})?")
    for n, line in lines:
        if _NOT_BOXES.match(line) or not line.strip():
            continue
        plain = re.sub(r"\|[^|]*\|", " ", line.partition("%%")[0])
        plain = re.sub(r"--\s+[^->]+?\s+(?=-->|---)", " ", plain)
        for part in re.split(r"&", _ARROWS.sub("&", plain)):
            if told := node.match(part.strip()):
                label = (told[2] or "").strip()
                if told[1] not in labels or (label and not labels[told[1]][1]):
                    labels[told[1]] = (labels.get(told[1], (n, ""))[0], label)
    for id, (n, label) in labels.items():
        yield Box(n, id, re.split(r"<br\s*/?>|\\n", label)[0].strip() or id)


def _ascii(lines: list[tuple[int, str]]) -> Iterator[Box]:
    for n, line in lines:
        for text in re.findall(r"[│|]\s*([A-Za-z][\w .\-/]*?)\s*(?=[│|])", line):
            yield Box(n, text, text)


def _plain(text: str) -> frozenset[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return frozenset(word.rstrip("s") for word in re.findall(r"[a-z0-9]+", spaced.lower())) - _SMALL


def modules(tree: Tree) -> dict[str, File]:
    """Return the modules of a tree by dotted or slashed name: what diagrams may draw."""
    away = re.compile(
        r"(^|/)(tests?|testing|docs?|examples?|benches|benchmarks?|scripts|tools|notebooks)(/|$)|(^|/)(setup|conftest)\.py$"
    )
    return {
        file.path.rpartition(".")[0]: file for file in tree.code
        if not away.search(file.path) and file.path.rpartition("/")[2] not in ("__init__.py", "mod.rs", "__main__.py")
    }  # fmt: skip


def matches(box: Box, tree: Tree, known: Symbols) -> bool:
    """Say whether a box is of a module, folder or class of the tree, or of something outside of the bot."""
    if _OUTSIDE.search(box.label):
        return True
    wanted = [_plain(box.label), _plain(box.id)]
    names = [part for path in modules(tree) for part in (path, *path.split("/"))] + [*known.classes]
    return any(words and (words <= own or (own and own <= words)) for words in wanted for own in map(_plain, names))


def undrawn(drawn: list[Diagram], tree: Tree) -> list[tuple[str, File]]:
    """Return the modules that no box of any diagram is of, neither by name nor by folder."""
    boxes = [
        words for diagram in drawn for box in diagram.boxes for words in (_plain(box.label), _plain(box.id)) if words
    ]
    out = []
    for path, file in modules(tree).items():
        parts = [_plain(part) for part in path.split("/")]
        own = parts[-1]
        above = [part for part in parts[:-1] if part]
        if (
            own
            and not any(box <= own or own <= box for box in boxes)
            and not any(box == part for box in boxes for part in above)
        ):
            out.append((path, file))
    return out
