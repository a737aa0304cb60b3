"""Options are checked wherever they come from."""

import pytest

from rcompile.errors import UsageError
from rcompile.options import Options
from rcompile.precision import LayerBits, Precision


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


def test_the_last_rule_that_matches_wins():
    precision = Precision(8, 7, (("conv*", LayerBits(weight_bits=4)), ("conv2", LayerBits(weight_bits=3, adc_bits=6))))
    found = [precision.of(name) for name in ("conv1", "conv2", "fc")]
    assert [(b.weight_bits, b.input_bits, b.adc_bits) for b in found] == [(4, 7, None), (3, 7, 6), (8, 7, None)]


def test_bits_of_a_layer_are_checked():
    with pytest.raises(UsageError, match="adc_bits of a layer must be a whole number from 1 to 24, is 0"):
        LayerBits(adc_bits=0)
