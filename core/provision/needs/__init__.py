"""What somebody wants on a machine, from workflow to lock: found, chosen, weighed and brought."""
