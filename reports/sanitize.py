"""Sanitize text that code under test may have written: limit its length, and remove what hides or reorders text.

Templates escape HTML; this module handles what escaping leaves: control characters, endless text, and
characters that change the direction of their neighbours or pile up over them.
"""

from __future__ import annotations

import re

LINE, MESSAGE, NAME = 400, 1500, 100  # characters shown of a problem line, of a message, of a name
_HIDDEN = re.compile(
    "[^\n\x20-\x7e\xa0-\u061b\u061d-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufdcf\ufdf0-\ufefe\uff00-\ufff8\U00010000-\U0001fffd]"
)
_PILED = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3,}")


def plain(text: object, most: int = NAME) -> str:
    """Return at most `most` characters of `text`, line breaks kept; characters that cannot be shown become U+FFFD.

    >>> plain("red \\x1b[31m")
    'red \ufffd[31m'
    >>> plain("x" * 1000, 10)
    'xxxxxxxxxx ... (1,000 characters)'
    """
    whole = str(text)
    shown = _PILED.sub("\ufffd", _HIDDEN.sub("\ufffd", whole[:most].replace("\t", " ")))
    return shown if len(whole) <= most else f"{shown} ... ({len(whole):,} characters)"


def one_line(text: object, most: int = NAME) -> str:
    """Return the first line of `text`, sanitized as by `plain`."""
    return plain(str(text).partition("\n")[0], most)


def ratio(value: float) -> str:
    """Format an error over slack with two digits.

    >>> ratio(0.0), ratio(0.314159), ratio(1234.5)
    ('0', '0.31', '1.2e+03')
    """
    return "0" if value == 0 else f"{value:.2g}"


def number(text: str) -> str:
    """Return the shortest text of a number that loses no precision.

    >>> number("5.5101297694794727e-40"), number("2"), number("nan")
    ('5.510129769479473e-40', '2', 'nan')
    """
    try:
        value = float(text)
    except (ValueError, TypeError):
        return plain(text, 30)
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 and value else repr(value).removesuffix(".0")
