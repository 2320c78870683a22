"""Speed and memory of Taggram beside the plain way, measured in one run: `python -m benchmarks`.

The plain way is what a script of the field does: `librosa.load(path, sr=16000)`, then PyTorch eager
on batches of 16 chunks, with the same architecture, the same weights and the same chunks.

Every figure is measured in a process of its own that is bound to one core or to two, with as many
threads, and is the best of several runs after a warm-up. Wall-clock times, so nothing else should
run on the machine.
"""
