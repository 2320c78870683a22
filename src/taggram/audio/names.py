"""Which names promise sound: for choosing files in a directory. Behind this door, content decides."""

AUDIO_SUFFIXES = frozenset(
    "aac ac3 aif aifc aiff alac ape au caf dsf flac m4a m4b mka mp2 mp3 mp4 mpc oga ogg opus spx tta "
    "voc w64 wav wave webm wma wv".split()
)


def is_audio_name(name: str) -> bool:
    """Return whether a file of this name, without its directory, is taken for sound; hidden ones are not."""
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and not stem.startswith(".") and suffix.lower() in AUDIO_SUFFIXES
