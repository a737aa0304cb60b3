"""program.rcx: a placed program in one file.

A zip archive without compression: `manifest.json` (everything but arrays, readable), `arrays/N.npy`,
`reference.onnx` (the quantized model that the program implements) and `checksums.json` (SHA-256 of each member).
The same program gives the same bytes.
"""

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rcompile.errors import InputError, Origin
from rcompile.ir.arrays import frozen
from rcompile.ir.placed import PlacedProgram

FORMAT = "rcompile program"
VERSION = 8
CHECKSUMS = "checksums.json"
MANIFEST = "manifest.json"
REFERENCE = "reference.onnx"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Compiled:
    """What program.rcx holds.

    Attributes:
        placed: the program.
        reference: the quantized ONNX model that it implements, for verification; large initializers are apart.
        weights: those initializers.
        quantized_by: 'model' where the scales are the model's own, 'rcompile' after post-training quantization.
        target: the resolved target, as in the report.
    """

    placed: PlacedProgram
    reference: bytes
    weights: Mapping[str, np.ndarray]
    quantized_by: str
    target: dict[str, Any]


def save(compiled: Compiled, path: Path) -> str:
    """Write a program atomically; return its digest."""
    arrays: list[np.ndarray] = []
    seen: dict[int, int] = {}

    def enc_hook(value: object) -> object:
        if isinstance(value, np.ndarray):
            if id(value) not in seen:
                seen[id(value)] = len(arrays)
                arrays.append(value)
            return {"array": seen[id(value)]}
        raise NotImplementedError(f"{type(value)} in a program")

    content = {
        "placed": compiled.placed,
        "weights": compiled.weights,
        "quantized_by": compiled.quantized_by,
        "target": compiled.target,
    }
    manifest = {"format": FORMAT, "version": VERSION, **msgspec.to_builtins(content, enc_hook=enc_hook)}
    digests: dict[str, str] = {}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:

            def write(name: str, pieces: Iterable[bytes | memoryview]) -> None:
                digest = hashlib.sha256()
                with archive.open(zipfile.ZipInfo(name, EPOCH), "w", force_zip64=True) as member:
                    for piece in pieces:
                        digest.update(piece)
                        member.write(piece)
                digests[name] = digest.hexdigest()

            write(MANIFEST, [json.dumps(manifest, indent=1).encode()])
            for index, array in enumerate(arrays):
                write(f"arrays/{index}.npy", npy(array))
            write(REFERENCE, [compiled.reference])
            archive.writestr(zipfile.ZipInfo(CHECKSUMS, EPOCH), json.dumps(digests, indent=1))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return digest_of(digests)


def digest_of(digests: dict[str, str]) -> str:
    """Return one digest of all members."""
    return hashlib.sha256("\n".join(f"{name} {value}" for name, value in digests.items()).encode()).hexdigest()


def npy(array: np.ndarray) -> Iterator[bytes | memoryview]:
    """Yield an array in numpy's file format: its header, then its bytes, which are not copied."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield header.getvalue()
    if array.size:
        yield array.reshape(-1).view(np.uint8).data


class Archive:
    """A program file, open for reading; the members are read one by one.

    Raises:
        InputError: missing, not a program, damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._at = Origin(str(path))
        if not path.is_file():
            raise InputError("there is no such program file", at=self._at, hint="rcompile MODEL.onnx writes one")
        with self._readable():
            self._zip = zipfile.ZipFile(path)
            self._names = set(names := self._zip.namelist())
        if {CHECKSUMS, MANIFEST, REFERENCE} - self._names:
            raise InputError("this archive is not an rcompile program", at=self._at, hint="compile the model again")
        self.digests: dict[str, str] = {}
        with contextlib.suppress(ValueError), self._readable():
            self.digests = json.loads(self._zip.read(CHECKSUMS))
        for name in names:
            if name != CHECKSUMS and name not in self.digests:
                raise self._damaged(name)
        self.manifest = json.loads(self.read(MANIFEST))
        if self.manifest.get("format") != FORMAT or self.manifest.get("version") != VERSION:
            raise InputError(
                f"the program file has version {self.manifest.get('version')}, this rcompile reads {VERSION}",
                at=self._at,
                hint="compile the model again",
            )

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            model = self._at.file.endswith(".onnx")
            raise InputError(
                "this is a model, not a program"
                if model
                else f"this is not a program file, or it is truncated: {error}",
                at=self._at,
                hint=f"rcompile {self._at.file} makes one of it" if model else "compile the model again",
            ) from error

    def _damaged(self, name: str) -> InputError:
        return InputError(
            f"the program file is damaged: the checksum of {name} is wrong", at=self._at, hint="compile the model again"
        )

    def read(self, name: str) -> bytes:
        """Return a member, whose checksum is right."""
        with self._readable():
            if name not in self.digests or name not in self._names:
                raise self._damaged(name)
            data = self._zip.read(name)
        if self.digests[name] != hashlib.sha256(data).hexdigest():
            raise self._damaged(name)
        return data

    def array(self, index: int) -> np.ndarray:
        """Return an array; it cannot be written to."""
        data = self.read(f"arrays/{index}.npy")
        header = io.BytesIO(data)
        np.lib.format.read_magic(header)
        shape, _, dtype = np.lib.format.read_array_header_1_0(header)
        return frozen(np.frombuffer(data, dtype, offset=header.tell()).reshape(shape))


def load(path: Path) -> Compiled:
    """Read a program file."""
    archive = Archive(path)
    cache: dict[int, np.ndarray] = {}

    def dec_hook(kind: object, value: Any) -> object:  # noqa: ANN401 - any JSON value
        if not isinstance(value, dict) or "array" not in value:
            raise NotImplementedError(f"{kind} from {value!r}")
        index = value["array"]
        if index not in cache:
            cache[index] = archive.array(index)
        return cache[index]

    manifest = archive.manifest
    try:
        placed = msgspec.convert(manifest["placed"], PlacedProgram, dec_hook=dec_hook)
        weights = {name: archive.array(value["array"]) for name, value in manifest["weights"].items()}
    except (msgspec.ValidationError, KeyError) as error:
        raise InputError(
            f"the program file is not valid: {error}", at=Origin(str(path)), hint="compile the model again"
        ) from error
    return Compiled(placed, archive.read(REFERENCE), weights, manifest["quantized_by"], manifest["target"])


def file_digest(path: Path) -> str:
    """Return the digest of a program file's content, as `save` returned it."""
    return digest_of(Archive(path).digests)
