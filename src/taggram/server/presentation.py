"""Signatures first; the bodies follow."""
from typing import Any
class Presenter:
    def __init__(self, server: Any) -> None: ...
