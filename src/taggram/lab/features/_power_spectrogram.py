"""Power spectrogram |STFT|² as a torch module; the same numbers as `taggram.inference.front_end`.

Input (batch, n_samples), output (batch, n_frames, n_fft // 2 + 1); centred frames, see
`taggram.modelfile.specification.PowerSpectrogram`.
"""

import torch
from torch import Tensor, nn

from taggram.modelfile.specification import PowerSpectrogram


class PowerSpectrogramLayer(nn.Module):
    """|STFT|² of a waveform, differentiable."""

    window: Tensor

    def __init__(self, spec: PowerSpectrogram) -> None:
        super().__init__()
        self.spec = spec
        window = torch.hann_window(spec.n_fft, periodic=spec.window == "hann_periodic")
        self.register_buffer("window", window, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, n_samples) to (batch, n_frames, n_bins)."""
        spectrum = torch.stft(
            waveform,
            self.spec.n_fft,
            self.spec.hop_length,
            window=self.window,
            center=True,
            pad_mode="reflect" if self.spec.pad_mode == "reflect" else "constant",
            return_complex=True,
        )
        return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)
