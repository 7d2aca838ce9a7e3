"""Session folders for tests: one sound row or two of each table that a test needs, and what it makes of a bad one."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmverify.errors import EvidenceError
from mmverify.session import Session, open_session

Content = str | bytes | pa.Table
Write = Callable[..., Path]
Refused = Callable[..., EvidenceError]


def write_session(folder: Path, tables: Mapping[str, Content], toml: str | bytes = "") -> Path:
    """Write a session folder: text, bytes, or an Arrow table for each file name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"session.toml": toml, **tables}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(gzip.compress(data) if name.endswith(".csv.gz") and isinstance(content, str) else data)
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a session folder below the test's own."""
    return lambda tables, toml="": write_session(tmp_path / "session", tables, toml)


@pytest.fixture
def opened(write: Write) -> Callable[..., Session]:
    """Write a session folder and open it."""
    return lambda tables, toml="": open_session(write(tables, toml))


@pytest.fixture
def refused(write: Write) -> Refused:
    """Write a session folder that must be refused; give the error, whose message a stranger must be able to read."""

    def refuse(tables: Mapping[str, Content], toml: str | bytes = "") -> EvidenceError:
        folder = write(tables, toml)
        with pytest.raises(EvidenceError) as caught:
            open_session(folder)
        message = str(caught.value)
        assert "\n" not in message and len(message) < 400
        assert "; should be " in message
        for word in (
            "pyarrow",
            "Arrow",
            "arrow",
            "thrift",
            "Invalid:",
            "chunker",
            "large_string",
            "double",
            "Traceback",
        ):
            assert word not in message, message
        return caught.value

    return refuse
