"""The whole suite."""

from . import foreign as foreign  # adds its cases
from . import near_misses as near_misses
from . import right as right
from . import wrong as wrong
from .cases import RIGHT, WRONG

CASES = (*WRONG, *RIGHT)
