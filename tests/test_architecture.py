"""What may import what, and what no module may do, read off the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmverify"
FILES = sorted(PACKAGE.rglob("*.py"))
#: Each layer may import those to its left, never those to its right.
LAYERS = [
    "errors|compiled",
    "numeric",
    "formulas|replay",
    "fingerprint|vectors|matrix",
    "session|source",
    "checks",
    "conformance",
    "review",
    "report",
    "command|notebook|runner",
    "cli",
]
#: Beside the layers: what they may import of mmverify.
ASIDE = {
    "simulate": {"errors", "simulate"},
    "defects": {"errors", "simulate", "defects"},
    "importers": {"errors", "numeric", "session", "importers"},
    "bundled": {"errors"},
}
#: These talk to the user, so they may print and may ask what time it is.
SHELL = {"cli", "command", "notebook", "runner"}
CLOCK = SHELL | {"review", "report", "conformance"}
#: These may plant mistakes; what checks a session may not even see them.
ARMED = SHELL | {"review"}
#: Longer than 400 lines, each for a reason: a format's many message types; the books and checks of 1.3; the decoders
#: of every column; what the notebooks show.
LONG = {
    "importers/nautilus.py", "formulas/pnl.py", "checks/books.py", "checks/s1_3_pnl.py",
    "session/columns.py", "notebook.py",
}  # fmt: skip


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(name: str) -> str:
    """Return the first step below mmverify of a module's name or a file's path."""
    return name.removeprefix("mmverify").strip(".").partition(".")[0]


def own_layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield the modules of mmverify that a file imports, wherever in it, and for type checking too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            module = node.module or ""
            if module == "mmverify":
                yield from (f"mmverify.{alias.name}" for alias in node.names if not alias.name.startswith("__"))
            elif module.startswith("mmverify."):
                yield module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("mmverify."))


def allowed(name: str) -> set[str]:
    if name in ASIDE:
        return ASIDE[name]
    place = next((n for n, each in enumerate(LAYERS) if name in each.split("|")), None)
    if place is None:
        return {each for names in LAYERS for each in names.split("|")} | set(ASIDE)  # __init__, __main__
    below = {each for names in LAYERS[: place + 1] for each in names.split("|")} | {"bundled"}
    return below | ({"importers", "simulate"} if name in SHELL else set()) | ({"defects"} if name in ARMED else set())


def ident(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_imports_point_down(path: Path) -> None:
    wrong = {module for module in imports(path) if layer(module) not in allowed(own_layer(path))}
    assert not wrong, f"{ident(path)} imports {', '.join(sorted(wrong))}"


def test_formulas_use_of_replay_only_the_matching_of_lots() -> None:
    found = {(ident(path), module) for path in FILES if own_layer(path) == "formulas" for module in imports(path)}
    assert {pair for pair in found if layer(pair[1]) == "replay"} == {("formulas/pnl.py", "mmverify.replay.lots")}
    replayed = {module for path in FILES if own_layer(path) == "replay" for module in imports(path)}
    assert {layer(module) for module in replayed} <= {"compiled", "errors", "numeric", "replay"}


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_no_module_takes_a_private_name_of_another(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmverify"):
            private = [a.name for a in node.names if a.name.startswith("_") and not a.name.startswith("__")]
            assert not private, f"{ident(path)} imports {private} from {node.module}"


# --- oracles ----------------------------------------------------------------------------------------------------------


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree(path).body if isinstance(node, ast.FunctionDef)}


def names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def reach(start: str, known: dict[str, ast.FunctionDef]) -> set[str]:
    """Return the functions of a module that one of them leads to, itself among them."""
    found, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += names(known[name]) & set(known)
    return found


ORACLES = [(path, name) for path in FILES for name in functions(path) if name.endswith("_exact")]


def test_every_formula_has_an_oracle() -> None:
    files = {path for path, _ in ORACLES}
    assert files == {path for path in (PACKAGE / "formulas").glob("*.py") if path.name != "__init__.py"}


@cache
def kernels() -> frozenset[str]:
    """Return the fast halves of all formulas and the functions that they lead to in their files."""
    found: set[str] = set()
    for path in (PACKAGE / "formulas").glob("*.py"):
        known = functions(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.keyword) and node.arg == "fast" and isinstance(node.value, ast.Name):
                found |= reach(node.value.id, known) | (names(known[node.value.id]) & set(imported(path)))
    return frozenset(found)


def imported(path: Path) -> dict[str, str]:
    """Return the modules of the names that a file imports from formulas other than their common part."""
    return {
        alias.name: node.module or ""
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmverify.formulas.")
        for alias in node.names
    }


@pytest.mark.parametrize(("path", "name"), ORACLES, ids=lambda each: getattr(each, "stem", each))
def test_an_oracle_uses_neither_numpy_nor_a_kernel_nor_what_a_kernel_uses(path: Path, name: str) -> None:
    known = functions(path)
    used = set().union(*(names(known[each]) for each in reach(name, known)))
    modules = {
        alias.asname or alias.name: (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    foreign = {modules[each] for each in used if each in modules}
    assert not {module for module in foreign if module.startswith(("numpy", "mmverify.replay", "mmverify.numeric"))}
    assert kernels()
    assert not used & kernels() & (set(known) | set(imported(path)))


# --- what no module does ----------------------------------------------------------------------------------------------


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every call."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_only_the_shell_prints(path: Path) -> None:
    if own_layer(path) not in SHELL:
        found = [line for line, name in calls(path) if name in ("print", "sys.stdout.write", "sys.stderr.write")]
        assert not found, f"{ident(path)}:{found}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_only_the_shell_the_review_and_the_report_ask_for_the_time(path: Path) -> None:
    if own_layer(path) not in CLOCK:
        ends = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
        clocks = ("time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "time.localtime", "perf_counter")
        found = [(line, name) for line, name in calls(path) if name.endswith(ends) or name in clocks]
        assert not found, f"{ident(path)}:{found}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_randomness_is_seeded_and_nothing_is_evaluated(path: Path) -> None:
    banned = ("eval", "exec", "__import__", "os.system", "pickle.load", "pickle.loads")
    global_random = (
        "random.random",
        "random.choice",
        "random.randint",
        "random.shuffle",
        "np.random.",
        "numpy.random.",
    )
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in banned, f"{ident(path)}:{node.lineno} {name}"
            assert not name.startswith(global_random) or (name.endswith("default_rng") and node.args), ident(path)
            assert name not in ("Random", "random.Random", "default_rng") or node.args, f"{ident(path)}:{node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {"pickle", "marshal", "shelve", "dill"} & {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_every_public_function_and_class_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)) or not tree(path).body, f"{ident(path)} has no docstring"
    bare = []
    for node in tree(path).body:
        members = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else []
        for each in [node, *members]:
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
                bare += [] if ast.get_docstring(each) else [each.name]
    assert not bare, f"{ident(path)}: {', '.join(bare)}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_a_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400 or ident(path) in LONG, f"{ident(path)} has {lines} lines"


def test_nothing_is_left_to_do_later_and_no_workplace_is_named() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "/ro" + "ot/", "/wo" + "rk/")
    for path in [*FILES, *Path(__file__).parent.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], path
