"""Opens non-blocking sockets to checked addresses, with TLS where it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from ..errors import ConnectFailedError


async def once_ready(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    add: Callable[..., object],
    remove: Callable[[int], object],
) -> None:
    """Wait until a socket can be read or written (`add` and `remove` are the loop's own)."""
    future: asyncio.Future[None] = loop.create_future()
    descriptor = sock.fileno()
    if descriptor < 0:
        raise ConnectionAbortedError("closed")
    add(descriptor, _settle, future)
    try:
        await future
    finally:
        if sock.fileno() == descriptor:
            with contextlib.suppress(OSError, ValueError):
                remove(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def dial(
    key: tuple[str, str, int],
    address: str,
    *,
    tls: ssl.SSLContext | None,
    timeout_seconds: float,
) -> socket.socket:
    """Connect to one address that the gate has checked; the host's name is for SNI and the certificate only.

    Raises: ConnectFailedError.
    """
    loop = asyncio.get_running_loop()
    sock: socket.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(timeout_seconds):
            await loop.sock_connect(sock, (address, key[2]))
            if tls is not None:
                sock = tls.wrap_socket(
                    sock, server_hostname=key[1], do_handshake_on_connect=False, suppress_ragged_eofs=False
                )
                await _handshake(loop, sock)
    except TimeoutError as err:
        sock.close()
        raise ConnectFailedError(f"cannot connect to `{key[1]}`: no answer in time", hint="check the network") from err
    except ssl.SSLCertVerificationError as err:
        sock.close()
        raise ConnectFailedError(
            f"the TLS certificate of `{key[1]}` cannot be trusted: {err.verify_message}",
            hint="behind a company proxy set SSL_CERT_FILE to its certificate; else do not trust the host",
        ) from err
    except OSError as err:
        sock.close()
        raise ConnectFailedError(f"cannot connect to `{key[1]}`: {reason(err)}", hint="check the network") from err
    except BaseException:
        sock.close()
        raise
    return sock


async def _handshake(loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket) -> None:
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await once_ready(loop, sock, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await once_ready(loop, sock, loop.add_writer, loop.remove_writer)
        else:
            return


def reason(err: OSError) -> str:
    """Return an operating-system error in few words."""
    return (err.strerror or str(err) or type(err).__name__)[:160]
