"""Words as machines draw them, for secrets that are none: no file of this project holds one."""

from __future__ import annotations

import random
import string


def random_word(letters: int = 36) -> str:
    """Return letters and digits in disorder, the same on every call."""
    drawn = random.Random(letters)
    return "".join(drawn.choice(string.ascii_letters + string.digits) for _ in range(letters))
