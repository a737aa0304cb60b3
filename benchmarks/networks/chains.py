"""Networks without branches, and SqueezeNet."""

from networks.builder import Network, Tensor

VGG_STAGES = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def lenet5() -> tuple[Network, Tensor]:
    """LeNet-5 with full connections and Relu (LeCun et al. 1998, as usually implemented)."""
    net = Network("lenet5", (1, 28, 28))
    x = net.pool(net.conv(net.input, 6, 5), "MaxPool", 2, 2)
    x = net.pool(net.conv(x, 16, 5, pad=0), "MaxPool", 2, 2)
    x = net.relu(net.linear(net.flat(x), 120))
    return net, net.linear(net.relu(net.linear(x, 84)), 10)


def alexnet() -> tuple[Network, Tensor]:
    """AlexNet with its two groups (Krizhevsky et al. 2012)."""
    net = Network("alexnet", (3, 227, 227))
    x = net.pool(net.conv(net.input, 96, 11, 4, pad=0), "MaxPool", 3, 2)
    x = net.pool(net.conv(x, 256, 5, groups=2), "MaxPool", 3, 2)
    x = net.conv(x, 384, 3)
    x = net.conv(x, 384, 3, groups=2)
    x = net.pool(net.conv(x, 256, 3, groups=2), "MaxPool", 3, 2)
    x = net.relu(net.linear(net.flat(x), 4096))
    return net, net.linear(net.relu(net.linear(x, 4096)), 1000)


def vgg(depth: int) -> tuple[Network, Tensor]:
    """VGG-16 or VGG-19 (Simonyan and Zisserman 2015, configurations D and E)."""
    net = Network(f"vgg{depth}", (3, 224, 224))
    x = net.input
    for channels, count in zip((64, 128, 256, 512, 512), VGG_STAGES[depth], strict=True):
        for _ in range(count):
            x = net.conv(x, channels, 3)
        x = net.pool(x, "MaxPool", 2, 2)
    x = net.relu(net.linear(net.flat(x), 4096))
    return net, net.linear(net.relu(net.linear(x, 4096)), 1000)


def squeezenet() -> tuple[Network, Tensor]:
    """SqueezeNet 1.1 (Iandola et al. 2016; the authors' later, smaller version)."""
    net = Network("squeezenet", (3, 224, 224))
    x = net.pool(net.conv(net.input, 64, 3, 2, pad=0), "MaxPool", 3, 2)
    for index, (squeezed, expanded) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        if index in {2, 4}:
            x = net.pool(x, "MaxPool", 3, 2)
        x = net.conv(x, squeezed, 1)
        x = net.concat(net.conv(x, expanded, 1), net.conv(x, expanded, 3))
    return net, net.average(net.conv(x, 1000, 1))
