"""The long works on the library: proof, sources of unknown files, last use, what nobody needs."""
