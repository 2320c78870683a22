"""From a file to its chords: names, spectrum, network, decoder, key, chart and formats."""
