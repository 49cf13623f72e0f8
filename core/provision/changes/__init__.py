"""Changes of files at rest: plans over the library, carried out as jobs, taken back."""
