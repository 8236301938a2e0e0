"""The exceptions that convlaws raises on purpose.

Each derives from `HarnessError` and from the builtin exception that a caller would expect.
"""


class HarnessError(Exception):
    """Base of all errors of convlaws; the message is a sentence for its user."""


class SpecError(HarnessError, ValueError):
    """Sizes that are not a convolution; the message has the axis and both numbers."""


class LineError(HarnessError, ValueError):
    """A text that is not a problem line."""


class UnknownName(HarnessError, LookupError):
    """A name that is in no table; the message has the nearest names."""


class UsageError(HarnessError, ValueError):
    """A command or a call that cannot be carried out as given."""


class SchemaError(HarnessError, ValueError):
    """A line of a findings file that is not a record."""


class Refusal(HarnessError, NotImplementedError):
    """A valid request that is out of the method's scope: a verdict, not a failure."""


class LawBroken(HarnessError, AssertionError):
    """A law does not hold for a method on a problem."""
