"""What a user can choose, beyond model, data and target."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Choices of one compilation.

    Attributes:
        weight_bits: of float models' weights, 1 to 16; quantized models keep their own.
        input_bits: of float models' activations, 1 to 16.
        replicate: copy matrices until the target's crossbars are used, for the shortest pipeline interval.
        verify: execute the program and compare it with the model.
        exact_samples: samples of the exact comparison; 0: as many as a work limit of some seconds allows.
        seed: of everything that is drawn at random.
    """

    weight_bits: int = 8
    input_bits: int = 8
    replicate: bool = False
    verify: bool = True
    exact_samples: int = 0
    seed: int = 0
