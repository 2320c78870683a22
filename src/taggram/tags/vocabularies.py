"""Tag vocabularies of the published taggers, and the merged vocabulary of the shipped model.

A vocabulary is a tuple of unique tag names; its order is the order of the model's output columns.
The orders are those of the published weights, which for MTG-Jamendo is alphabetical and not the order
that the published program prints.

`merge_vocabularies` unites several vocabularies: spelling variants and synonyms become one tag
(`SYNONYMS`), and every merged tag knows the source tags that it stands for.
"""

from collections.abc import Iterable, Mapping

from taggram.modelfile.specification import Category, Tag


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in " ".join(text.split()).split(";"))


MAGNATAGATUNE_50 = _tags(
    """
    guitar; classical; slow; techno; strings; drums; electronic; rock; fast; piano; ambient; beat;
    violin; vocal; synth; female; indian; opera; male; singing; vocals; no vocals; harpsichord;
    loud; quiet; flute; woman; male vocal; no vocal; pop; soft; sitar; solo; man; classic; choir;
    voice; new age; dance; male voice; female vocal; beats; harp; cello; no voice; weird; country;
    metal; female voice; choral
    """
)

MSD_50 = _tags(
    """
    rock; pop; alternative; indie; electronic; female vocalists; dance; 00s; alternative rock; jazz;
    beautiful; metal; chillout; male vocalists; classic rock; soul; indie rock; Mellow; electronica;
    80s; folk; 90s; chill; instrumental; punk; oldies; blues; hard rock; ambient; acoustic;
    experimental; female vocalist; guitar; Hip-Hop; 70s; party; country; easy listening; sexy;
    catchy; funk; electro; heavy metal; Progressive rock; 60s; rnb; indie pop; sad; House; happy
    """
)

MTG_JAMENDO_50 = _tags(
    """
    genre---alternative; genre---ambient; genre---atmospheric; genre---chillout; genre---classical;
    genre---dance; genre---downtempo; genre---easylistening; genre---electronic;
    genre---experimental; genre---folk; genre---funk; genre---hiphop; genre---house; genre---indie;
    genre---instrumentalpop; genre---jazz; genre---lounge; genre---metal; genre---newage;
    genre---orchestral; genre---pop; genre---popfolk; genre---poprock; genre---reggae; genre---rock;
    genre---soundtrack; genre---techno; genre---trance; genre---triphop; genre---world;
    instrument---acousticguitar; instrument---bass; instrument---computer; instrument---drummachine;
    instrument---drums; instrument---electricguitar; instrument---electricpiano;
    instrument---guitar; instrument---keyboard; instrument---piano; instrument---strings;
    instrument---synthesizer; instrument---violin; instrument---voice; mood/theme---emotional;
    mood/theme---energetic; mood/theme---film; mood/theme---happy; mood/theme---relaxing
    """
)

MTG_JAMENDO_MOODTHEME_56 = _tags(
    """
    mood/theme---action; mood/theme---adventure; mood/theme---advertising; mood/theme---background;
    mood/theme---ballad; mood/theme---calm; mood/theme---children; mood/theme---christmas;
    mood/theme---commercial; mood/theme---cool; mood/theme---corporate; mood/theme---dark;
    mood/theme---deep; mood/theme---documentary; mood/theme---drama; mood/theme---dramatic;
    mood/theme---dream; mood/theme---emotional; mood/theme---energetic; mood/theme---epic;
    mood/theme---fast; mood/theme---film; mood/theme---fun; mood/theme---funny; mood/theme---game;
    mood/theme---groovy; mood/theme---happy; mood/theme---heavy; mood/theme---holiday;
    mood/theme---hopeful; mood/theme---inspiring; mood/theme---love; mood/theme---meditative;
    mood/theme---melancholic; mood/theme---melodic; mood/theme---motivational; mood/theme---movie;
    mood/theme---nature; mood/theme---party; mood/theme---positive; mood/theme---powerful;
    mood/theme---relaxing; mood/theme---retro; mood/theme---romantic; mood/theme---sad;
    mood/theme---sexy; mood/theme---slow; mood/theme---soft; mood/theme---soundscape;
    mood/theme---space; mood/theme---sport; mood/theme---summer; mood/theme---trailer;
    mood/theme---travel; mood/theme---upbeat; mood/theme---uplifting
    """
)

VOCABULARIES: Mapping[str, tuple[str, ...]] = {
    "magnatagatune_50": MAGNATAGATUNE_50,
    "msd_50": MSD_50,
    "mtg_jamendo_50": MTG_JAMENDO_50,
    "mtg_jamendo_moodtheme_56": MTG_JAMENDO_MOODTHEME_56,
}

# Merged tag → its spellings in the source vocabularies, in lower case. A tag that is not listed
# stands for itself. Only different words for the same thing are merged: "chill" and "chillout",
# but not "electronic" and "electronica", which the MSD uses for different music.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "acoustic guitar": ("acousticguitar",),
    "beat": ("beat", "beats"),
    "chillout": ("chill", "chillout"),
    "choir": ("choir", "choral"),
    "classical": ("classic", "classical"),
    "drum machine": ("drummachine",),
    "easy listening": ("easy listening", "easylistening"),
    "electric guitar": ("electricguitar",),
    "electric piano": ("electricpiano",),
    "female vocals": (
        "female",
        "female vocal",
        "female vocalist",
        "female vocalists",
        "female voice",
        "woman",
    ),
    "hip-hop": ("hip-hop", "hiphop"),
    "instrumental pop": ("instrumentalpop",),
    "male vocals": ("male", "male vocal", "male vocalists", "male voice", "man"),
    "new age": ("new age", "newage"),
    "no vocals": ("instrumental", "no vocal", "no vocals", "no voice"),
    "pop folk": ("popfolk",),
    "pop rock": ("poprock",),
    "r&b": ("rnb",),
    "synthesizer": ("synth", "synthesizer"),
    "trip-hop": ("triphop",),
    "vocals": ("singing", "vocal", "vocals", "voice"),
}

_BY_CATEGORY: Mapping[Category, tuple[str, ...]] = {
    "genre": _tags(
        """
        alternative; alternative rock; ambient; blues; chillout; classic rock; classical;
        country; dance; downtempo; easy listening; electro; electronic; electronica; experimental; folk;
        funk; hard rock; heavy metal; hip-hop; house; indian; indie; indie pop; indie rock;
        instrumental pop; jazz; lounge; metal; new age; opera; orchestral; pop; pop folk; pop rock;
        progressive rock; punk; r&b; reggae; rock; soul; soundtrack; techno; trance; trip-hop; world
        """
    ),
    "instrument": _tags(
        """
        acoustic guitar; bass; cello; computer; drum machine; drums; electric guitar; electric piano;
        flute; guitar; harp; harpsichord; keyboard; piano; sitar; strings; synthesizer; violin
        """
    ),
    "voice": ("choir", "female vocals", "male vocals", "no vocals", "vocals"),
    "decade": ("60s", "70s", "80s", "90s", "00s", "oldies"),
    "mood": _tags(
        """
        action; adventure; atmospheric; beautiful; calm; catchy; cool; dark; deep; drama; dramatic; dream;
        emotional; energetic; epic; fun; funny; groovy; happy; heavy; hopeful; inspiring; love; meditative;
        melancholic; mellow; melodic; motivational; party; positive; powerful; relaxing; romantic; sad; sexy;
        upbeat; uplifting; weird
        """
    ),
    # How it sounds and moves, which is no mood: a fast piece may be sad.
    "other": ("acoustic", "beat", "fast", "loud", "quiet", "slow", "soft", "solo"),
}
_CATEGORY_OF: Mapping[str, Category] = {
    name: category for category, names in _BY_CATEGORY.items() for name in names
}
_MERGED_NAME: Mapping[str, str] = {
    spelling: merged for merged, spellings in SYNONYMS.items() for spelling in spellings
}
_PREFIX_CATEGORY: Mapping[str, Category] = {
    "genre": "genre",
    "instrument": "instrument",
    "mood/theme": "mood",
}


def merged_name(tag: str) -> str:
    """Return the name under which `tag` of a source vocabulary stands in the merged vocabulary.

    The prefix of MTG-Jamendo (`genre---`) is dropped, and spelling variants become one name.

    Examples
    --------
    >>> merged_name("genre---hiphop"), merged_name("female vocalists")
    ('hip-hop', 'female vocals')
    """
    plain = tag.rpartition("---")[2].lower()
    return _MERGED_NAME.get(plain, plain)


def category_of(tag: str) -> Category:
    """Return what kind of statement a tag of any vocabulary makes; "other" if nobody has said.

    Examples
    --------
    >>> category_of("mood/theme---film"), category_of("sitar"), category_of("no voice")
    ('mood', 'instrument', 'voice')
    """
    known = _CATEGORY_OF.get(merged_name(tag))
    return known or _PREFIX_CATEGORY.get(tag.partition("---")[0], "other")


def describe(vocabulary: Iterable[str]) -> tuple[Tag, ...]:
    """Return the tags of a vocabulary with their categories, in the same order."""
    return tuple(Tag(name=name, category=category_of(name)) for name in vocabulary)


def merge_vocabularies(vocabularies: Iterable[Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Unite vocabularies: merged tag → its source tags, both in order of first appearance.

    Examples
    --------
    >>> merge_vocabularies([("beat", "rock"), ("beats", "genre---rock")])
    {'beat': ('beat', 'beats'), 'rock': ('rock', 'genre---rock')}
    """
    merged: dict[str, dict[str, None]] = {}
    for vocabulary in vocabularies:
        for tag in vocabulary:
            merged.setdefault(merged_name(tag), {})[tag] = None
    return {name: tuple(sources) for name, sources in merged.items()}
