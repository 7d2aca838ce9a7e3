"""Notebooks as pages that open without a network."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any

_STYLE = """
.highlight pre { white-space: pre-wrap }
.jp-OutputArea-child .jp-OutputArea-output, .jp-RenderedText pre { padding: 4px 0 0 8px }
math { margin: 6px 0 }
"""
_MATH = re.compile(r"(```[\s\S]*?```|`[^`\n]*`)|\$\$([\s\S]+?)\$\$|\$([^$\n]+?)\$")


def stack() -> tuple[Any, Any]:
    """Import papermill and nbformat; without a grammar that JupyterLab installs and that takes seconds to build."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL + 1)
    return papermill, nbformat


def export_html(notebook: Path, page: Path) -> None:
    """Write a notebook as one page that needs no network: images inside, formulas as MathML, nothing linked.

    Parameters
    ----------
    notebook, page : Path
        From and to.
    """
    _, nbformat = stack()
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter

    formulas: list[str] = []

    def hold(match: re.Match[str]) -> str:
        code, block, inline = match.groups()
        if code:
            return str(code)
        tex = re.sub(r"\{aligned\*?\}", "{align*}", block or inline)
        formulas.append(convert(tex.strip(), display="block" if block else "inline"))
        return f"MATHML{len(formulas) - 1}HELD"

    node = nbformat.read(notebook, as_version=4)
    for cell in node.cells:
        if cell.cell_type == "markdown":
            cell.source = _MATH.sub(hold, cell.source)
        for output in cell.get("outputs", ()):
            for kind in ("text/markdown", "text/latex"):
                if kind in output.get("data", {}):
                    output.data[kind] = _MATH.sub(hold, output.data[kind])
    blank = dict.fromkeys(("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "widget_renderer_url"), "")
    exporter = HTMLExporter(template_name="lab", embed_images=True, **blank)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(node)
    body = re.sub(r"<script[\s\S]*?</script>", "", body).replace("</head>", f"<style>{_STYLE}</style></head>", 1)
    page.write_text(re.sub(r"MATHML(\d+)HELD", lambda match: formulas[int(match[1])], body), encoding="utf-8")
