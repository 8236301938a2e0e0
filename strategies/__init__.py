"""Which problems to draw: Hypothesis strategies, valid by construction, for our laws and for other people's tests."""

from convlaws.strategies.corners import Corner, corners
from convlaws.strategies.problems import problems
from convlaws.strategies.specs import conv_specs

__all__ = ["Corner", "conv_specs", "corners", "problems"]
