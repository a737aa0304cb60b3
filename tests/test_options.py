"""Options are checked wherever they come from."""

import pytest

from rcompile.errors import UsageError
from rcompile.options import Options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_bits": 0}, "weight_bits must be a whole number from 1 to 24, is 0"),
        ({"input_bits": 25}, "input_bits must be a whole number from 1 to 24, is 25"),
        ({"exact_samples": -1}, "exact_samples must be a whole number from 0 to 2147483648, is -1"),
        ({"weight_bits": 8.0}, "weight_bits must be a whole number from 1 to 24, is 8.0"),
    ],
)
def test_a_choice_out_of_range_is_refused(changes, message):
    with pytest.raises(UsageError) as error:
        Options(**changes)
    assert error.value.message == message
