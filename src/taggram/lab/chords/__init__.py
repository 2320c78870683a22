"""The chord laboratory: rendered songs, the two networks, their training, statistics and evaluation."""
