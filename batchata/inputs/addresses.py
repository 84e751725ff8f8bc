"""Read files at addresses (`s3://…`, `gs://…`, `memory://…`) through fsspec."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from batchata.errors import (
    BatchataError,
    ConfigurationError,
    FileInputError,
    InvalidInputError,
    ProviderUnavailableError,
)

_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(?=[^/\s])")
_PASSWORD: Final = re.compile(r"[^/]*://[^/@]*:[^/@]*@")
# Known by name before fsspec is imported, or where it is not installed; the extra that reads them, if any.
_EXTRAS: Final = {"s3": "batchata[s3]", "s3a": "batchata[s3]", "gs": "batchata[gs]", "gcs": "batchata[gs]"}
_KNOWN: Final = frozenset(
    {*_EXTRAS, "memory", "az", "abfs", "abfss", "adl", "hdfs", "hf", "oss", "oci", "sftp", "ssh"}
)
# Not files of a storage: local ones, web pages, and ways of reading other addresses.
_NONE: Final = frozenset(
    {
        *(
            "file",
            "local",
            "http",
            "https",
            "ftp",
            "data",
            "git",
            "github",
            "gist",
            "jupyter",
            "jlab",
            "pyscript",
        ),
        *("dir", "dask", "reference", "generic", "zip", "tar", "libarchive", "asynclocal", "asyncwrapper"),
        *("async_wrapper", "blockcache", "cached", "filecache", "simplecache"),
    }
)


def is_address(text: str) -> bool:
    """Whether the text is the address of a file that fsspec reads, or would if it were installed."""
    found = _ADDRESS.match(text)
    if found is None or (scheme := found[1].lower()) in _NONE:
        return False
    return scheme in _KNOWN or scheme in _protocols()


@cache
def _protocols() -> frozenset[str]:
    try:
        import fsspec
    except ImportError:
        return frozenset()
    return frozenset(fsspec.available_protocols())


def address_of(item: Any) -> Any:
    """Return the address that a `UPath` stands for; anything else as it is.

    Raises InvalidInputError for an address with options of its own: they may be secrets, which no log may
    hold, and a later start would not have them.
    """
    text = str(item) if hasattr(item, "storage_options") and hasattr(item, "protocol") else ""
    if not is_address(text):
        return item
    if item.storage_options:
        names = ", ".join(sorted(item.storage_options))
        raise InvalidInputError(
            f"{text} has options of its own ({names}), which the log would not keep for the next start; give "
            "them to every process by the environment (AWS_PROFILE, FSSPEC_S3_ANON=true) or in fsspec's "
            "configuration file"
        )
    return text


def read_address(address: str, place: str, most: int, too_large: Callable[[int], str]) -> bytes:
    """Read the bytes of the file at an address, which messages call `place`.

    Raises FileInputError when it cannot be read or has more than `most` bytes, with what `too_large` says of
    its size. Raises ConfigurationError for what this process lacks, and ProviderUnavailableError when the
    storage did not answer but may do so later. Raises InvalidInputError for an address with a password, which
    no log may hold.
    """
    if _PASSWORD.match(address):
        raise InvalidInputError(
            "an address among the files has a password in it, which the log would keep; give it to every "
            "process by the environment or in fsspec's configuration file"
        )
    try:
        data = _read(address, place, most)
    except FileNotFoundError as exc:
        raise FileInputError(f"{place} does not exist; check bucket and name") from exc
    except PermissionError as exc:
        raise FileInputError(
            f"{place} cannot be read with the rights of this process ({exc}); change them, or the "
            "credentials in its environment"
        ) from exc
    except BatchataError:
        raise
    except Exception as exc:
        raise _unread(place, exc) from exc
    if isinstance(data, int):
        raise FileInputError(too_large(data))
    return data


def _read(address: str, place: str, most: int) -> bytes | int:
    """Return the file's bytes, or only their number where there are more than `most`."""
    system, path = _system(address)
    found = system.info(path)
    if found["type"] == "directory":
        raise FileInputError(f"{place} is a folder; list its files, for example with fsspec's glob()")
    if (size := found.get("size") or 0) > most:
        return int(size)
    if found.get("size") == 0:
        return b""  # S3 refuses to read any range of it
    data: bytes = system.cat_file(path, end=most + 1)  # it may have grown since
    return data if len(data) <= most else len(data)


def _system(address: str) -> tuple[Any, str]:
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    try:
        import fsspec

        return fsspec.core.url_to_fs(f"{scheme}://{rest}")  # type: ignore[no-any-return]  # fsspec has no types
    except ImportError as exc:
        extra = _EXTRAS.get(scheme)
        cure = f"pip install '{extra}'" if extra else "install what is missing"
        raise ConfigurationError(
            f"{scheme}:// addresses cannot be read here ({exc}); {cure}, wherever the workers are, too"
        ) from exc


def _unread(place: str, exc: Exception) -> ConfigurationError | ProviderUnavailableError:
    said = f"{place} cannot be read now ({type(exc).__name__}: {exc})"
    if "Credentials" in type(exc).__name__:
        return ConfigurationError(f"{said}; give this process credentials, as in ~/.aws or its environment")
    return ProviderUnavailableError(said, kind="storage_unavailable")
