"""Metrics: arrays in, numbers out. No models, files or datasets.

    ranking      how well scores order clips and tags: ROC-AUC, PR-AUC, AP ranking
    decision     how good yes/no and class decisions are: MCC, F1, precision, recall, accuracy
    calibration  whether a score can be read as a probability: reliability, ECE
    retrieval    what a search returns: precision at k, MAP
    chords       chords over time: root to tetrads, segmentation, confusions
    bootstrap    how far to trust a figure: intervals over clips, paired comparison

A metric that cannot be computed for a tag (no clip has it, say) is undefined there: `TagMetric` keeps it
apart, and no mean takes it for a number.
"""

from taggram.lab.metrics._tag_metric import TagMetric

__all__ = ["TagMetric"]
