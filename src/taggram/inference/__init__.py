"""From a file or a waveform to tags, taggram and embedding."""
