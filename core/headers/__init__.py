"""Headers of model files: what the first bytes say, read without loading the file and safe on hostile input."""
