"""Residual networks (He et al. 2016)."""

from networks.builder import Network, Tensor

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def resnet(depth: int) -> tuple[Network, Tensor]:
    """ResNet-18, 34 or 50; strides of bottlenecks in their first 1 x 1 convolution, as in the paper."""
    net = Network(f"resnet{depth}", (3, 224, 224))
    x = net.pool(net.conv(net.input, 64, 7, 2), "MaxPool", 3, 2, pad=1)
    unit = bottleneck if depth == 50 else basic
    for stage, count in enumerate(DEPTHS[depth]):
        for index in range(count):
            x = unit(net, x, 64 * 2**stage, 2 if stage and index == 0 else 1)
    return net, net.linear(net.average(x), 1000)


def basic(net: Network, x: Tensor, channels: int, stride: int) -> Tensor:
    """Two 3 x 3 convolutions around a shortcut."""
    y = net.conv(net.conv(x, channels, 3, stride), channels, 3, relu=False)
    return net.relu(net.sum(y, shortcut(net, x, channels, stride)))


def bottleneck(net: Network, x: Tensor, channels: int, stride: int) -> Tensor:
    """1 x 1, 3 x 3 and 1 x 1 convolutions around a shortcut."""
    y = net.conv(net.conv(x, channels, 1, stride), channels, 3)
    return net.relu(net.sum(net.conv(y, 4 * channels, 1, relu=False), shortcut(net, x, 4 * channels, stride)))


def shortcut(net: Network, x: Tensor, channels: int, stride: int) -> Tensor:
    """The input, projected where its shape differs."""
    return x if x.channels == channels and stride == 1 else net.conv(x, channels, 1, stride, relu=False)
