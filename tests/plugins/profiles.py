"""Hypothesis profiles: ``default``, ``ci`` and ``nightly``; ``--hypothesis-profile`` chooses."""

from __future__ import annotations

from hypothesis import settings

# No deadlines: a slow machine is no fault of the code, and budgets are kept by benchmarks.
settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile("default")
