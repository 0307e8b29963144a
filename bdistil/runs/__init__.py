"""Runs: where training writes and everyone else reads (store.py), naming and deleting (manage.py), what happened
(events.py), starting (launch.py).
"""

from bdistil.paths import home as home
from bdistil.runs.manage import delete_run as delete_run
from bdistil.runs.manage import empty_trash as empty_trash
from bdistil.runs.manage import note_run as note_run
from bdistil.runs.manage import rename_run as rename_run
from bdistil.runs.manage import restore_run as restore_run
from bdistil.runs.store import Run as Run
from bdistil.runs.store import RunInfo as RunInfo
from bdistil.runs.store import RunSummary as RunSummary
from bdistil.runs.store import create_run as create_run
from bdistil.runs.store import list_runs as list_runs
from bdistil.runs.store import open_run as open_run
