"""What the place a model comes from says, and places that we may not talk to."""

from __future__ import annotations

from .base import StowError


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
