"""What a caller asked for wrongly or may not have, and an engine that cannot be asked."""

from __future__ import annotations

from .base import StowError


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


class TooManyTriesError(AccessError):
    """Too many wrong access secrets came from there; `retry_after_seconds` says when to ask again."""

    code = "too_many_tries"
    http_status = 429
    retryable = True


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
