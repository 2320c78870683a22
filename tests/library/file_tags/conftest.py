"""Sound files in every container."""

from pathlib import Path

import pytest

from tests.library.file_tags.sounds import SOUNDS, write_sound


@pytest.fixture(params=SOUNDS)
def sound(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A short file without tags, of each kind in turn."""
    return write_sound(tmp_path, request.param)
