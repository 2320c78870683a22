"""The decoder, against plain dynamic programming over whole songs."""

import itertools

import numpy as np
import pytest

from taggram.chords.decoder import Decoder, decode, transition_matrix
from taggram.errors import ShapeError
from taggram.modelfile.specification import ChordStatistics

FRAME = 0.1


def statistics(n_stages: int = 2, weight: float = 1.0, seconds: float = 0.5) -> ChordStatistics:
    rng = np.random.default_rng(3)
    transitions = rng.dirichlet(np.ones(24), 2) * 0.98
    return ChordStatistics(
        transitions=tuple(map(tuple, transitions.tolist())),
        first=(0.7, 0.3),
        n_stages=n_stages,
        stage_duration=seconds,
        evidence_weight=weight,
    )


def noisy_evidence(states: np.ndarray, rng: np.random.Generator, clarity: float = 1.0) -> np.ndarray:
    logits = rng.standard_normal((len(states), 25))
    logits[np.arange(len(states)), states] += clarity
    evidence: np.ndarray = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return evidence.astype(np.float32)


def log_probability(path: np.ndarray, evidence: np.ndarray, stats: ChordStatistics) -> float:
    """Best log-probability of a path of chords, over all ways through their stages."""
    leaving = FRAME / stats.stage_duration
    matrix = transition_matrix(stats, 25)
    total = float(evidence[np.arange(len(path)), path].sum())
    runs = [(state, len(list(group))) for state, group in itertools.groupby(path.tolist())]
    for place, (state, length) in enumerate(runs):
        is_last = place == len(runs) - 1
        if length < stats.n_stages and not is_last:
            return -np.inf
        # Every way through the stages has the same probability: so many times going on, else staying.
        n_steps = stats.n_stages - 1 if not is_last else 0
        n_stays = length - 1 - n_steps
        total += n_steps * np.log(leaving) + n_stays * np.log(1 - leaving)
        if not is_last:
            total += np.log(leaving) + np.log(matrix[state, runs[place + 1][0]])
    return total


def test_rows_of_the_transition_matrix_are_probabilities_and_turn_with_the_root() -> None:
    matrix = transition_matrix(statistics(), 25)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert not np.diag(matrix).any()
    # From C:maj to G:min is as from D:maj to A:min.
    assert matrix[0, 2 * 7 + 1] == pytest.approx(matrix[2 * 2, 2 * 9 + 1])
    assert matrix[0, 2 * 7 + 1] != pytest.approx(matrix[0, 2 * 8 + 1])


@pytest.mark.parametrize(("n_stages", "clarity", "n_chords"), [(1, 9.0, 3), (2, 5.0, 2), (2, 0.5, 1)])
def test_the_path_is_the_most_probable_one(n_stages: int, clarity: float, n_chords: int) -> None:
    """Exhaustive: among all paths of six frames through four chords, none is more probable."""
    stats = statistics(n_stages)
    few = [0, 5, 14, 24]
    evidence = noisy_evidence(np.array([5, 5, 5, 14, 14, 0]), np.random.default_rng(0), clarity)
    evidence[:, [state for state in range(25) if state not in few]] = -50
    best = max(
        (np.array(path) for path in itertools.product(few, repeat=6)),
        key=lambda path: log_probability(path, evidence, stats),
    )
    assert decode(evidence, stats, frame_duration=FRAME).tolist() == best.tolist()
    assert len(set(best.tolist())) == n_chords


@pytest.mark.parametrize("n_stages", [1, 3])
def test_blocks_do_not_matter_and_little_stays_open(n_stages: int) -> None:
    rng = np.random.default_rng(1)
    states = np.repeat(rng.integers(0, 25, 200), rng.integers(4, 30, 200))
    evidence = noisy_evidence(states, rng, clarity=2.0)
    whole = decode(evidence, statistics(n_stages), frame_duration=FRAME)
    assert len(whole) == len(states)
    assert (whole == states).mean() > 0.9 > (evidence.argmax(axis=1) == states).mean()
    decoder = Decoder(statistics(n_stages), 25, FRAME)
    decided = []
    for number, block in enumerate(np.array_split(evidence, 31)):
        decided.append(decoder.add(block))
        n_open = sum(map(len, np.array_split(evidence, 31)[: number + 1])) - sum(map(len, decided))
        assert 0 < n_open < 600
    assert np.array_equal(np.concatenate([*decided, decoder.flush()]), whole)


def test_durations_keep_a_flicker_out() -> None:
    states = np.full(100, 4)
    evidence = noisy_evidence(states, np.random.default_rng(2), clarity=5.0)
    evidence[50] = evidence[50, np.r_[10:25, 0:10]]  # one frame says another chord
    assert set(evidence.argmax(axis=1).tolist()) != {4}
    assert set(decode(evidence, statistics(), frame_duration=FRAME).tolist()) == {4}


def test_without_any_evidence_the_decoder_still_decides_in_bounded_memory() -> None:
    evidence = np.full((9000, 25), -np.log(25), np.float32)
    decoder = Decoder(statistics(), 25, FRAME)
    decided = decoder.add(evidence)
    assert 0 < len(evidence) - len(decided) < 8500
    assert len(decided) + len(decoder.flush()) == 9000


def test_shapes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ShapeError, match="not those of 5 qualities"):
        Decoder(statistics(), 61, FRAME)
    with pytest.raises(ShapeError, match=r"must be \(n_frames, 25\)"):
        Decoder(statistics(), 25, FRAME).add(np.zeros((3, 24), np.float32))
    assert len(Decoder(statistics(), 25, FRAME).flush()) == 0
