"""What mmverify raises: one small class a reason, each a builtin too, each readable in one line."""

from __future__ import annotations


class MmverifyError(Exception):
    """Anything that mmverify raises on purpose."""


class UsageError(MmverifyError, ValueError):
    """A command, option or configuration file that cannot be used as it stands."""


class NotExercised(UsageError):
    """Evidence without a record that a mistake could be made on."""


class Undefined(MmverifyError, ArithmeticError, ValueError):
    """A quantity that has no value for these inputs, such as the VWAP of no volume."""


class IllegalTransition(MmverifyError, ValueError):
    """An event that cannot happen to an order in its state, or more filled than it is for."""


class EvidenceError(MmverifyError, ValueError):
    """Evidence that cannot be read: says which file, row and column, what was there and what should be.

    Parameters
    ----------
    file : str
        Name of the file inside the session folder.
    was : str
        What stands there.
    should : str
        What should stand there.
    row : int, optional
        Number of the data row, the first is 1.
    column : str, optional
        Name of the column.
    """

    def __init__(self, file: str, *, was: str, should: str, row: int | None = None, column: str | None = None) -> None:
        self.file, self.row, self.column, self.was, self.should = file, row, column, was, should
        place = [file]
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(" ".join(f"{', '.join(place)}: {was}; should be {should}".split()))


class NotebookError(MmverifyError, RuntimeError):
    """A notebook that did not run to its last cell, or left no complete result."""
