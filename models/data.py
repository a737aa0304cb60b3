"""The 8x8 digits of scikit-learn: a fixed split into training, calibration and test samples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SPLIT_SEED = 2024
TEST_SAMPLES = 360
CALIBRATION_SAMPLES = 128
PIXEL_MAXIMUM = 16.0


@dataclass(frozen=True)
class Samples:
    """Images of shape (samples, 1, 8, 8), scaled to 0..1, and the digit each one shows."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    """The two disjoint parts of the data set."""

    training: Samples
    test: Samples

    @property
    def calibration(self) -> NDArray[np.float32]:
        """Return the training images that quantizers may look at (the order is already shuffled)."""
        return self.training.images[:CALIBRATION_SAMPLES]


def load() -> Digits:
    """Load the data set and split it, with every class equally represented in both parts."""
    bunch = load_digits()
    images = (bunch.images[:, np.newaxis] / PIXEL_MAXIMUM).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=TEST_SAMPLES, random_state=SPLIT_SEED, stratify=labels
    )
    return Digits(Samples(train_images, train_labels), Samples(test_images, test_labels))


def write(digits: Digits, folder: Path) -> None:
    """Write `digits_test.npz` and `digits_calibration.npz` into a folder."""
    np.savez_compressed(folder / "digits_test.npz", image=digits.test.images, labels=digits.test.labels)
    np.savez_compressed(folder / "digits_calibration.npz", image=digits.calibration)
