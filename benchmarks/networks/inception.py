"""GoogLeNet (Szegedy et al. 2015) and Inception-v3 (Szegedy et al. 2016), without auxiliary classifiers."""

from networks.builder import Network, Tensor

GOOGLENET = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
"""Channels of 1 x 1, 3 x 3 reduced, 3 x 3, 5 x 5 reduced, 5 x 5 and pooled branches (table 1 of the paper)."""

POOL_BEFORE = {2, 7}


def googlenet() -> tuple[Network, Tensor]:
    """GoogLeNet; local response normalisation left out, as later implementations do."""
    net = Network("googlenet", (3, 224, 224))
    x = net.pool(net.conv(net.input, 64, 7, 2), "MaxPool", 3, 2, ceil=True)
    x = net.pool(net.conv(net.conv(x, 64, 1), 192, 3), "MaxPool", 3, 2, ceil=True)
    for index, (one, reduced3, three, reduced5, five, pooled) in enumerate(GOOGLENET):
        if index in POOL_BEFORE:
            x = net.pool(x, "MaxPool", 3, 2, ceil=True)
        x = net.concat(
            net.conv(x, one, 1),
            net.conv(net.conv(x, reduced3, 1), three, 3),
            net.conv(net.conv(x, reduced5, 1), five, 5),
            net.conv(net.pool(x, "MaxPool", 3, 1, pad=1), pooled, 1),
        )
    return net, net.linear(net.average(x), 1000)


def inception_v3(size: int = 299) -> tuple[Network, Tensor]:
    """Inception-v3; images of 224 pixels are what PIMCOMP maps."""
    net = Network("inception_v3", (3, size, size))
    x = net.conv(net.conv(net.conv(net.input, 32, 3, 2, pad=0), 32, 3, pad=0), 64, 3)
    x = net.pool(x, "MaxPool", 3, 2)
    x = net.pool(net.conv(net.conv(x, 80, 1), 192, 3, pad=0), "MaxPool", 3, 2)
    for pooled in (32, 64, 64):
        x = module_a(net, x, pooled)
    x = net.concat(
        net.conv(x, 384, 3, 2, pad=0),
        net.conv(net.conv(net.conv(x, 64, 1), 96, 3), 96, 3, 2, pad=0),
        net.pool(x, "MaxPool", 3, 2),
    )
    for inner in (128, 160, 160, 192):
        x = module_c(net, x, inner)
    y = net.conv(net.conv(net.conv(x, 192, 1), 192, (1, 7)), 192, (7, 1))
    x = net.concat(
        net.conv(net.conv(x, 192, 1), 320, 3, 2, pad=0), net.conv(y, 192, 3, 2, pad=0), net.pool(x, "MaxPool", 3, 2)
    )
    for _ in range(2):
        x = module_e(net, x)
    return net, net.linear(net.average(x), 1000)


def module_a(net: Network, x: Tensor, pooled: int) -> Tensor:
    """1 x 1, 5 x 5, twice 3 x 3, and pooled branches (figure 5)."""
    return net.concat(
        net.conv(x, 64, 1),
        net.conv(net.conv(x, 48, 1), 64, 5),
        net.conv(net.conv(net.conv(x, 64, 1), 96, 3), 96, 3),
        net.conv(net.pool(x, "AveragePool", 3, 1, pad=1), pooled, 1),
    )


def module_c(net: Network, x: Tensor, inner: int) -> Tensor:
    """7 x 7 convolutions as pairs of 1 x 7 and 7 x 1 (figure 6)."""
    single = net.conv(net.conv(net.conv(x, inner, 1), inner, (1, 7)), 192, (7, 1))
    double = net.conv(net.conv(net.conv(x, inner, 1), inner, (7, 1)), inner, (1, 7))
    double = net.conv(net.conv(double, inner, (7, 1)), 192, (1, 7))
    pooled = net.conv(net.pool(x, "AveragePool", 3, 1, pad=1), 192, 1)
    return net.concat(net.conv(x, 192, 1), single, double, pooled)


def module_e(net: Network, x: Tensor) -> Tensor:
    """3 x 3 convolutions as 1 x 3 and 3 x 1 side by side (figure 7)."""
    single = net.conv(x, 384, 1)
    double = net.conv(net.conv(x, 448, 1), 384, 3)
    return net.concat(
        net.conv(x, 320, 1),
        net.conv(single, 384, (1, 3)),
        net.conv(single, 384, (3, 1)),
        net.conv(double, 384, (1, 3)),
        net.conv(double, 384, (3, 1)),
        net.conv(net.pool(x, "AveragePool", 3, 1, pad=1), 192, 1),
    )
