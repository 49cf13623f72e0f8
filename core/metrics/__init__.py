"""Prometheus: exposition of what the engine knows, and the rules and the dashboard made from the same catalogue."""
