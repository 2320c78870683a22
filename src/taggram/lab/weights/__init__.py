"""Published weights: where they come from, how they are fetched, read as data, and converted."""
