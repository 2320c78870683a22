"""The laboratory wing: datasets, models, training and evaluation. Needs torch: `taggram[train]`."""
