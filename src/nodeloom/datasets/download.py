"""Fetch a file: to a temporary file, checked, then renamed."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.datasets.cache import written
from nodeloom.errors import DatasetError
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.datasets.registry import Source

Progress = Callable[[str, int, int | None], None]
"""Called with the name of the file, the bytes received, and the bytes to come in all (None if not announced)."""

_TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 20


def fetch(source: Source, folder: Path, progress: Progress | None = None) -> Path:
    """Return the path of a file from the network, fetching it if it is not in `folder`.

    Parameters
    ----------
    source : Source
        What to fetch.
    folder : Path
        Where to keep it.
    progress : callable, optional
        Called after each block.

    Raises
    ------
    DatasetError
        No place could be reached, the file came incomplete, or its checksum is wrong. Nothing is left behind.
    """
    path = folder / source.file_name
    if not path.exists():
        reasons = []
        for url in source.urls:
            try:
                _download(url, path, source.sha256, progress)
                break
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                reasons.append(f"{url}: {getattr(error, 'reason', None) or error}")
        else:
            raise DatasetError(
                f"{path.name}: cannot be fetched ({'; '.join(reasons)}). Download it by other means from "
                f"{source.urls[0]} and put it at {path}."
            )
    return path


def _download(url: str, path: Path, sha256: str | None, progress: Progress | None) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, written(path) as (temporary,):
        length = answer.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else None
        digest, received = hashlib.sha256(), 0
        with temporary.open("wb") as stream:
            while block := _read(answer, url):
                stream.write(block)
                digest.update(block)
                received += len(block)
                if progress is not None:
                    progress(path.name, received, total)
        if total is not None and received != total:
            raise DatasetError(f"{url}: expected {total} bytes, got {received}. The connection broke: try again.")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise DatasetError(f"{url}: expected sha256 {sha256}, got {digest.hexdigest()}. The file is not kept.")
    if sha256 is None:
        logger.warning(
            "%s is unverified: no checksum is known for it (its sha256 is %s).", path.name, digest.hexdigest()
        )


def _read(answer: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return answer.read(_BLOCK)
    except http.client.IncompleteRead as error:
        raise DatasetError(f"{url}: the connection broke after {len(error.partial)} more bytes: try again.") from None
    except OSError as error:
        raise DatasetError(f"{url}: the connection broke: {error}. Try again.") from None


def member(archive: Path, name: str) -> Path:
    """Return the path of a file of a zip archive, extracted beside it.

    Raises
    ------
    DatasetError
        The archive is damaged or has no such file.
    """
    path = archive.with_suffix("") / Path(name).name
    if path.exists():
        return path
    try:
        with zipfile.ZipFile(archive) as content:
            if name not in content.namelist():
                raise DatasetError(f"{archive}: expected the file {name!r}, got {content.namelist()[:5]}.")
            with content.open(name) as source, written(path) as (temporary,), temporary.open("wb") as target:
                shutil.copyfileobj(source, target)
    except zipfile.BadZipFile:
        raise DatasetError(f"{archive}: this is not a zip archive. Delete it and fetch it again.") from None
    return path
