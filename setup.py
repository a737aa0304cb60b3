"""Builds the compiled kernels (rcompile/kernels); everything else is in pyproject.toml.

Without a C++ compiler the installation goes on without them: numpy computes the same, more slowly.
"""

from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("rcompile/kernels")

setup(
    ext_modules=[
        Extension(
            "rcompile.kernels._lookup",
            sources=sorted(str(path) for path in FOLDER.glob("*.cpp")),
            depends=sorted(str(path) for path in FOLDER.glob("*.h*")),
            # products and sums of noise are rounded one by one, as numpy's are
            extra_compile_args=[
                "-O3",
                "-g0",
                "-std=c++17",
                "-ffp-contract=off",
                "-fvisibility=hidden",
                "-Wno-maybe-uninitialized",
            ],
            language="c++",
            optional=True,
        )
    ]
)
