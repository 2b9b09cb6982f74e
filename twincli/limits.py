"""What a child process that opens a stranger's file may use."""

from __future__ import annotations


def limit(memory_bytes: int, seconds: int) -> None:
    """Take away memory, time and writing to files from this process, where the system can.

    Args:
        memory_bytes: Address space, of which libraries reserve more than they use.
        seconds: Of the processor.
    """
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        return
    for which, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (least, least))
