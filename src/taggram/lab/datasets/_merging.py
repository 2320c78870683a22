"""Merge synonyms and near-synonyms of any tag matrix, such as the 188 tags of MagnaTagATune.

`MERGES` is our own table: merged tag → the tags that mean it. It extends the table of the shipped
vocabularies (`taggram.tags.vocabularies.SYNONYMS`) by what listeners typed in a game: plurals, slips
of the pen ("clasical"), nouns for adjectives ("india"), and different words for the same sound
("no singer", "instrumental"). It does not merge what a musician would keep apart ("soft" and "quiet",
"electro" and "techno", "violin" and "fiddle"), nor a part into its whole ("acoustic guitar").

A merged tag is true where at least one of its sources is.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError
from taggram.tags.vocabularies import SYNONYMS

_GAME: Mapping[str, tuple[str, ...]] = {
    "chant": ("chanting", "monks"),
    "choir": ("chorus",),
    "classical": ("clasical",),
    "drums": ("drum",),
    "eerie": ("scary",),
    "fast": ("fast beat", "quick"),
    "female vocals": ("female singer", "female singing", "female vocals", "girl", "woman singing", "women"),
    "flute": ("flutes",),
    "funk": ("funky",),
    "guitar": ("guitars",),
    "harpsichord": ("harpsicord",),
    "hip-hop": ("hip hop",),
    "horn": ("horns",),
    "indian": ("india",),
    "jazz": ("jazzy",),
    "male vocals": ("male singer", "male vocals", "man singing", "men"),
    "metal": ("heavy metal",),
    "middle eastern": ("arabic",),
    "no vocals": ("no singer", "no singing", "no voices"),
    "opera": ("female opera", "male opera", "operatic"),
    "orchestra": ("orchestral",),
    "piano": ("piano solo",),
    "space": ("spacey",),
    "strings": ("string",),
    "violin": ("violins",),
    "vocals": ("singer", "voices"),
    "weird": ("strange",),
}

MERGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        merged: tuple(dict.fromkeys((*SYNONYMS.get(merged, ()), *_GAME.get(merged, ()))))
        for merged in sorted({*SYNONYMS, *_GAME})
    }
)


def merge_tags(
    y: NDArray[np.bool_], vocabulary: Sequence[str], merges: Mapping[str, Sequence[str]] = MERGES
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Merge the columns of a tag matrix that mean the same.

    Parameters
    ----------
    y : shape (n_tracks, n_tags)
        Whether a track has a tag.
    vocabulary
        Names of the columns, unique.
    merges
        Merged tag → tags that it stands for. A tag of the vocabulary that is named nowhere stays as it is.

    Returns
    -------
    The merged matrix, shape (n_tracks, n_merged), and its names in order of their first source.

    Raises
    ------
    ShapeError
        If the matrix does not have one column for each name.
    ValueError
        If a tag is merged into two.

    Examples
    --------
    >>> y, names = merge_tags(np.array([[True, False, False]]), ("beats", "rock", "beat"))
    >>> y.tolist(), names
    ([[True, False]], ('beat', 'rock'))
    """
    if y.ndim != 2 or y.shape[1] != len(vocabulary):
        raise ShapeError(f"a tag matrix of shape {y.shape} cannot have the {len(vocabulary)} names given")
    merged_of = _invert(merges)
    names = tuple(dict.fromkeys(merged_of.get(tag, tag) for tag in vocabulary))
    column_of = {name: column for column, name in enumerate(names)}
    merged = np.zeros((len(y), len(names)), np.bool_)
    for column, tag in enumerate(vocabulary):
        merged[:, column_of[merged_of.get(tag, tag)]] |= y[:, column]
    return merged, names


def _invert(merges: Mapping[str, Sequence[str]]) -> dict[str, str]:
    merged_of: dict[str, str] = {}
    for merged, tags in merges.items():
        for tag in tags:
            if merged_of.setdefault(tag, merged) != merged:
                raise ValueError(f"the tag {tag!r} is merged into both {merged_of[tag]!r} and {merged!r}")
    return merged_of
