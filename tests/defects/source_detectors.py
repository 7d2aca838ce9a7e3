"""Naive detectors of the mistakes of a source tree, one an item: regular expressions, syntax trees, tomllib.

They share nothing with what reviews a tree, and know only trees of the shape of data/bot. They show that a seeded
mistake is there to be found, and where. Each takes the folder of the tree and yields (path, line).
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

Found = Iterator[tuple[str, int]]
Function = ast.FunctionDef
CONFIG, README, PARAMETERS = "config/bot.toml", "README.md", "docs/parameters.md"
RUNBOOK, VENUE, DIAGRAM = "docs/runbook.md", "docs/venue.md", "docs/architecture.md"

BLOCKING = r"(time\.sleep|urllib\.request\.urlopen|requests\.\w+|socket\.\w+|subprocess\.\w+|os\.system|open|input)"
NAIVE = ("datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp", "time.localtime")
BLOCKING_METHODS = {"read_text", "read_bytes", "write_text", "acquire", "recv", "sendall", "join", "result"}
BUILDERS = {"list", "dict", "set", "sorted", "tuple", "str", "repr", "format", "join", "append", "copy", "deepcopy"}
BUILDING = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.JoinedStr)
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
SUFFIX_UNITS = {"_ms": "ms", "_us": "us", "_ns": "ns", "_s": "s", "_bps": "bps", "_pct": "percent"}
RUNBOOK_TOPICS = (
    r"start", r"stop|shut", r"kill", r"disconnect", r"position.*mismatch|mismatch.*position", r"maintenance",
    r"key.*rotat|rotat.*key",
)  # fmt: skip
VENUE_TOPICS = (r"fees?\b", r"tick.*lot", r"rate", r"order types?", r"sequence", r"time", r"maintenance")
FEWEST_WORDS = 12


# --- reading a tree ---------------------------------------------------------------------------------------------------


@cache
def text(root: Path, path: str) -> str:
    return (root / path).read_text(encoding="utf-8")


def line_of(body: str, pattern: str) -> int:
    """Return the first line that a pattern matches in, 1 where there is none."""
    return next((n for n, line in enumerate(body.splitlines(), 1) if re.search(pattern, line)), 1)


@cache
def modules(root: Path) -> dict[str, ast.Module]:
    paths = sorted([*root.glob("*.py"), *root.glob("bot/*.py")])
    return {path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def functions(root: Path) -> dict[str, list[tuple[str, Function]]]:
    """Return every function of the package by its own name, whatever class it is of."""
    found: dict[str, list[tuple[str, Function]]] = {}
    for path, tree in modules(root).items():
        if path.startswith("bot/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                    found.setdefault(node.name, []).append((path, node))
    return found


def is_property(node: Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)


def leads_to(node: Function, known: dict[str, list[tuple[str, Function]]]) -> Iterator[tuple[str, int]]:
    """Yield the names of the functions that one may call, by name alone, and the lines."""
    for each in ast.walk(node):
        name = getattr(each, "attr", getattr(each, "id", ""))
        called = isinstance(each, ast.Call) and last_name(each.func)
        if called and called in known:
            yield called, each.lineno
        elif isinstance(each, ast.Attribute) and name in known and all(is_property(n) for _, n in known[name]):
            yield name, each.lineno


@cache
def edges(root: Path) -> dict[str, set[str]]:
    """Return the names that each name leads to."""
    known = functions(root)
    return {name: {to for _, node in nodes for to, _ in leads_to(node, known)} for name, nodes in known.items()}


def last_name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


@cache
def reachable(root: Path) -> list[tuple[str, Function]]:
    """Return the functions that the declared hot path leads to, itself among them."""
    known, seen = functions(root), set[str]()
    todo = [name.rpartition(":")[2].rpartition(".")[2] for name in hot_path(root)]
    while todo:
        name = todo.pop()
        if name in known and name not in seen:
            seen.add(name)
            todo += edges(root)[name]
    return [each for name in sorted(seen) for each in known[name]]


def hot_path(root: Path) -> list[str]:
    return list(tomllib.loads(text(root, "review.toml"))["source"].get("hot_path", []))


def aliases(tree: ast.Module) -> dict[str, str]:
    """Return what the names of a module stand for: its imports, and names given to those."""
    known: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = dotted(node.value, known)
    return known


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    head, point, rest = ast.unparse(node).partition(".")
    return known.get(head, head) + point + rest


def parameters(root: Path) -> Iterator[tuple[str, str, dict[str, Any], int]]:
    """Yield section, name, what is stated of it and line of each parameter."""
    body = text(root, CONFIG)
    for section, stated in tomllib.loads(body).items():
        for name, each in stated.items():
            yield section, name, each, line_of(body, rf"^{name}\s*=")


def rows(root: Path) -> dict[str, tuple[int, list[str]]]:
    """Return line and cells of each documented parameter."""
    found = {}
    for n, line in enumerate(text(root, PARAMETERS).splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            found[cells[0].strip("`")] = (n, cells)
    return found


def sections(root: Path, path: str) -> Iterator[tuple[int, str, int]]:
    """Yield line, heading and number of words of each section of a page."""
    body = text(root, path)
    parts = re.split(r"(?m)^(## .*)$", body)
    for place in range(1, len(parts), 2):
        yield line_of(body, f"^{re.escape(parts[place])}$"), parts[place][3:], len(re.findall(r"\w+", parts[place + 1]))


# --- 4.2 --------------------------------------------------------------------------------------------------------------


def naive_times(root: Path) -> Found:
    for path, tree in modules(root).items():
        known = aliases(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = dotted(node.func, known)
                if name in NAIVE or (name == "datetime.datetime.now" and not node.args and not node.keywords):
                    yield path, node.lineno


def no_hot_path(root: Path) -> Found:
    declared = hot_path(root)
    line = line_of(text(root, "review.toml"), "hot_path")
    if not declared:
        yield "review.toml", line
    for name in declared:
        module, _, path = name.partition(":")
        holder: Any = modules(root).get(module.replace(".", "/") + ".py")
        for part in path.split("."):
            body = getattr(holder, "body", [])
            holder = next((each for each in body if getattr(each, "name", "") == part), None)
        if holder is None:
            yield "review.toml", line


def blocking_calls(root: Path) -> Found:
    trees = modules(root)
    for path, function in reachable(root):
        known = aliases(trees[path])
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                method = isinstance(node.func, ast.Attribute) and node.func.attr in BLOCKING_METHODS
                if method or re.fullmatch(BLOCKING, dotted(node.func, known)):
                    yield path, node.lineno
            if isinstance(node, ast.With):
                for item in node.items:
                    if re.search(r"lock$", ast.unparse(item.context_expr), re.IGNORECASE):
                        yield path, node.lineno


def building(root: Path) -> Found:
    for path, function in reachable(root):
        for node in (each for part in function.body for each in ast.walk(part)):
            if isinstance(node, BUILDING) or (isinstance(node, ast.Call) and last_name(node.func) in BUILDERS):
                yield path, node.lineno


def unbounded(root: Path) -> Found:
    known = functions(root)
    reached = {function.name: path for path, function in reachable(root)}
    for path, function in reachable(root):
        for node in ast.walk(function):
            if isinstance(node, ast.While):
                yield path, node.lineno
        for name, line in leads_to(function, known):
            if name in reached and comes_back(name, function.name, edges(root)):
                yield path, line


def comes_back(start: str, goal: str, leads: dict[str, set[str]]) -> bool:
    seen, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += leads[name]
    return False


def synchronous_logging(root: Path) -> Found:
    trees, used = modules(root), False
    for path, function in reachable(root):
        known = aliases(trees[path])
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            called = dotted(node.func, known)
            if called == "print" or called.endswith(("stdout.write", "stderr.write")):
                yield path, node.lineno
            elif last_name(node.func) in LEVELS and isinstance(node.func, ast.Attribute):
                used |= called.startswith("bot.logs.LOG.")
                if not called.startswith("bot.logs.LOG."):
                    yield path, node.lineno
    if used:
        for node in ast.walk(trees["bot/logs.py"]):
            adds = isinstance(node, ast.Call) and ast.unparse(node.func) == "LOG.addHandler"
            if adds and not ast.unparse(node.args[0]).startswith("QueueHandler("):
                yield "bot/logs.py", node.lineno


# --- 6 ----------------------------------------------------------------------------------------------------------------


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bounds(root: Path) -> Found:
    for _, name, stated, line in parameters(root):
        if is_number(stated.get("value")):
            low, high = stated.get("min"), stated.get("max")
            if low is None or high is None:
                yield CONFIG, line
                continue
            outside = any(not low <= stated[key] <= high for key in ("value", "default"))
            above_one = stated.get("unit") == "fraction" and high > 1
            sizes = "spread|qty|size|position|notional|orders|depth|drawdown|timeout"
            if outside or above_one or (re.search(sizes, name) and low <= 0):
                yield CONFIG, line


def permissive(root: Path) -> Found:
    for section, name, stated, line in parameters(root):
        default = stated.get("default")
        live = name == "dry_run" and default is not True
        off = section in ("limits", "risk") and stated.get("unit") == "fraction" and default >= 1
        if live or off or default in (float("inf"), "none", "off"):
            yield CONFIG, line
    for path, tree in modules(root).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and last_name(node.func) in ("get", "getattr", "getenv"):
                words = " ".join(map(ast.unparse, node.args))
                if re.search(r"\binf|infinity|maxsize|LIVE|DRY_RUN", words, re.IGNORECASE):
                    yield path, node.lineno


def units(root: Path) -> Found:
    for _, name, stated, line in parameters(root):
        unit, value = stated.get("unit"), stated.get("value")
        meant = next((each for suffix, each in SUFFIX_UNITS.items() if name.endswith(suffix)), unit)
        wrong_size = is_number(value) and (
            (unit == "ms" and value < 10) or (unit == "fraction" and value > 1) or (unit == "bps" and value < 0.01)
        )
        if not unit or unit != meant or wrong_size:
            yield CONFIG, line


NAMED_SECRET = r"(?i)(api[_-]?key|secret|token|passphrase|_key)\b.*?[\"'=:]\s*[\"']?"
RANDOM_WORD = r"(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])[\w+/-]{24,}"
TOLD = re.compile(r"(^|_)(key|secret|token|passphrase|headers|signature)$")


def secrets(root: Path) -> Found:
    for file in sorted(each for each in root.rglob("*") if each.is_file() and each.suffix != ".pyc"):
        path = file.relative_to(root).as_posix()
        for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(NAMED_SECRET + RANDOM_WORD, line):
                yield path, n
    for path, tree in modules(root).items():
        for node in ast.walk(tree):
            says = isinstance(node, ast.Call) and last_name(node.func) in LEVELS | {"print"}
            if says and any(TOLD.search(last_name(each)) for arg in node.args for each in ast.walk(arg)):
                yield path, node.lineno


# --- 7 ----------------------------------------------------------------------------------------------------------------


def readme(root: Path) -> Found:
    sources = "".join(text(root, path) for path in modules(root))
    commands = set(re.findall(r"add_parser\(\s*\"(\w+)\"", sources))
    options = set(re.findall(r"add_argument\(\s*\"(--[\w-]+)\"", sources))
    for n, line in enumerate(text(root, README).splitlines(), 1):
        for span in re.findall(r"`([^`]+)`", line):
            words = span.split()
            own = words[0].startswith("--") or words[:2] == ["python", "-m"]
            named = re.fullmatch(r"python -m (\S+)(?: (\w+))?.*", span)
            paths = [word for word in words if re.search(r"^[\w.]+/|\.(py|toml|md|jsonl)$", word)]
            if named:
                module, command = named[1].replace(".", "/") + ".py", named[2]
                if not (root / module).is_file() or (command and command not in commands):
                    yield README, n
            if own and any(word.startswith("--") and word not in options for word in words):
                yield README, n
            if any(not (root / each).exists() for each in paths):
                yield README, n


def undocumented(root: Path) -> Found:
    known = rows(root)
    for _, name, stated, line in parameters(root):
        if name not in known:
            yield CONFIG, line
        elif known[name][1][1].strip("`") != stated.get("unit", known[name][1][1]):
            yield PARAMETERS, known[name][0]


def no_effect(root: Path) -> Found:
    known = rows(root)
    for section, name, _, _ in parameters(root):
        if section in ("limits", "risk") and name in known:
            said = set(re.findall(r"[a-z]+", known[name][1][-1].lower()))
            if len(said - {"the", "a", "of", "maximum", "limit", "on", "for", *name.split("_")}) < 4:
                yield PARAMETERS, known[name][0]


def topics(root: Path, path: str, wanted: tuple[str, ...]) -> Found:
    known = list(sections(root, path))
    for topic in wanted:
        said = [(line, words) for line, heading, words in known if re.search(rf"(?i)\b({topic})", heading)]
        if not said:
            yield path, 1
        yield from ((path, line) for line, words in said if words < FEWEST_WORDS)


def boxes(root: Path) -> Found:
    body, names = text(root, DIAGRAM), {Path(path).stem for path in modules(root)}
    chart = re.search(r"```mermaid\n(.*?)```", body, re.DOTALL)
    assert chart
    start, drawn = body[: chart.start(1)].count("\n") + 1, set[str]()
    for n, line in enumerate(chart[1].splitlines(), start):
        if not re.match(r"\s*(flowchart|graph|subgraph|end\b|%%)", line):
            ids = set(re.findall(r"\w+", re.sub(r"\[[^]]*\]|\|[^|]*\|", " ", line)))
            drawn |= ids
            if not ids <= names:
                yield DIAGRAM, n
    for path in modules(root):
        if Path(path).stem not in drawn | {"__init__"}:
            yield path, 1


#: By item.
DETECTORS: dict[str, Callable[[Path], Found]] = {
    "4.1.1": naive_times,
    "4.2.1": no_hot_path,
    "4.2.2": blocking_calls,
    "4.2.3": building,
    "4.2.4": unbounded,
    "4.2.5": synchronous_logging,
    "6.1": bounds,
    "6.3": permissive,
    "6.4": units,
    "6.5": secrets,
    "7.1": readme,
    "7.2": undocumented,
    "7.3": no_effect,
    "7.4": lambda root: topics(root, RUNBOOK, RUNBOOK_TOPICS),
    "7.5": boxes,
    "7.6": lambda root: topics(root, VENUE, VENUE_TOPICS),
}
