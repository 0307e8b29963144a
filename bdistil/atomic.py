"""Writing so that a reader, or a crash, sees the old file or the new one and never half of either."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def write_bytes(path: Path, content: bytes, durable: bool = True) -> None:
    """Write a file whole or not at all: temporary file in the same folder, fsync, rename.

    `durable=False` skips the fsync, for files such as the heartbeat that a crash may take along.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_json(path: Path, document: Mapping[str, object], durable: bool = True) -> None:
    """Write a JSON document whole or not at all."""
    write_bytes(path, json.dumps(document, indent=1, allow_nan=False).encode(), durable)


@contextmanager
def new_folder(path: Path, parents: bool = True) -> Iterator[Path]:
    """A folder that exists whole or not at all: fill the yielded temporary one, and it is synced and renamed.

    An existing folder of that name is replaced. The folder above it is made where it is missing, and those above that
    too unless `parents` is False: a directory that was removed meanwhile then stays removed, and OSError is raised.
    """
    path.parent.mkdir(parents=parents, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        temporary.chmod(0o755)
        yield temporary
        for file in temporary.rglob("*"):
            sync(file)
        sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
