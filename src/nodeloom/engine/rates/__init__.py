"""How fast a mode trains on this machine, measured before the training."""
