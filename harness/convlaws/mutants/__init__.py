"""Methods that are wrong on purpose, each in one way, and the triggers that a problem must have for it to show.

A package that adds laws uses them to show that its laws see something:

>>> from convlaws.mutants import all_mutants
>>> [m.name for m in all_mutants() if m.needs == ("circular", "strided")]
[]
"""

from convlaws.mutants import (
    axes,
    behaviour,
    beyond,
    gradients,
    groups,
    healthy,
    healthy_layouts,
    indexing,
    layouts,
    numerics,
    orders,
    ownership,
    padding,
    processes,
    rounding,
    second_order,
    special_values,
    tails,
    thresholds,
    transposed,
)
from convlaws.mutants.registry import DEFECTS, Mutant, all_mutants, mutant, right
from convlaws.mutants.triggers import TRIGGERS, Trigger

__all__ = [
    "DEFECTS",
    "TRIGGERS",
    "Mutant",
    "Trigger",
    "all_mutants",
    "axes",
    "behaviour",
    "beyond",
    "gradients",
    "groups",
    "healthy",
    "healthy_layouts",
    "indexing",
    "layouts",
    "mutant",
    "numerics",
    "orders",
    "ownership",
    "padding",
    "processes",
    "right",
    "rounding",
    "second_order",
    "special_values",
    "tails",
    "thresholds",
    "transposed",
]
