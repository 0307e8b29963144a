"""Which paths may be named in the browser: regular files and folders below a few folders of the user.

Whoever reaches the dashboard could name any file of the machine. The command line, whose user could open a file
anyway, follows every path.
"""

import os
from pathlib import Path

from bdistil.data.catalogue import data_home
from bdistil.errors import UserError, quoted
from bdistil.paths import DATA_ROOTS, absolute, home


def roots() -> list[Path]:
    """The folders, links resolved: the user's home, those of data sets and runs, the one that the dashboard was started
    in, and what `bdistil app --data-root` named. The whole disk is one only where it was named so."""
    own = [path.resolve() for path in (Path("~").expanduser(), data_home(), home(), Path.cwd())]
    named = [Path(each).resolve() for each in os.environ.get(DATA_ROOTS, "").split(os.pathsep) if each]
    return [path for path in own if path != Path(path.anchor)] + named


def followed(path: str) -> Path:
    """The absolute path of a file or folder below one of `roots`, or of nothing there.

    Raises UserError for any other path, before anything looks at what is there but to resolve links.
    """
    place = absolute(path)
    try:
        target = place.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long
        raise UserError(f"{quoted(path)} names no place on this machine: check the path.") from None
    if not any(target.is_relative_to(root) for root in roots()):
        raise UserError(
            f"{quoted(path)} lies outside the folders that this dashboard reads: put it below your home, or start the "
            "dashboard with bdistil app --data-root FOLDER."
        )
    if os.path.lexists(target) and not (os.path.isfile(target) or os.path.isdir(target)):
        raise UserError(f"{quoted(path)} is neither a regular file nor a folder: give one of these.")
    return place
