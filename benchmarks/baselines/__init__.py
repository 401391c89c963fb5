"""What the GPU engine is held against: a trainer in GraphVite's way, and the bare traffic of rows."""
