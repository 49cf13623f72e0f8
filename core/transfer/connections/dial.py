"""Opens non-blocking sockets to checked addresses, with TLS where it is asked for."""

from __future__ import annotations

import asyncio
import socket
import ssl

from ...errors import CertificateError, ConnectFailedError
from ...net.socks import SocksProxy
from .secure import SecureChannel


async def dial(
    key: tuple[str, str, int],
    address: str,
    *,
    tls: ssl.SSLContext | None,
    socks: SocksProxy | None = None,
    timeout_seconds: float,
) -> tuple[socket.socket, SecureChannel | None]:
    """Connect to one address that the gate has checked; the host's name is for SNI and the certificate only.

    Raises: CertificateError, ConnectFailedError; ConfigError: what the proxy says.
    """
    loop = asyncio.get_running_loop()
    channel = None
    if socks is not None:
        sock = await socks.connect(address, key[2], timeout_seconds)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(timeout_seconds):
            if socks is None:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(sock, (address, key[2]))
            if tls is not None:
                channel = SecureChannel(sock, tls, key[1])
                await channel.handshake(loop)
    except TimeoutError as err:
        sock.close()
        raise ConnectFailedError(f"cannot connect to `{key[1]}`: no answer in time", hint="check the network") from err
    except ssl.SSLCertVerificationError as err:
        sock.close()
        raise CertificateError(f"the TLS certificate of `{key[1]}` cannot be trusted: {err.verify_message}") from err
    except OSError as err:
        sock.close()
        raise ConnectFailedError(f"cannot connect to `{key[1]}`: {reason(err)}", hint="check the network") from err
    except BaseException:
        sock.close()
        raise
    return sock, channel


def reason(err: OSError) -> str:
    """Return an operating-system error in few words."""
    return (err.strerror or str(err) or type(err).__name__)[:160]
