"""Downloads the files of a data set: what is missing only, checked against its MD5, resumed where it broke off.

pooch checks each file and moves it into place when it is whole. What has arrived so far is kept beside it as `….part`,
so that a download that was interrupted, or killed, goes on from there the next time (HTTP range requests).
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from bdistil.errors import UserError

_CHUNK_BYTES = 1 << 16
_SECONDS_TO_ANSWER = 20


def download(name: str, url: str, folder: Path, md5s: Mapping[str, str], progress: bool) -> None:
    """Downloads the files of the data set `name` that are not in `folder` yet; those that are there stay untouched.

    url: where the files are, ending in `/`. md5s: the MD5 of each file, by file name.
    progress: whether to draw a progress bar for each file on standard error.
    Raises UserError without a network, or if a file arrives damaged, or if the folder can't be written. Two processes
    that want the same files take turns.
    """
    import pooch
    import requests
    from filelock import FileLock

    pooch.get_logger().setLevel(logging.WARNING)  # pooch announces every file on standard error
    source = pooch.create(folder, url, registry={file: f"md5:{md5}" for file, md5 in md5s.items()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".download.lock"):
            for file in md5s:
                if not (folder / file).exists():
                    source.fetch(file, downloader=_Resuming(folder / f"{file}.part", progress))
    except (requests.ConnectionError, requests.Timeout):
        raise UserError(f"There is no network and {name} is not here. Choose digits.") from None
    except requests.exceptions.ChunkedEncodingError:
        raise UserError(f"The download of {name} broke off. Start again to go on from there.") from None
    except requests.RequestException as error:
        raise UserError(f"{name} can't be downloaded ({error}). Try again later or choose digits.") from None
    except ValueError:  # pooch found another MD5 and has deleted what it had downloaded
        raise UserError(f"{file} arrived damaged (checksum differs). Start again to download it anew.") from None
    except OSError as error:
        raise UserError(
            f"The data folder {folder} can't be written ({error.strerror}). Set BDISTIL_DATA to one that can."
        ) from None


class _Resuming:
    """A downloader for pooch that collects a file in `part` and goes on with what an earlier try has left there."""

    def __init__(self, part: Path, progress: bool):
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Downloads `url` to `output_file`, trying again as long as every try brings something new."""
        import requests

        while True:
            before = self._bytes_here()
            try:
                self._go_on(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if self._bytes_here() <= before:
                    raise
        os.replace(self.part, output_file)

    def _bytes_here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> None:
        """Asks for the rest of the file and appends it to `part`."""
        import requests

        here = self._bytes_here()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        with requests.get(url, headers=headers, stream=True, timeout=_SECONDS_TO_ANSWER) as response:
            if here and response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()  # longer than the file, so it is no part of it
                return self._go_on(url)
            response.raise_for_status()
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
            self._append(response, here if resumed else 0)

    def _append(self, response, here: int) -> None:
        """Writes the body of `response` to `part`, after its first `here` bytes."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        with (
            open(self.part, "r+b" if here else "wb") as part,
            Progress(*columns, console=Console(stderr=True), disable=not self.progress) as bar,
        ):
            part.seek(here)
            length = response.headers.get("Content-Length")
            task = bar.add_task(self.part.stem, total=here + int(length) if length else None, completed=here)
            for chunk in response.iter_content(_CHUNK_BYTES):
                part.write(chunk)
                bar.update(task, advance=len(chunk))
