"""Training: recipes, the loop, transfer to new tags, and distillation of the shipped default model."""
