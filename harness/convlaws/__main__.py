"""`python -m convlaws` and the command `convlaws`: only the standard library is imported until the command is known."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    from convlaws.sandbox.interrupt import guard

    guard()  # before the first slow import
    from convlaws.cli.app import cli

    sys.exit(cli())


if __name__ == "__main__":
    main()
