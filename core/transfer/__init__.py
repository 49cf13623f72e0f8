"""The transfer engine: a resolved file becomes verified bytes under its final name, or nothing."""
