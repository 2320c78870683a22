"""A small recording studio in numpy: scores, instruments, effects, mixing and encoding."""
