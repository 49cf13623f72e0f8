"""The one TLS context: verified, with the system's roots and certifi's."""

from __future__ import annotations

import ssl
from functools import cache
from importlib import import_module


@cache
def ssl_context() -> ssl.SSLContext:
    """Return the shared context; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured by OpenSSL itself.

    certifi is added because containers and python.org's builds often have no system roots.
    """
    context = ssl.create_default_context()
    try:
        certifi = import_module("certifi")
    except ImportError:
        return context
    context.load_verify_locations(cafile=certifi.where())
    return context
