"""What joins sources, folders and queue: where a file goes, whether it is there already, whether it fits."""
