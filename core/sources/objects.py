"""Object stores through obstore: S3, Google, Azure, and a folder in the same form.

The host comes from the environment (AWS_ENDPOINT_URL and its like) and never from a reference, which names only a
bucket and a key; so these requests do not pass the egress gate. Tests run on a real S3 server, on a folder and on
Azure's own test server; `gs://` goes through the same library untested.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import AuthRequiredError, ConfigError, ConflictError, NotFoundError, ServerError
from ..net.secrets import scrub
from ..records.source import StoreSource

_SCHEMES = ("s3://", "gs://", "az://", "file://")
_OPTIONS = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    ),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "az": (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_ENDPOINT",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a store tells of an object."""

    size_bytes: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or a folder of one. `url` is fit to be shown: it holds no credentials."""

    url: str
    store: Any

    @property
    def folder(self) -> Path | None:
        """The folder that the store is, when it is one."""
        return Path(self.url.removeprefix("file://")) if self.url.startswith("file://") else None

    async def info(self, key: str) -> ObjectInfo | None:
        """Return what the store knows of an object, None when there is none."""
        obstore = _obstore()
        try:
            with store_errors(f"{self.url}/{key}"):
                found = await obstore.head_async(self.store, key)
        except NotFoundError:
            return None
        return ObjectInfo(size_bytes=found["size"], etag=found.get("e_tag"))

    async def read_small(self, key: str) -> tuple[bytes, str | None] | None:
        """Return a small object and its ETag, None when there is none."""
        obstore = _obstore()
        try:
            with store_errors(f"{self.url}/{key}"):
                answer = await obstore.get_async(self.store, key)
                return bytes(await answer.bytes_async()), answer.meta.get("e_tag")
        except NotFoundError:
            return None

    async def create(self, key: str, content: bytes | Path) -> str | None:
        """Write an object that must not exist yet (`If-None-Match: *`) and return its ETag. Raises: ConflictError."""
        return await self._put(key, content, "create")

    async def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write over the object that has this ETag (`If-Match`). Raises: ConflictError: it has another.

        A folder has no such operation: there the look and the write are two steps, and in the moment between them two
        may both win. Who fetches a file twice for that does no harm.
        """
        if self.folder is not None:
            info = await self.info(key)
            if info is None or info.etag != etag:
                raise ConflictError(f"`{self.url}/{key}` was written by somebody else")
            return await self._put(key, content, "overwrite")
        return await self._put(key, content, {"e_tag": etag})

    async def _put(self, key: str, content: bytes | Path, mode: Any) -> str | None:
        obstore = _obstore()
        with store_errors(f"{self.url}/{key}"):
            result = await obstore.put_async(self.store, key, content, mode=mode)
        etag: str | None = result.get("e_tag")
        return etag

    async def keys(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """Yield key and size of the objects below a prefix, page by page."""
        obstore = _obstore()
        with store_errors(f"{self.url}/{prefix}"):
            async for page in obstore.list(self.store, prefix=prefix):
                for row in page:
                    yield row["path"], row["size"]

    async def delete(self, key: str) -> None:
        """Remove an object; it may be gone already."""
        obstore = _obstore()
        try:
            with store_errors(f"{self.url}/{key}"):
                await obstore.delete_async(self.store, key)
        except NotFoundError:
            return

    async def sign(self, key: str, lifetime_seconds: float) -> str:
        """Return an address that reads the object for a while; a folder gives the file's own."""
        if self.folder is not None:
            return (self.folder / key).as_uri()
        obstore = _obstore()
        with store_errors(f"{self.url}/{key}"):
            return str(await obstore.sign_async(self.store, "GET", key, timedelta(seconds=lifetime_seconds)))


def open_bucket(url: str, environment: Mapping[str, str], *, timeout_seconds: float = 60.0) -> Bucket:
    """Open a store by its URL with the credentials of an environment. Raises: ConfigError."""
    scheme = url.partition(":")[0]
    if not url.startswith(_SCHEMES):
        raise ConfigError(f"`{scrub(url)[:80]}` is no object store", hint="write s3://, gs://, az:// or file://")
    stores = _obstore("store")
    if scheme == "file":
        return Bucket(url.rstrip("/"), stores.LocalStore(Path(url.removeprefix("file://")), mkdir=True))
    options = {name: environment[name] for name in _OPTIONS[scheme] if environment.get(name)}
    if environment.get("AWS_ENDPOINT_URL_S3") and scheme == "s3":
        options["AWS_ENDPOINT_URL"] = environment["AWS_ENDPOINT_URL_S3"]
    plain = any(value.startswith("http://") for value in options.values())
    client = {"timeout": timedelta(seconds=timeout_seconds), "allow_http": plain}
    retry = {"max_retries": 3, "retry_timeout": timedelta(seconds=timeout_seconds)}
    with store_errors(url):
        store = stores.from_url(url, config=options, client_options=client, retry_config=retry)
    return Bucket(url.rstrip("/"), store)


def open_object(source: StoreSource, environment: Mapping[str, str]) -> tuple[Bucket, str]:
    """Return the bucket and the key that a reference names."""
    scheme, _, rest = source.url.partition("://")
    bucket, _, key = rest.partition("/")
    return open_bucket(f"{scheme}://{bucket}", environment), key


def _obstore(part: str = "") -> Any:
    """Import obstore, which few installations need."""
    try:
        return import_module(f"obstore.{part}" if part else "obstore")
    except ImportError:
        raise ConfigError("object stores need the package obstore", hint="pip install obstore") from None


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn obstore's errors into ours; their texts hold whole requests, so only the first line is told."""
    exceptions, shown = _obstore("exceptions"), scrub(where)
    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError) as err:
        raise NotFoundError(f"`{shown}` does not exist", hint="check bucket and key") from err
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as err:
        raise ConflictError(f"`{shown}` was written by somebody else") from err
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as err:
        raise AuthRequiredError(
            f"the store does not let us use `{shown}`", hint="set its credentials, AWS_ACCESS_KEY_ID for s3://"
        ) from err
    except (exceptions.BaseError, OSError, ValueError) as err:
        reason = scrub(str(err).split("\n", 1)[0])[:200]
        raise ServerError(f"the store failed at `{shown}`: {reason}", hint="it is tried again") from err
