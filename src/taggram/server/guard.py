"""Who may ask what."""
from typing import Any
COOKIE = "taggram_session"
def is_authorised(scope: Any, server: Any) -> bool:
    raise NotImplementedError
