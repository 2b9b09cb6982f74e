"""``python -m twincli`` is ``twin``."""

from twincli.cli.main import entry

if __name__ == "__main__":
    entry()
