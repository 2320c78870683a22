"""The embedding seen through what the teachers hear."""

import copy

import pytest
import torch
from torch import nn

from taggram.lab.models.lean_cnn import LeanCNN
from taggram.lab.training.view import FLOOR, look_through_teachers

N_TAGS, N_CHUNKS = 5, 12


def student_before_and_after(n_teacher: int) -> tuple[LeanCNN, LeanCNN, nn.Linear]:
    torch.manual_seed(0)
    before = LeanCNN(N_TAGS, embedding_dim=16).eval()
    to_teacher = nn.Linear(16, n_teacher)
    after = copy.deepcopy(before)
    look_through_teachers(after, to_teacher, seed=1)
    return before, after, to_teacher


@pytest.mark.parametrize("n_teacher", [3, 16, 40])
def test_scores_stay_and_the_embedding_changes(n_teacher: int) -> None:
    before, after, _ = student_before_and_after(n_teacher)
    sounds = torch.randn(N_CHUNKS, 188, 96)
    with torch.no_grad():
        old, new = (model.embed_log_mel(sounds) for model in (before, after))
        torch.testing.assert_close(after.head(new), before.head(old), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(old, new, atol=0.1)


def test_distances_are_those_of_the_predictions() -> None:
    before, after, to_teacher = student_before_and_after(40)
    sounds = torch.randn(N_CHUNKS, 188, 96)
    with torch.no_grad():
        predicted = torch.pdist(to_teacher(before.embed_log_mel(sounds)))
        seen = torch.pdist(after.embed_log_mel(sounds))
    torch.testing.assert_close(seen * (40 / 16) ** 0.5, predicted, rtol=2 * FLOOR, atol=1e-4)


def test_dimensions_share_what_varies() -> None:
    before, after, _ = student_before_and_after(40)
    torch.manual_seed(2)
    hidden = torch.randn(4000, 16)
    with torch.no_grad():
        spread = nn.functional.linear(hidden, after.view).std(dim=0)
    assert spread.max() / spread.min() < 3
    assert before.view.equal(torch.eye(16))
