"""The notebooks as they are stored: executed, complete, the same on every machine, and pages to read."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mmverify.bundled import bundled
from mmverify.checks import items, sections

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted(bundled("notebooks").glob("s[0-9]*.ipynb"))  # the pages of sections; others have no verdict
HEADINGS = ["Question", "Definition", "By hand", "Exact and fast", "Edge cases", "This session"]
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str = "code") -> list[dict[str, Any]]:
    """Give the cells of one kind, their source joined."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def tagged(path: Path, tag: str) -> list[str]:
    """Give the sources of the cells with a tag."""
    return [cell["source"] for cell in cells(path) if tag in cell["metadata"].get("tags", ())]


def test_there_are_notebooks() -> None:
    stems = {
        "s0_readiness",
        "s1_1_spread_pricing",
        "s1_3_pnl",
        "s1_4_risk",
        "s2_1_order_construction",
        "s2_2_order_state",
        "s2_3_fills",
        "s2_4_cancel_replace",
        "s3_1_order_book",
        "s3_2_trades",
        "s3_3_derived",
        "s4_1_timestamps",
        "s4_2_hot_path",
        "s4_3_timing_windows",
        "s5_1_numeric",
        "s5_2_network",
        "s5_3_exchange",
        "s6_configuration",
        "s7_documentation",
    }
    assert stems <= {path.stem for path in NOTEBOOKS}
    assert {path.stem for path in NOTEBOOKS} <= {"s0_readiness", *(section.stem for section in sections())}


@EVERY
def test_every_cell_was_executed_in_order(path: Path) -> None:
    assert [cell["execution_count"] for cell in cells(path)] == list(range(1, len(cells(path)) + 1))


@EVERY
def test_what_shows_something_has_an_output(path: Path) -> None:
    for cell in cells(path):
        shows = re.search(r"^(print|display|notebook\.\w+)\(", cell["source"], re.MULTILINE)
        assert bool(cell["outputs"]) or not shows, cell["source"]
    kinds = [kind for cell in cells(path) for output in cell["outputs"] for kind in output.get("data", ())]
    assert kinds.count("image/png") == 1


@EVERY
def test_no_output_is_an_error(path: Path) -> None:
    outputs = [output for cell in cells(path) for output in cell["outputs"]]
    assert not [each for each in outputs if each["output_type"] == "error" or each.get("name") == "stderr"]


@EVERY
def test_the_six_headings_in_their_order(path: Path) -> None:
    found = re.findall(r"^## (.+)$", "\n".join(cell["source"] for cell in cells(path, "markdown")), re.MULTILINE)
    assert found == HEADINGS


@EVERY
def test_hand_work_is_literals_and_operators(path: Path) -> None:
    assert tagged(path, "by-hand")
    for source in tagged(path, "by-hand"):
        assert "mmverify" not in source and "assert" in source
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute | ast.FunctionDef)
            if isinstance(node, ast.Call):
                assert isinstance(node.func, ast.Name) and node.func.id in ("print", "round")


@EVERY
def test_public_names_only(path: Path) -> None:
    for cell in cells(path):
        for node in ast.walk(ast.parse(cell["source"])):
            names = [node.attr] if isinstance(node, ast.Attribute) else []
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(name.name for name in node.names)]
            assert not [name for name in names if name.startswith("_") and name != "__name__"]


@EVERY
def test_parameters_are_typed_with_help_and_empty(path: Path) -> None:
    (source,) = tagged(path, "parameters")
    for line in source.splitlines():
        assert re.fullmatch(r'\w+: str = ""  # .+', line), line
    names = set(re.findall(r"^(\w+):", source, re.MULTILINE))
    assert ({"sessions", "results"} if path.stem == "s0_readiness" else {"session", "symbol", "start", "end"}) <= names
    assert "result" in names


@EVERY
def test_no_cell_overwrites_a_parameter(path: Path) -> None:
    parameters = set(re.findall(r"^(\w+):", "\n".join(tagged(path, "parameters")), re.MULTILINE))
    for cell in cells(path):
        if "parameters" not in cell["metadata"].get("tags", ()):
            nodes = [node for node in ast.walk(ast.parse(cell["source"])) if isinstance(node, ast.Name)]
            assert not parameters & {node.id for node in nodes if isinstance(node.ctx, ast.Store)}


@EVERY
def test_nothing_stored_depends_on_the_machine_or_the_run(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["metadata"] == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in data["cells"]:
        assert set(cell["metadata"]) <= {"tags"}
        assert re.fullmatch(r"s\d(_\d)?-\d\d", cell["id"])
    shown = json.dumps([[o for o in cell["outputs"] if "image/png" not in o.get("data", {})] for cell in cells(path)])
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|usr|Users|var|work)/|0x[0-9a-f]{6,}|\bat 0x", shown)


@EVERY
def test_wording_and_severity_are_never_typed(path: Path) -> None:
    typed = "\n".join(cell["source"] for kind in ("code", "markdown") for cell in cells(path, kind))
    assert not [item.id for item in items().values() if item.text in typed]


@EVERY
def test_the_verdict_is_the_last_cell(path: Path) -> None:
    last = cells(path)[-1]["source"]
    section = next((section.id for section in sections() if section.stem == path.stem), "")
    assert last == (
        f'notebook.verdict("{section}", evidence, result)' if section else "notebook.readiness(assessment, result)"
    )
