"""Files at rest: the index of all models, how it is kept up to date, and what is known of each file."""
