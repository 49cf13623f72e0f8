"""The index of all models: what a scan finds, how it is kept up to date, what is known of each file."""
