"""`bdistil app`: the dashboard."""

import os
import sys
from typing import Annotated

import typer

from bdistil.errors import UserError, quoted
from bdistil.paths import DASHBOARD, DATA_ROOTS, absolute


def app_(
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="INTEGER", help="Port of the dashboard.")] = 8501,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Name or address that the dashboard answers to.")
    ] = "127.0.0.1",
    data_root: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder whose files may be named in the browser, beside your home, this folder, and "
            "those of data sets and runs; may be repeated.",
        ),
    ] = None,
) -> None:
    """Open the dashboard: what `streamlit run app/main.py` does."""
    import socket
    import subprocess

    named = [str(absolute(folder)) for folder in data_root or ()]
    for folder in named:
        if not os.path.isdir(folder) or os.pathsep in folder:
            raise UserError(f"{quoted(folder)} can be no --data-root: name a folder without {os.pathsep} in its path.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"Port {port} is in use. Choose another one: bdistil app --port {port + 1}.")
    main_file = DASHBOARD / "app" / "main.py"
    options = ["--server.port", str(port), "--server.address", host]
    roots = os.pathsep.join([*filter(None, [os.environ.get(DATA_ROOTS)]), *named])
    sys.exit(
        subprocess.call(
            [sys.executable, "-m", "streamlit", "run", str(main_file), *options], env={**os.environ, DATA_ROOTS: roots}
        )
    )
