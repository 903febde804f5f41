"""How many of n independent things happen at once, exactly."""

from fractions import Fraction
from functools import lru_cache


@lru_cache(maxsize=4096)
def quantile_99(n: int, probability: Fraction) -> int:
    """The smallest count that n independent things of that probability exceed at most 1 % of the time.

    In whole numbers, so that no rounding moves a result that lies on the boundary.
    """
    happens, does_not = probability.numerator, probability.denominator - probability.numerator
    if happens == 0:
        return 0
    # The weights C(n, k) happens^k does_not^(n-k) add up to denominator^n; from k = n down, until more than 1 %:
    total = probability.denominator**n
    weight, above, k = happens**n, 0, n
    while 100 * (above + weight) <= total:
        above += weight
        weight = weight * k * does_not // ((n - k + 1) * happens)
        k -= 1
    return k
