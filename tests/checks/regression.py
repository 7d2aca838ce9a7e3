"""Run generated regression tests as their reader would: by pytest, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_pytest(folder: Path, **environment: str) -> str:
    """Run the tests of a folder in a process of their own; return its counts."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=line",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        ".",
    ]
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout.strip().splitlines()[-1].split(" in ")[0]
