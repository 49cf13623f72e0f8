"""The services of a pod: what each is, how it is started, watched, restarted and ended."""
