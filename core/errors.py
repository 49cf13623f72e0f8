"""The one tree of errors; every layer maps them by attribute, never by the text of a message.

StowError
  x UsageError                 the caller asked for something that cannot be: exit 2, HTTP 400
    + InvalidReferenceError    a text that names no source we know
    + InvalidNameError         a file or folder name that may not be used
    + UnknownFolderError       a folder name that the installation does not have
    + ForbiddenTypeError       a file type that a setting keeps out
    + MethodNotAllowedError    the route is there, with another method: HTTP 405
    + FolderUnknownError       nothing says in which folder a file belongs; the caller chooses
    + WorkflowError            a document that is no workflow, or one beyond our limits
    + ManifestError            a manifest or lock that cannot be used, with the line
  x AccessError                the request itself is not allowed: HTTP 403
    + SecretRequiredError      it comes from another machine, without the access secret
  x NotFoundHereError          an id or route that we do not have: HTTP 404
  x ConflictError              the state does not allow it: HTTP 409
    + NotAttachedError         the engine does not know the caller's session (any more)
  x SourceError                the place a model comes from said no
    + NotFoundError  + AuthRequiredError  + LicenceRequiredError  + EarlyAccessError
    + DownloadsDisabledError  + GoneError  + RateLimitedError  + NotAModelError  + AmbiguousSourceError
  x EgressError                a host or address that we may not talk to
  x TransferError              the bytes did not arrive
    + ConnectFailedError  + ServerError  + StalledError  + RangeRefusedError  + RemoteChangedError  + TruncatedBodyError
  x IntegrityError             bytes arrived, and they are wrong
    + ChecksumMismatchError  + SizeMismatchError  + HeaderMismatchError
  x StorageError               the disk said no
    + NotEnoughSpaceError  + ReadOnlyError  + LockedError  + NameTakenError
  x HeaderError                a model file whose header cannot be read
  x ConfigError                a setting that cannot be used
  x EngineError                the engine process cannot be reached or started
    + EngineTooNewError
"""

from __future__ import annotations

from typing import ClassVar


class StowError(Exception):
    """Base of all errors that a user sees.

    `code` is stable and machine-readable; `hint` says what to do; `retryable` is true where the same request may
    succeed later without anybody changing anything.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str | None] = None

    def __init__(self, message: str, *, hint: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.retry_after_seconds = retry_after_seconds


class UsageError(StowError):
    """The request cannot be understood."""

    code = "usage"
    http_status = 400
    exit_code = 2


class InvalidReferenceError(UsageError):
    """A text that names no source we know."""

    code = "invalid_reference"


class InvalidNameError(UsageError):
    """A name that could leave its folder or that a file system refuses."""

    code = "invalid_name"


class UnknownFolderError(UsageError):
    """A folder name that this ComfyUI does not have, or that never takes models."""

    code = "unknown_folder"


class ForbiddenTypeError(UsageError):
    """A file type that is kept out by a setting (pickle formats can run code)."""

    code = "forbidden_type"


class WorkflowError(UsageError):
    """A document that is no workflow, or one beyond our limits."""

    code = "bad_workflow"


class ManifestError(UsageError):
    """A manifest or lock that cannot be used; the message names the line."""

    code = "bad_manifest"


class FolderUnknownError(UsageError):
    """Neither caller, source, catalogue nor header says in which folder a file belongs."""

    code = "folder_unknown"


class AccessError(StowError):
    """The caller may not do this from where it is."""

    code = "access_denied"
    http_status = 403


class SecretRequiredError(AccessError):
    """A request from another machine without the access secret."""

    code = "secret_required"


class NotFoundHereError(StowError):
    """We have nothing under that id or route."""

    code = "not_found_here"
    http_status = 404


class MethodNotAllowedError(UsageError):
    """The route is there, with another method."""

    code = "method_not_allowed"
    http_status = 405


class ConflictError(StowError):
    """The current state does not allow the request."""

    code = "conflict"
    http_status = 409


class NotAttachedError(ConflictError):
    """The engine does not know the session that a request names; attaching again mends it."""

    code = "not_attached"
    retryable = True


class SourceError(StowError):
    """The place a model comes from refused or failed."""

    code = "source_error"
    http_status = 502


class NotFoundError(SourceError):
    """The source has no such file."""

    code = "not_found_at_source"
    http_status = 404


class AuthRequiredError(SourceError):
    """The source wants a token, or another one."""

    code = "token_required"
    http_status = 401
    exit_code = 4


class LicenceRequiredError(SourceError):
    """The licence of a gated repository has not been accepted by the token's owner."""

    code = "licence_required"
    http_status = 403
    exit_code = 4


class EarlyAccessError(SourceError):
    """The author sells early access until a date."""

    code = "early_access"
    http_status = 403
    exit_code = 4


class DownloadsDisabledError(SourceError):
    """The author switched downloads off."""

    code = "downloads_disabled"
    http_status = 403


class GoneError(SourceError):
    """The source archived or removed the file."""

    code = "gone"
    http_status = 410


class RateLimitedError(SourceError):
    """The source asks us to slow down; `retry_after_seconds` says for how long, when it told."""

    code = "rate_limited"
    http_status = 429
    exit_code = 7
    retryable = True


class NotAModelError(SourceError):
    """What came is a web page, a login form, an LFS pointer or an XML error, not a model."""

    code = "not_a_model"


class AmbiguousSourceError(SourceError):
    """Several files fit; the hint lists the choices."""

    code = "ambiguous_source"
    http_status = 409
    exit_code = 2


class EgressError(StowError):
    """A scheme, host, port or address that we may not talk to."""

    code = "host_not_allowed"
    http_status = 403
    exit_code = 7


class TransferError(StowError):
    """The bytes did not arrive; trying again may help."""

    code = "transfer_failed"
    http_status = 502
    exit_code = 7
    retryable = True


class ConnectFailedError(TransferError):
    """No connection: name resolution, refusal, time-out or TLS."""

    code = "connect_failed"


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


class StorageError(StowError):
    """The disk or the file system refused."""

    code = "storage"
    http_status = 507


class NotEnoughSpaceError(StorageError):
    """Not enough free space, with the floor that stays free."""

    code = "not_enough_space"
    exit_code = 5


class ReadOnlyError(StorageError):
    """The folder cannot be written."""

    code = "read_only"
    http_status = 403


class LockedError(StorageError):
    """Another process works on the same part."""

    code = "locked"
    http_status = 409
    retryable = True


class NameTakenError(StorageError):
    """A different file already has that name; nothing is overwritten."""

    code = "name_taken"
    http_status = 409


class HeaderError(StowError):
    """A model header that cannot be read."""

    code = "bad_header"
    http_status = 422
    exit_code = 6


class ConfigError(StowError):
    """A setting that cannot be used."""

    code = "bad_setting"
    http_status = 400
    exit_code = 2


class EngineError(StowError):
    """The engine process cannot be reached or started."""

    code = "engine_unavailable"
    http_status = 503
    retryable = True


class EngineTooNewError(EngineError):
    """A newer engine holds the state; this version must be updated."""

    code = "engine_too_new"
    retryable = False
