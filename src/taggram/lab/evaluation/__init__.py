"""How models are evaluated: protocols, and agreement with the programs that published them."""
