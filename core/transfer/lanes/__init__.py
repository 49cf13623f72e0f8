"""Many connections bring one file: what each fetches, how many run, what is done about failures."""
