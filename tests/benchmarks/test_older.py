"""How the benchmarks find in an older commit what stands elsewhere today."""

import pytest

from benchmarks import older
from stratum_miner.backends.cpu import kernels


def test_the_first_place_that_exists_counts() -> None:
    assert older.named("no_such_module:a", "math:no_such_name", "math:pi", "math:e") == 3.141592653589793
    with pytest.raises(ImportError, match="none of no_such_module:a, math:x"):
        older.named("no_such_module:a", "math:x")


def test_the_speed_of_a_kernel_is_of_both_times() -> None:
    wall, processor = older.speed(kernels.available_kernels()[0], 0.002)
    assert 0 < wall <= processor * 1.5
