"""What the disk says, and files that cannot be read."""

from __future__ import annotations

from .base import StowError


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
