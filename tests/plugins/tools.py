"""Programs that some tests compare with."""

from __future__ import annotations

import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """Return the path of a program.

    Without it the test is skipped on a user's machine and fails where CI is set, so that what
    CI calls green has been run.
    """
    path = shutil.which(name)
    if path is None:
        message = f"the program {name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return path
