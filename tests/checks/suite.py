"""The whole suite."""

from . import right as right  # adds its cases
from . import wrong as wrong
from .cases import RIGHT, WRONG

CASES = (*WRONG, *RIGHT)
