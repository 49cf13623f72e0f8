"""Changes of files at rest: plans, and their carrying out in steps that each leave every file whole."""
