"""Runs: where training writes and everyone else reads (store.py), what happened (events.py), starting (launch.py)."""

from bdistil.paths import home as home
from bdistil.runs.store import Run as Run
from bdistil.runs.store import RunInfo as RunInfo
from bdistil.runs.store import RunSummary as RunSummary
from bdistil.runs.store import create_run as create_run
from bdistil.runs.store import list_runs as list_runs
from bdistil.runs.store import open_run as open_run
