"""Every exception that convlaws raises on purpose.

Each derives from `HarnessError` and from the builtin a caller would expect.
"""


class HarnessError(Exception):
    """Something that convlaws refuses, in a sentence for its user."""


class SpecError(HarnessError, ValueError):
    """Sizes that are no convolution: an axis and both numbers are in the message."""


class LineError(HarnessError, ValueError):
    """A text that is no problem line."""


class UnknownName(HarnessError, LookupError):
    """A name that is in no table; the message has the nearest that are."""


class UsageError(HarnessError, ValueError):
    """A command or a call that cannot be carried out as it stands."""


class SchemaError(HarnessError, ValueError):
    """A line of a findings file that is no record."""


class Refusal(HarnessError, NotImplementedError):
    """A method says that a valid request is out of its scope: a verdict, no failure."""


class LawBroken(HarnessError, AssertionError):
    """A law does not hold for a method on a problem."""
