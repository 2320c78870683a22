"""The pieces, one per module; each offers its `PIECE`."""
