"""Numbers from readings: exact sums, buckets, summaries, samples. Pure; needs ``numpy``."""
