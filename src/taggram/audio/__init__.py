"""Sound in: files to blocks of mono waveform at one sample rate, in flat memory."""
