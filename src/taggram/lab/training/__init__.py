"""Training: distillation of the shipped default model."""
