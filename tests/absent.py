"""What a machine lacks: a test that needs it is skipped with the reason, and fails under CI, where nothing may lack."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Ends the test: `what` is missing here, and how to get it, in one sentence."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} Under CI no test is skipped for it.", pytrace=False)
    pytest.skip(what)
