"""Where a file goes, whether it is there already, whether it fits: what the queue asks before and after a transfer."""
