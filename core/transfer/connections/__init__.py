"""From an address to a connection: sockets, TLS, HTTP heads, redirects, connections that are kept."""
