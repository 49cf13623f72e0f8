"""Alerts inside the process: the catalogue judged over what is measured, and told to log, panel and webhook."""
