"""Files: reading edges, labels and models, writing models and exports."""
