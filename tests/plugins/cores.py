"""Whole runs use every core; runs of named files stay in one process, where they begin sooner."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Count the workers of ``-n auto``: one more than cores, for many tests wait for a process."""
    if config.args_source != pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return (os.cpu_count() or 1) + 1
