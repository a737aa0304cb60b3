"""Write standard networks as ONNX files, without weights or with seeded ones.

    python benchmarks/zoo.py                         # the names
    python benchmarks/zoo.py resnet18 vgg16 -o zoo   # zoo/resnet18.onnx, zoo/vgg16.onnx: for rcompile --weightless
    python benchmarks/zoo.py --all --seed 0 -o zoo   # with weights beside them

Batch normalisations are folded into the convolutions. Shapes, parameters and multiplications are held against the
published ones in tests/benchmarks/test_zoo.py.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from networks.builder import Network, Tensor
from networks.chains import alexnet, lenet5, squeezenet, vgg
from networks.inception import googlenet, inception_v3
from networks.mobile import mobilenet_v1, mobilenet_v2, shufflenet
from networks.residual import resnet
from networks.sequence import bert_base, lstm, vit_b16

NETWORKS: dict[str, Callable[[], tuple[Network, Tensor]]] = {
    "lenet5": lenet5,
    "alexnet": alexnet,
    "vgg16": partial(vgg, 16),
    "vgg19": partial(vgg, 19),
    "resnet18": partial(resnet, 18),
    "resnet34": partial(resnet, 34),
    "resnet50": partial(resnet, 50),
    "googlenet": googlenet,
    "inception_v3": inception_v3,
    "inception_v3_224": partial(inception_v3, 224),
    "squeezenet": squeezenet,
    "shufflenet": shufflenet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "vit_b16": vit_b16,
    "bert_base": bert_base,
    "lstm": lstm,
}


def write(name: str, folder: Path, seed: int | None = None) -> Path:
    """Write one network; return its path."""
    network, output = NETWORKS[name]()
    path = folder / f"{name}.onnx"
    network.save(output, path, seed=seed)
    return path


def main() -> None:
    """Write the networks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every network")
    parser.add_argument("--seed", type=int, help="write weights, drawn from this seed")
    parser.add_argument("-o", dest="folder", type=Path, default=Path(), help="folder to write to")
    arguments = parser.parse_args()
    names = list(NETWORKS) if arguments.all else arguments.names
    if not names:
        print("\n".join(NETWORKS))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(write(name, arguments.folder, arguments.seed))


if __name__ == "__main__":
    main()
