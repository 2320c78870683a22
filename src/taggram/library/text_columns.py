"""Texts of many tracks, held so that looking for one takes milliseconds: every different text is kept once.

A column is a list of different texts, folded for comparing, and pairs (row, text). To find a text is to
compare it with each different one, and to mark the rows of those that match.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from taggram.library.expressions import fold


class TextColumn:
    """One field of `n_rows` tracks, each with any number of texts.

    Parameters
    ----------
    texts
        Of each row, in order.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        codes: dict[str, int] = {}
        rows: list[int] = []
        entries: list[int] = []
        firsts: list[int] = []
        n_rows = 0
        for row, values in enumerate(texts):
            own = [codes.setdefault(value, len(codes)) for value in values]
            rows += [row] * len(own)
            entries += own
            firsts.append(own[0] if own else -1)
            n_rows += 1
        self._n_rows = n_rows
        self._rows = np.array(rows, np.int32)
        self._entries = np.array(entries, np.int32)
        self._firsts = np.array(firsts, np.int32)
        self._values = [fold(value) for value in codes]

    def holds(self, text: str, *, whole: bool) -> NDArray[np.bool_]:
        """Return which rows hold a text, as `holds_text` does, shape (n_rows,)."""
        wanted = fold(text)
        if whole:
            found = np.fromiter((value == wanted for value in self._values), np.bool_, len(self._values))
        else:
            found = np.fromiter((wanted in value for value in self._values), np.bool_, len(self._values))
        is_held = np.zeros(self._n_rows, np.bool_)
        is_held[self._rows[found[self._entries]]] = True
        return is_held

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """Return where each row comes by its first text, shape (n_rows,); NaN for a row without one."""
        _, places = np.unique(np.array([*self._values, ""], np.object_), return_inverse=True)
        return np.where(self._firsts < 0, np.nan, places[self._firsts].astype(np.float64))
