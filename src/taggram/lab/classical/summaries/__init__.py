"""Summaries of a feature over time: one per file; see `taggram.lab.classical`."""
