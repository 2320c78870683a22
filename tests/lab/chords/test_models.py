"""The networks: shapes, training on a tiny problem, resuming, and the way through the door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from taggram.chords.network import ChordNetwork
from taggram.errors import ModelFileError, RecipeError, UnknownNameError
from taggram.lab.chords.corpus import FRONT_END, SAMPLE_RATE, Item
from taggram.lab.chords.export import describe, export_chord_model
from taggram.lab.chords.models import MODELS
from taggram.lab.chords.models.conv_gru import ConvGRU
from taggram.lab.chords.models.tutorial import Tutorial
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.targets import NO_ROOT
from taggram.lab.chords.train import as_learned
from taggram.lab.chords.training import (
    Batch,
    Check,
    ChordTraining,
    build_network,
    compute_loss,
    draw_batch,
    example_of,
    predict,
    rate_at,
    transpose_spectrum,
)
from taggram.lab.datasets import Segment
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import ChordSettings, ChordStatistics

N_BINS = FRONT_END.n_bins
FRAME = FRONT_END.hop_length / SAMPLE_RATE
SMALL = ChordRecipe(
    dataset="pop909", n_steps=30, batch_size=4, n_frames=32, learning_rate=5e-3, mean_decay=0.8
)


def small_model() -> ConvGRU:
    torch.manual_seed(0)
    return ConvGRU(n_channels=4, n_wide=8, n_hidden=24, n_recurrent=8, dropout=0.0)


def tonal_item(rng: np.random.Generator, number: int) -> Item:
    """Chords of three pure tones in two octaves, half a second each, and a pause."""
    spectrum = rng.uniform(0, 0.02, (64, N_BINS))
    segments = []
    for place in range(8):
        frames = slice(place * 8, place * 8 + 8)
        times = (place * 8 - 0.5) * FRAME, (place * 8 + 7.5) * FRAME
        if place == 5:
            segments.append(Segment(*times, "N"))
            continue
        root, third = int(rng.integers(12)), int(rng.choice([3, 4]))
        for octave in (2, 3):
            for interval in (0, third, 7):
                spectrum[frames, 24 * octave + 2 * ((root + interval) % 12)] = 1.0
        spectrum[frames, 24 + 2 * root] = 2.0
        name = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")[root]
        segments.append(Segment(*times, f"{name}:{'maj' if third == 4 else 'min'}"))
    return Item(f"{number}-0", spectrum.astype(np.float16), tuple(segments), 0, {})


@pytest.fixture(params=MODELS.names())
def name(request: pytest.FixtureRequest) -> str:
    """Every network."""
    return str(request.param)


def settings(n_frames: int = 64) -> ChordSettings:
    table = tuple(tuple(np.full(24, 0.98 / 24).tolist()) for _ in range(2))
    statistics = ChordStatistics(
        transitions=table, first=(0.5, 0.5), n_stages=1, stage_duration=1.0, evidence_weight=1.0
    )
    profile = tuple(np.full(24, 1 / 24).tolist())
    return ChordSettings(
        n_frames=n_frames,
        n_context=8,
        statistics={"majmin": statistics},
        key_profiles={"major": profile, "minor": profile},
    )


def test_outputs_have_a_row_for_each_frame(name: str) -> None:
    model = MODELS.get(name)().eval()
    n_frames = model.n_frames or 37
    with torch.no_grad():
        logits = model(torch.rand(2, n_frames, N_BINS))
    assert logits.root.shape == logits.bass.shape == (2, n_frames, 13)
    assert logits.quality.shape == (2, n_frames, 12, 14)
    assert torch.isfinite(logits.root).all()
    assert sum(p.numel() for p in model.parameters()) * 4 < 8e6


def test_items_of_any_length_are_heard_whole(name: str) -> None:
    model = MODELS.get(name)()
    for n_frames in (5, 300):
        assert len(predict(model, np.zeros((n_frames, N_BINS), np.float16)).root) == n_frames


def test_the_tutorial_says_major_minor_or_nothing() -> None:
    model = MODELS.get("tutorial")().eval()
    with torch.no_grad():
        logits = model(torch.rand(1, 256, N_BINS))
        assert isinstance(model, Tutorial)
        classes = model.classify(torch.rand(1, 256, N_BINS))
    assert classes.shape == (1, 256, 25)
    torch.testing.assert_close(logits.root.exp().sum(dim=2), torch.ones(1, 256))
    assert float(logits.quality.softmax(dim=3)[..., :2].sum(dim=3).min()) > 0.999


def test_a_network_of_triads_learns_the_triads_of_other_chords() -> None:
    labels = ("C:min7/b3", "G:sus4", "Bb:maj6", "N")
    chords = tuple(Segment(i, i + 1, label) for i, label in enumerate(labels))
    item = Item("0-0", np.zeros((50, N_BINS), np.float16), chords, 0, {})
    assert as_learned(ConvGRU(), item) is item
    learned = as_learned(Tutorial(), item).chords
    assert [chord.label for chord in learned] == ["C:min", "X", "A#:maj", "N"]
    assert [(chord.start, chord.end) for chord in learned] == [(i, i + 1) for i in range(4)]


def test_training_learns_chords_of_pure_tones(tmp_path: Path, rng: np.random.Generator) -> None:
    items = [tonal_item(rng, number) for number in range(24)]
    recipe = SMALL.model_copy(update={"n_steps": 160, "check_every": 160})
    training = ChordTraining(small_model(), recipe, items[:20], items[20:], tmp_path)
    before = training.validate()
    training.run()
    after = training.validate()
    assert before.root < 0.35
    assert after.root > 0.8
    assert after.triad > 0.7
    assert after.loss < before.loss / 2
    assert training.record.checks[0].loss == after.loss


def stop_at(step: int) -> Callable[[Check], None]:
    """Make what stops a run as a person at the keyboard does."""

    def watch(check: Check) -> None:
        if check.step == step:
            raise KeyboardInterrupt

    return watch


def test_an_interrupted_run_gives_the_same_network(tmp_path: Path, rng: np.random.Generator) -> None:
    items = [tonal_item(rng, number) for number in range(3)]

    def of_length(n_steps: int) -> ChordRecipe:
        return SMALL.model_copy(update={"n_steps": n_steps, "check_every": 3})

    def training(folder: str) -> ChordTraining:
        return ChordTraining(small_model(), of_length(8), items, items[:1], tmp_path / folder)

    whole = training("whole").run().state_dict()
    broken = training("broken")
    with pytest.raises(KeyboardInterrupt):
        broken.run(watch=stop_at(3))
    again = training("broken")
    continued = again.run().state_dict()
    assert [check.step for check in again.record.checks] == [3, 6, 8]
    assert again.record.lengths == ((0, 8),)
    longer = ChordTraining(small_model(), of_length(9), items, items[:1], tmp_path / "broken")
    longer.run()
    assert longer.record.lengths == ((0, 8), (8, 9))
    for key, value in whole.items():
        torch.testing.assert_close(continued[key], value, rtol=0, atol=0)


def test_training_ends_when_validation_gets_no_better_and_keeps_the_best(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    items = [tonal_item(rng, number) for number in range(3)]
    changes = {"n_steps": 60, "rates": "constant", "learning_rate": 0.05, "mean_decay": 0.0}
    recipe = SMALL.model_copy(update={**changes, "check_every": 2, "patience": 3})

    def training(folder: str) -> ChordTraining:
        return ChordTraining(small_model(), recipe, items[:1], items[1:], tmp_path / folder)

    whole = training("whole")
    network = whole.run().state_dict()
    best, checks = whole.record.best, whole.record.checks
    assert best is not None
    assert len(checks) < 30
    assert checks[-1].step == best.step + 2 * 3
    assert whole.validate().loss == best.loss < checks[-1].loss
    broken = training("broken")
    with pytest.raises(KeyboardInterrupt):
        broken.run(watch=stop_at(best.step + 2))
    continued = training("broken")
    for key, value in continued.run().state_dict().items():
        torch.testing.assert_close(network[key], value, rtol=0, atol=0)
    assert continued.record.checks == checks
    over = training("broken")
    over.run()
    assert over.record.checks == checks


def test_a_recipe_names_a_network_and_options_that_there_are() -> None:
    def network(**changes: object) -> ConvGRU | Tutorial:
        built = build_network(ChordRecipe.parse({"dataset": "pop909", **changes}, source="test"))
        assert isinstance(built, ConvGRU | Tutorial)
        return built

    assert network(model_options={"n_hidden": 24}).root.in_features == 2 * 96 + 24  # type: ignore[union-attr]
    weights = [next(network(seed=seed).parameters()) for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(UnknownNameError, match="did you mean 'conv_gru'"):
        network(model="conv_gr")
    with pytest.raises(UnknownNameError, match="did you mean 'n_hidden'"):
        network(model_options={"n_hiden": 24})
    with pytest.raises(RecipeError, match="n_frames: tutorial takes 256, got 128"):
        network(model="tutorial", n_frames=128)
    with pytest.raises(RecipeError, match="unknown key 'pacience': did you mean 'patience'"):
        network(pacience=3)


def test_batches_are_drawn_by_seed_and_transposed_with_their_targets(rng: np.random.Generator) -> None:
    example = example_of(tonal_item(rng, 0))
    batch = draw_batch([example], SMALL, np.random.default_rng(5))
    again = draw_batch([example], SMALL, np.random.default_rng(5))
    torch.testing.assert_close(batch.spectrum, again.spectrum, rtol=0, atol=0)
    for row in range(SMALL.batch_size):
        for frame in range(SMALL.n_frames):
            root = int(batch.root[row, frame])
            if 0 <= root < NO_ROOT:
                # The bass tone of the fixture stands two octaves above the lowest bin, and moves with it.
                low = batch.spectrum[row, frame, :60].numpy()
                assert int(low.argmax()) // 2 % 12 == root
    assert len({tuple(row.tolist()) for row in batch.root}) > 1


def test_transposing_the_spectrum_up_and_down() -> None:
    frames = np.arange(1, 9, dtype=np.float32)[None].repeat(2, axis=0)
    assert transpose_spectrum(frames, 3)[0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert transpose_spectrum(frames, -2)[1].tolist() == [3, 4, 5, 6, 7, 8, 0, 0]
    assert np.array_equal(transpose_spectrum(frames, 0), frames)


def test_frames_without_a_target_teach_nothing(rng: np.random.Generator) -> None:
    model = small_model()
    batch = draw_batch([example_of(tonal_item(rng, 0))], SMALL, rng)
    nothing = Batch(batch.spectrum, *(torch.full_like(part, -1) for part in batch[1:]))
    nothing.root[0, 0] = NO_ROOT
    nothing.bass[0, 0] = NO_ROOT
    loss = compute_loss(model(nothing.spectrum), nothing.root, nothing.quality, nothing.bass)
    loss.backward()  # type: ignore[no-untyped-call]
    assert model.quality.weight.grad is not None
    assert not model.quality.weight.grad.any()
    assert model.root.weight.grad is not None
    assert model.root.weight.grad.any()


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_at(share) for share in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert 10 < int(np.argmax(rates)) < 20
    assert rates[0] < 0.1
    assert rates[-1] < 0.01


def test_the_file_gives_the_numbers_of_the_model(tmp_path: Path, rng: np.random.Generator) -> None:
    model = small_model().eval()
    path = tmp_path / "small.onnx"
    said = describe(
        model, name="small", architecture="conv_gru", settings=settings(), training_data="-", licence="MIT"
    )
    assert export_chord_model(model, said, path).weights_sha256
    network = ChordNetwork(load_model_file(path))
    assert network.frame_duration == pytest.approx(1024 / 11025)
    frames = rng.uniform(0, 1, (150, N_BINS)).astype(np.float32)
    parts = [np.concatenate(part) for part in zip(*network.listen([frames]), strict=True)]
    assert [len(part) for part in parts] == [150] * 3
    np.testing.assert_allclose(np.exp(parts[0]).sum(axis=1), 1, atol=1e-4)
    # However the frames come, the same is said of them.
    blocks = np.split(frames, [1, 40, 41, 130])
    again = [np.concatenate(part) for part in zip(*network.listen(blocks), strict=True)]
    np.testing.assert_allclose(again[1], parts[1], atol=1e-4)
    # The inner frames of the first window are those of the model, with silence before the sound.
    window = np.concatenate([np.zeros((8, N_BINS), np.float32), frames[:56]])
    with torch.no_grad():
        wanted = model(torch.from_numpy(window[None])).root.log_softmax(dim=2)[0, 8:56].numpy()
    np.testing.assert_allclose(parts[0][:48], wanted, atol=1e-4)


def test_a_model_of_tags_is_no_chord_model(tiny_model: Path) -> None:
    with pytest.raises(ModelFileError, match="a model of tags, not of chords"):
        ChordNetwork(load_model_file(tiny_model))
