"""A host whose library stays broken: after one bad call every later one fails, as with CUDA."""

import os

import numpy as np

from convlaws.engines.fatal_errors import exit_on_fatal
from convlaws.errors import Refusal

STATE = {"broken": False}


def preload():
    pass


def set_threads(n):
    pass


def library():
    if STATE["broken"]:
        raise RuntimeError("an illegal memory access was encountered\nhow to debug it, in many lines")


def broken(call):
    STATE["broken"] = True
    library()


def stumble(call):
    raise RuntimeError("out of memory, for now")


def decline(call):
    STATE["broken"] = True
    raise Refusal("not here")


def who(call):
    return np.array([os.getpid()]), "int64"


def nothing(call):
    library()
    return np.zeros(1, np.float32), "float32"


DEEDS = {"break": broken, "stumble": stumble, "decline": decline, "who": who, "nothing": nothing}


def open_target(target):
    def answered(call):
        with exit_on_fatal(library):
            return DEEDS[target["do"]](call)

    return answered
