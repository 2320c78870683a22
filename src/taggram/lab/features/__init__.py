"""Features as differentiable torch modules; one per file."""
