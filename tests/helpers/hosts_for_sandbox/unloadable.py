"""A host whose library is not there."""


def preload():
    raise ImportError("no library called spline")
