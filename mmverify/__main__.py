"""Run the command line as ``python -m mmverify``."""

from __future__ import annotations

import sys

from mmverify.cli import main

sys.exit(main())
