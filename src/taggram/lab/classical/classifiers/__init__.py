"""Classifiers of standardised vectors: one per file; see `taggram.lab.classical`."""
