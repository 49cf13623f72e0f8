"""Bytes that did not arrive, and bytes that are the wrong ones."""

from __future__ import annotations

from .base import StowError


class TransferError(StowError):
    """The bytes did not arrive; trying again may help."""

    code = "transfer_failed"
    http_status = 502
    exit_code = 7
    retryable = True


class ConnectFailedError(TransferError):
    """No connection: name resolution, refusal, time-out or TLS."""

    code = "connect_failed"


class CertificateError(TransferError):
    """The TLS certificate is not to be trusted: unknown authority, another name, expired. Asking again is no use."""

    code = "certificate_untrusted"
    retryable = False
    default_hint = "behind a company proxy set SSL_CERT_FILE to its certificate; else do not trust the host"


class ServerError(TransferError):
    """The server answered 5xx or something that is no HTTP."""

    code = "server_error"


class StalledError(TransferError):
    """No progress for longer than the stall time-out."""

    code = "stalled"


class RangeRefusedError(TransferError):
    """The server's answer to a range request is not that range."""

    code = "range_refused"


class RemoteChangedError(TransferError):
    """The file at the source is no longer the one that was begun."""

    code = "remote_changed"


class TruncatedBodyError(TransferError):
    """The connection ended before the promised length."""

    code = "truncated_body"


class IntegrityError(StowError):
    """The bytes are not the ones that were promised."""

    code = "integrity"
    http_status = 502
    exit_code = 6


class ChecksumMismatchError(IntegrityError):
    """The digest differs."""

    code = "checksum_mismatch"


class SizeMismatchError(IntegrityError):
    """The length differs."""

    code = "size_mismatch"


class HeaderMismatchError(IntegrityError):
    """The model header does not fit the length of the file."""

    code = "header_mismatch"


class DangerousPickleError(IntegrityError):
    """A pickle that would run what no model needs, or that nobody can look into."""

    code = "dangerous_pickle"
    default_hint = "do not load it; look for a .safetensors of the same model"
