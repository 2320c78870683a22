"""Turn a student's embedding towards what its teachers hear, without changing one score.

In training a linear map of the student's hidden units predicts the embeddings of all teachers. The hidden
units themselves are bent by chance: a direction that says nothing about music may vary most. Seen through the
map, two clips are as far apart as the predictions of what the teachers hear in them. So the embedding becomes

    e = A h + c    with    A = O (S + floor) Vᵀ / √(n_teacher / n),    map = U S Vᵀ,

which has the distances of the predictions (the floor keeps, faintly, what no teacher hears, so that A can be
undone in the last layer), and is centred as they are. O is a rotation drawn at random: every dimension has
its share of every direction, so that whoever standardises the dimensions, as linear probes do, does not make
noise as loud as music.
"""

import torch
from torch import Tensor, nn

from taggram.lab.models.lean_cnn import LeanCNN

FLOOR = 0.01
"""Of the largest singular value."""


@torch.no_grad()
def look_through_teachers(student: LeanCNN, to_teacher: nn.Linear, *, seed: int) -> None:
    """Set the student's view, in place; its last layer is changed along, and its scores stay as they are.

    Parameters
    ----------
    student
        With the view that it was trained with: none.
    to_teacher
        Map from its embedding to the teachers'.
    seed
        Of the rotation.
    """
    weight, bias = to_teacher.weight.double(), to_teacher.bias.double()
    n_teacher, n = weight.shape
    left, sizes, right = torch.linalg.svd(weight, full_matrices=True)
    stretch = torch.zeros(n, dtype=torch.float64)
    stretch[: len(sizes)] = sizes
    centre = torch.zeros(n, dtype=torch.float64)
    centre[: len(sizes)] = left.T[: len(sizes)] @ bias
    rotation = _draw_rotation(n, seed) * (n / n_teacher) ** 0.5
    view = rotation @ torch.diag(stretch + FLOOR * sizes.max()) @ right
    offset = rotation @ centre
    undone = torch.linalg.solve(view.T, student.head.weight.double().T).T
    student.head.bias.sub_((undone @ offset).float())
    student.head.weight.copy_(undone)
    student.view.copy_(view)
    student.view_offset.copy_(offset)


def _draw_rotation(n: int, seed: int) -> Tensor:
    drawn = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rotation: Tensor = torch.linalg.qr(drawn)[0]
    return rotation
