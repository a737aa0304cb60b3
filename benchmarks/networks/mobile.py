"""Networks of depthwise and grouped convolutions."""

from networks.builder import Network, Tensor

MOBILENET_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Channels and stride of each separable convolution."""

MOBILENET_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, channels, units and first stride of each stage (table 2 of the paper)."""


def mobilenet_v1() -> tuple[Network, Tensor]:
    """MobileNet (Howard et al. 2017)."""
    net = Network("mobilenet_v1", (3, 224, 224))
    x = net.conv(net.input, 32, 3, 2)
    for channels, stride in MOBILENET_V1:
        x = net.conv(net.conv(x, x.channels, 3, stride, groups=x.channels), channels, 1)
    return net, net.linear(net.average(x), 1000)


def mobilenet_v2() -> tuple[Network, Tensor]:
    """MobileNetV2 (Sandler et al. 2018); Relu in place of Relu6."""
    net = Network("mobilenet_v2", (3, 224, 224))
    x = net.conv(net.input, 32, 3, 2)
    for expansion, channels, count, first in MOBILENET_V2:
        for index in range(count):
            stride = first if index == 0 else 1
            y = net.conv(x, x.channels * expansion, 1) if expansion > 1 else x
            y = net.conv(y, y.channels, 3, stride, groups=y.channels)
            y = net.conv(y, channels, 1, relu=False)
            x = net.sum(x, y) if stride == 1 and x.channels == channels else y
    return net, net.linear(net.average(net.conv(x, 1280, 1)), 1000)


def shufflenet(groups: int = 4) -> tuple[Network, Tensor]:
    """ShuffleNet with 4 groups at half width, bottlenecks as wide as their unit: the public ONNX model's layers.

    The paper (Zhang et al. 2018) has bottlenecks of a quarter.
    """
    net = Network("shufflenet", (3, 224, 224))
    x = net.pool(net.conv(net.input, 24, 3, 2), "MaxPool", 3, 2, pad=1)
    for channels, count in ((136, 4), (272, 8), (544, 4)):
        x = shuffle_unit(net, x, channels - x.channels, groups, stride=2)
        for _ in range(count - 1):
            x = shuffle_unit(net, x, channels, groups, stride=1)
    return net, net.linear(net.average(x), 1000)


def shuffle_unit(net: Network, x: Tensor, channels: int, groups: int, stride: int) -> Tensor:
    """Grouped 1 x 1, shuffle, depthwise 3 x 3, grouped 1 x 1; joined with the input, which is pooled for stride 2."""
    y = net.conv(x, channels, 1, groups=groups)
    split = net.reshape(y, groups, channels // groups, *y.shape[1:])
    y = net.reshape(net.transpose(split, 1, 0, 2, 3), *y.shape)
    y = net.conv(y, channels, 3, stride, groups=channels, relu=False)
    y = net.conv(y, channels, 1, groups=groups, relu=False)
    if stride == 1:
        return net.relu(net.sum(x, y))
    return net.relu(net.concat(net.pool(x, "AveragePool", 3, 2, pad=1), y))
