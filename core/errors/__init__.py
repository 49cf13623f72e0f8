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
    + TooManyTriesError        too many wrong secrets came from there: HTTP 429
  x NotFoundHereError          an id or route that we do not have: HTTP 404
  x ConflictError              the state does not allow it: HTTP 409
    + NotAttachedError         the engine does not know the caller's session (any more)
  x SourceError                the place a model comes from said no
    + NotFoundError  + AuthRequiredError  + LicenceRequiredError  + EarlyAccessError
    + DownloadsDisabledError  + GoneError  + RateLimitedError  + NotAModelError  + AmbiguousSourceError
  x EgressError                a host or address that we may not talk to
  x TransferError              the bytes did not arrive
    + ConnectFailedError  + CertificateError  + ServerError  + StalledError  + RangeRefusedError
    + RemoteChangedError  + TruncatedBodyError
  x IntegrityError             bytes arrived, and they are wrong
    + ChecksumMismatchError  + SizeMismatchError  + HeaderMismatchError  + DangerousPickleError
  x StorageError               the disk said no
    + NotEnoughSpaceError  + ReadOnlyError  + LockedError  + NameTakenError
  x HeaderError                a model file whose header cannot be read
  x ConfigError                a setting that cannot be used
  x EngineError                the engine process cannot be reached or started
    + EngineTooNewError
"""

from __future__ import annotations

from .base import StowError
from .request import (
    AccessError,
    ConfigError,
    ConflictError,
    EngineError,
    EngineTooNewError,
    FolderUnknownError,
    ForbiddenTypeError,
    InvalidNameError,
    InvalidReferenceError,
    ManifestError,
    MethodNotAllowedError,
    NotAttachedError,
    NotFoundHereError,
    SecretRequiredError,
    TooManyTriesError,
    UnknownFolderError,
    UsageError,
    WorkflowError,
)
from .source import (
    AmbiguousSourceError,
    AuthRequiredError,
    DownloadsDisabledError,
    EarlyAccessError,
    EgressError,
    GoneError,
    LicenceRequiredError,
    NotAModelError,
    NotFoundError,
    RateLimitedError,
    SourceError,
)
from .storage import HeaderError, LockedError, NameTakenError, NotEnoughSpaceError, ReadOnlyError, StorageError
from .transfer import (
    CertificateError,
    ChecksumMismatchError,
    ConnectFailedError,
    DangerousPickleError,
    HeaderMismatchError,
    IntegrityError,
    RangeRefusedError,
    RemoteChangedError,
    ServerError,
    SizeMismatchError,
    StalledError,
    TransferError,
    TruncatedBodyError,
)

__all__ = [
    "AccessError",
    "AmbiguousSourceError",
    "AuthRequiredError",
    "CertificateError",
    "ChecksumMismatchError",
    "ConfigError",
    "ConflictError",
    "ConnectFailedError",
    "DangerousPickleError",
    "DownloadsDisabledError",
    "EarlyAccessError",
    "EgressError",
    "EngineError",
    "EngineTooNewError",
    "FolderUnknownError",
    "ForbiddenTypeError",
    "GoneError",
    "HeaderError",
    "HeaderMismatchError",
    "IntegrityError",
    "InvalidNameError",
    "InvalidReferenceError",
    "LicenceRequiredError",
    "LockedError",
    "ManifestError",
    "MethodNotAllowedError",
    "NameTakenError",
    "NotAModelError",
    "NotAttachedError",
    "NotEnoughSpaceError",
    "NotFoundError",
    "NotFoundHereError",
    "RangeRefusedError",
    "RateLimitedError",
    "ReadOnlyError",
    "RemoteChangedError",
    "SecretRequiredError",
    "ServerError",
    "SizeMismatchError",
    "SourceError",
    "StalledError",
    "StorageError",
    "StowError",
    "TooManyTriesError",
    "TransferError",
    "TruncatedBodyError",
    "UnknownFolderError",
    "UsageError",
    "WorkflowError",
]
