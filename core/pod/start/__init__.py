"""The start of a pod: what the machine is, where things lie, what is brought, what came of it."""
