"""What is learned and minimised, as data: parts of a model and optimizers."""
