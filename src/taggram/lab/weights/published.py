"""Every published checkpoint that loads into the zoo: where it is, what it is, and under what terms.

Listing imports no torch. `load_published` reads a downloaded file, checks its SHA-256 and converts it.
Origins are pinned to a commit, so an address and its checksum belong together for good.

Licences are those that the origin states for the weights or the code that carries them; the data that
they were trained on has its own terms, given in `training_data`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taggram.errors import ChecksumError, ModelFileError, UnknownNameError
from taggram.modelfile.specification import Specification
from taggram.tags.vocabularies import VOCABULARIES, describe

if TYPE_CHECKING:
    from torch import Tensor

    from taggram.lab.models import TaggingModel

PeerProtocol = Literal["sota", "pons", "mtg_jamendo"]

#: Leaves of state names that a model computes by itself when a checkpoint does not hold them.
_COMPUTED_LEAVES = ("num_batches_tracked", "filters")


@dataclass(frozen=True)
class PublishedCheckpoint:
    """One published set of weights.

    Attributes
    ----------
    name
        Our name: architecture and training data.
    architecture
        Registry name of the architecture.
    vocabulary
        Key of `taggram.tags.vocabularies.VOCABULARIES`: the order of the outputs.
    url
        Public origin, pinned to a commit.
    sha256, n_bytes
        What the file must be.
    licence, citation, training_data
        Terms, what to cite, and what it was trained on.
    peer_protocol
        How the program that published it cuts a song (`taggram.lab.evaluation.peer_protocol`).
    options
        Constructor options of the architecture that differ from its defaults.
    """

    name: str
    architecture: str
    vocabulary: str
    url: str
    sha256: str
    n_bytes: int
    licence: str
    citation: str
    training_data: str
    peer_protocol: PeerProtocol
    options: Mapping[str, Any] = field(default_factory=dict)


_SOTA = "https://raw.githubusercontent.com/minzwon/sota-music-tagging-models"
_SOTA_COMMITS = {
    "mtat": "1f4d282693ac19cde4d30b86811fe0ae2452f406",
    "msd": "ffcd1f90b97a1e923a50c6e5283f147cf9dd7dfd",
    "jamendo": "ffcd1f90b97a1e923a50c6e5283f147cf9dd7dfd",
}
_KERAS = (
    "https://raw.githubusercontent.com/Quint-e/musicnn_keras/8e2d042f3a7bc560f825626144ae0f4ee20199ae"
    "/musicnn_keras/keras_checkpoints"
)
_MTG = (
    "https://raw.githubusercontent.com/MTG/mtg-jamendo-dataset/ab2cc39cf1f0d6b622e676a14096706a1b24915e"
    "/scripts/baseline/models/best_model.pth"
)

_DATASETS = {
    "mtat": ("magnatagatune", "magnatagatune_50", "MagnaTagATune (CC BY-NC-SA 3.0), top 50 tags"),
    "msd": ("msd", "msd_50", "Million Song Dataset with Last.fm tags (research use), top 50 tags"),
    "jamendo": (
        "mtg-jamendo",
        "mtg_jamendo_50",
        "MTG-Jamendo (audio CC, metadata CC BY-NC-SA 4.0), top 50 tags",
    ),
}


def _sota(dataset: str, architecture: str, sha256: str, n_bytes: int) -> PublishedCheckpoint:
    label, vocabulary, training_data = _DATASETS[dataset]
    return PublishedCheckpoint(
        name=f"{architecture}-{label}",
        architecture=architecture,
        vocabulary=vocabulary,
        url=f"{_SOTA}/{_SOTA_COMMITS[dataset]}/models/{dataset}/{architecture}/best_model.pth",
        sha256=sha256,
        n_bytes=n_bytes,
        licence="MIT, © 2020 Music Technology Group, Universitat Pompeu Fabra; Minz Won",
        citation="Won, Ferraro, Bogdanov, Serra, Evaluation of CNN-based automatic music tagging models, "
        "SMC 2020",
        training_data=training_data,
        peer_protocol="sota",
    )


def _pons(dataset: str, network: str, sha256: str, n_bytes: int) -> PublishedCheckpoint:
    label, vocabulary, training_data = _DATASETS[dataset]
    file = f"{'MTT' if dataset == 'mtat' else 'MSD'}_{network}.h5"
    return PublishedCheckpoint(
        name=f"pons-{network}-{label}",
        architecture=f"pons_{network}",
        vocabulary=vocabulary,
        url=f"{_KERAS}/{file}",
        sha256=sha256,
        n_bytes=n_bytes,
        licence="ISC, © 2019 Music Technology Group, Universitat Pompeu Fabra; "
        "© 2020 Elio Quinton (Keras files)",
        citation="Pons, Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, "
        "ISMIR 2019 late-breaking",
        training_data=training_data,
        peer_protocol="pons",
    )


_MTG_MOODTHEME = PublishedCheckpoint(
    name="jamendo-cnn-moodtheme",
    architecture="jamendo_cnn",
    vocabulary="mtg_jamendo_moodtheme_56",
    url=_MTG,
    sha256="c1d6bee6bc25d78b28cea52bde68a353b3e674687171a78af020fa039d3cbdbe",
    n_bytes=1_803_131,
    licence="Apache-2.0 (code that carries it); the metadata it was trained on is CC BY-NC-SA 4.0",
    citation="Bogdanov, Won, Tovstogan, Porter, Serra, The MTG-Jamendo dataset for automatic music tagging, "
    "ML4MD at ICML 2019",
    training_data="MTG-Jamendo (audio CC, metadata CC BY-NC-SA 4.0), mood and theme tags",
    peer_protocol="mtg_jamendo",
)

CHECKPOINTS: dict[str, PublishedCheckpoint] = {
    checkpoint.name: checkpoint
    for checkpoint in (
        _sota("mtat", "fcn", "e89d751202d38c3ae69855782bc27010f87051958dbec64f5aa762364dbac271", 1_902_811),
        _sota(
            "mtat", "musicnn", "690ace3bb5d49d90dd38fe3ec05a1185350b3bc3742bd7ee941f56b649b2c893", 3_257_172
        ),
        _sota("mtat", "crnn", "cd22fc70cafd06f8f2bfc7dd795abccb1f4b50d5b09094c39ad100baf87475a3", 1_687_630),
        _sota("msd", "fcn", "6012aa7eecf864a8081faedca56af054521e8dfb9c5c98659a3dd5d3e1e66f21", 1_902_815),
        _sota("msd", "crnn", "ebb99855ed0c83f38845db9cfb383dd6fc70938bc58701dcb66e18af9ee7fbea", 1_687_711),
        _sota(
            "jamendo", "fcn", "7bce08a66dbc70d096b0a330f44b4cacd9aa25519b83489fbb98f2164a194e2b", 1_902_815
        ),
        _sota(
            "jamendo",
            "musicnn",
            "66280f4859376377c47f64313c7ac889a3201fdb06a01bf6e94ac6e619081bb5",
            3_257_168,
        ),
        _sota(
            "jamendo", "crnn", "0a558989c0793f488cb677d188464c91f47c007f7c70473230e55537ca598215", 1_687_626
        ),
        _pons(
            "mtat", "musicnn", "1a66a2e58e862e894c088bd7789b05874becf994f275c54d9575dab83fab4ebe", 3_319_120
        ),
        _pons("mtat", "vgg", "52093b533665403c182b3e9cb552ccf09cb90d8c0c7e9d531159c2369b53b548", 2_500_672),
        _pons(
            "msd", "musicnn", "412a832c8527a813e084ba6f2cc7d068ecbbf1b68bda8c1de2e7de0d1f5fe7d1", 3_319_120
        ),
        _pons("msd", "vgg", "1ec4ee44cbba8c3132c08826f57e84e8b4fc32baddbba65a0bc0670b14f902e8", 2_500_672),
        _MTG_MOODTHEME,
    )
}


def find_checkpoint(name: str) -> PublishedCheckpoint:
    """Return the checkpoint called `name`.

    Raises
    ------
    UnknownNameError
        If there is none; the message suggests the nearest name.
    """
    try:
        return CHECKPOINTS[name]
    except KeyError:
        raise UnknownNameError("published checkpoint", name, CHECKPOINTS) from None


def load_published(checkpoint: PublishedCheckpoint, path: Path) -> "TaggingModel":
    """Build the architecture of a checkpoint and set every parameter from its file.

    Parameters
    ----------
    checkpoint
        Which weights.
    path
        The downloaded file.

    Returns
    -------
    The model in evaluation mode; `n_tags` is the size of the checkpoint's vocabulary.

    Raises
    ------
    ChecksumError
        If the file is not the published one.
    ModelFileError
        If the file cannot be read as data.
    """
    from taggram.lab.models import MODELS
    from taggram.lab.weights.readers import read_weights

    _verify(checkpoint, path)
    n_tags = len(VOCABULARIES[checkpoint.vocabulary])
    model = MODELS.get(checkpoint.architecture)(n_tags, **checkpoint.options)
    load_peer_state(model, read_weights(path), source=str(path))
    return model.eval()


def describe_published(checkpoint: PublishedCheckpoint, model: "TaggingModel") -> Specification:
    """Return the specification that travels with a published checkpoint's model file.

    Chunks follow each other without gap or overlap, which is Taggram's protocol and not the peers'.
    """
    architecture = model.architecture
    return Specification(
        name=checkpoint.name,
        architecture=architecture.name,
        sample_rate=architecture.sample_rate,
        chunk_duration=architecture.chunk_duration,
        chunk_hop=architecture.chunk_duration,
        front_end=architecture.front_end,
        embedding_dim=model.embedding_dim,
        tags=describe(VOCABULARIES[checkpoint.vocabulary]),
        training_data=checkpoint.training_data,
        licence=checkpoint.licence,
        paper=checkpoint.citation,
    )


def load_peer_state(model: "TaggingModel", state: Mapping[str, "Tensor"], *, source: str) -> None:
    """Set every parameter of a model from the tensors of a published checkpoint.

    Only what the model computes by itself may be absent: mel filter banks and batch counters.

    Parameters
    ----------
    model
        A model of the architecture that the tensors belong to.
    state
        Tensors under their published names.
    source
        Where they come from; named in the error.

    Raises
    ------
    ModelFileError
        If a tensor is missing, left over, or of another shape than the architecture's.
    """
    try:
        missing, unexpected = model.load_state_dict(model.convert_peer_state(state), strict=False)
    except RuntimeError as error:
        raise ModelFileError(f"{source}: {_misfit(model)}: {str(error).splitlines()[-1].strip()}") from error
    missing = [name for name in missing if name.rsplit(".", 1)[-1] not in _COMPUTED_LEAVES]
    if missing or unexpected:
        raise ModelFileError(
            f"{source}: {_misfit(model)}: missing are {missing[:5] or 'none'}, left over are "
            f"{list(unexpected)[:5] or 'none'}"
        )


def _misfit(model: "TaggingModel") -> str:
    return f"the weights do not belong to the architecture {model.architecture.name!r} as it was built"


def _verify(checkpoint: PublishedCheckpoint, path: Path) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read the weights: {error.strerror or error}") from error
    if found != checkpoint.sha256:
        raise ChecksumError(
            f"{path}: not the published file of {checkpoint.name} (SHA-256 is {found}, expected "
            f"{checkpoint.sha256}); download it again from {checkpoint.url}"
        )
