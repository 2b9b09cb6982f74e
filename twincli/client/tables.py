"""Where tables are published: a directory, or an object store by its URL (``twincli[lake]``).

A file appears whole or not at all, and one that is written as new never takes another's place: two
writers of one table cannot both be right.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from twincli import files
from twincli.errors import ConfigError, ConflictError, NotFoundError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_AWS = (
    *("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    "AWS_METADATA_ENDPOINT",
)
_GOOGLE = (
    *("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT_KEY"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_BEARER_TOKEN", "GOOGLE_SKIP_SIGNATURE"),
    "GCE_METADATA_HOST",
)
_AZURE = (
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY"),
    *("AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"),
    *("AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
    *("AZURE_USE_AZURE_CLI", "AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE"),
    *("AZURE_MSI_ENDPOINT", "AZURE_IDENTITY_ENDPOINT", "IDENTITY_ENDPOINT"),
)
CREDENTIALS = {
    **dict.fromkeys(("s3", "s3a"), _AWS),
    "gs": _GOOGLE,
    **dict.fromkeys(("az", "abfs", "abfss"), _AZURE),
}
"""For each scheme, the variables that say who asks; the last one has the machine's cloud asked."""
SCHEMES = tuple(CREDENTIALS)
_GCLOUD = "~/.config/gcloud/application_default_credentials.json"
_PIECE = 8 << 20
_READABLE = 0o644


class Place(Protocol):
    """Where the files of a table are. Names have parts, divided by ``/``."""

    location: str
    """As readers of the table name it."""

    def names(self, prefix: str) -> dict[str, int]:
        """Return the names of files in a directory below the table, each with its size."""

    def is_empty(self) -> bool:
        """Say whether nothing is there."""

    def read(self, name: str) -> bytes:
        """Return a file."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file, in the place of one that is there."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Write a file unless it already exists; return whether it was written."""

    def copy(self, name: str, source: str) -> None:
        """Write a file from one of this machine, in the place of one that is there."""


def opened(where: str, variables: Collection[str] = ()) -> Place:
    """Return the place that a directory or a URL names.

    Args:
        where: The directory or URL.
        variables: Those of the environment that are set.

    Raises:
        UsageError: The URL is not one that is known.
        ConfigError: ``missing_extra``; ``no_credentials``: nothing says who asks.
    """
    scheme, mark, rest = where.partition("://")
    if not mark:
        return Directory(where)
    if scheme == "file":
        return Directory(rest)
    if scheme not in SCHEMES:
        raise UsageError(
            f"{where} is not a URL of an object store",
            hint=f"a directory, or a URL with {', '.join(SCHEMES)}",
        )
    store = Objects(where)
    known = CREDENTIALS[scheme]
    # Without any, the client would ask an address that only machines of a cloud have.
    if not set(known) & set(variables) and not (scheme == "gs" and _has_gcloud()):
        raise ConfigError(
            f"there are no credentials for {where}",
            code="no_credentials",
            hint=f"set {known[0]}; or {known[-1]}, where this machine's cloud gives them",
        )
    return store


def _has_gcloud() -> bool:
    return os.path.isfile(os.path.expanduser(_GCLOUD))


class Directory:
    """A directory of this machine."""

    def __init__(self, path: str) -> None:
        self.location = os.path.abspath(path)
        if os.path.exists(self.location) and not os.path.isdir(self.location):
            raise ConflictError(f"{path} is not a directory", code="exists")

    def _path(self, name: str) -> str:
        return os.path.join(self.location, *name.split("/"))

    def names(self, prefix: str) -> dict[str, int]:
        try:
            with os.scandir(self._path(prefix)) as found:
                return {entry.name: entry.stat().st_size for entry in found if entry.is_file()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise files.cannot("read", self._path(prefix), error) from error

    def is_empty(self) -> bool:
        try:
            return not os.listdir(self.location)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise files.cannot("read", self.location, error) from error

    def read(self, name: str) -> bytes:
        try:
            with open(self._path(name), "rb") as file:
                return file.read()
        except OSError as error:
            raise files.cannot("read", self._path(name), error) from error

    def put(self, name: str, data: bytes) -> None:
        with self._incoming(name, overwrite=True) as file:
            file.write(data)
            file.path = self._path(name)

    def put_new(self, name: str, data: bytes) -> bool:
        try:
            with self._incoming(name, overwrite=False) as file:
                file.write(data)
                file.path = self._path(name)
        except ConflictError:
            return False
        return True

    def copy(self, name: str, source: str) -> None:
        with self._incoming(name, overwrite=True) as file, open(source, "rb") as held:
            for piece in _pieces(held):
                file.write(piece)
            file.path = self._path(name)

    def _incoming(self, name: str, *, overwrite: bool) -> Any:
        directory = os.path.dirname(self._path(name))
        try:
            os.makedirs(directory, exist_ok=True)  # for others to read, unlike what a home has
        except OSError as error:
            raise files.cannot("write", directory, error) from error
        return files.incoming(directory, mode=_READABLE, overwrite=overwrite)


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


class Objects:
    """An object store.

    Where it is and who asks is what the store's own tools have in the environment, such as
    ``AWS_ACCESS_KEY_ID``.
    """

    def __init__(self, url: str) -> None:
        try:
            import obstore
            from obstore import exceptions
            from obstore.store import from_url
        except ImportError as error:
            raise ConfigError(
                "an object store needs an extra package, obstore",
                code="missing_extra",
                hint='pip install "twincli[lake]"',
            ) from error
        self.location = url.rstrip("/")
        self._obstore = obstore
        try:
            self._store = from_url(self.location)
        except (exceptions.BaseError, ValueError, OSError) as error:
            raise UsageError(f"{url} cannot be used: {_why(error)}") from error

    def names(self, prefix: str) -> dict[str, int]:
        found = self._asked("list_with_delimiter", prefix)
        return {item["path"].rpartition("/")[2]: item["size"] for item in found["objects"]}

    def is_empty(self) -> bool:
        found = self._asked("list_with_delimiter", None)
        return not found["objects"] and not found["common_prefixes"]

    def read(self, name: str) -> bytes:
        return bytes(self._asked("get", name).bytes())

    def put(self, name: str, data: bytes) -> None:
        self._asked("put", name, data)

    def put_new(self, name: str, data: bytes) -> bool:
        try:
            self._asked("put", name, data, mode="create")
        except ConflictError:
            return False
        return True

    def copy(self, name: str, source: str) -> None:
        with open(source, "rb") as file:
            self._asked("put", name, file)

    def _asked(self, method: str, *given: Any, **options: Any) -> Any:
        from obstore import exceptions

        try:
            return getattr(self._obstore, method)(self._store, *given, **options)
        except exceptions.AlreadyExistsError as error:
            raise ConflictError(f"{given[0]} already exists", code="exists") from error
        except (FileNotFoundError, exceptions.NotFoundError) as error:
            raise NotFoundError(f"{self.location} has no {given[0]}", code="not_found") from error
        except (exceptions.BaseError, OSError) as error:
            raise UnreachableError(
                f"{self.location} cannot be used: {_why(error)}", code="store_error"
            ) from error


def _why(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
