"""The way out: which hosts and addresses we talk to, with whose token, and how one request is made."""
