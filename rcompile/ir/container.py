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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rcompile.errors import InputError, Origin
from rcompile.ir.arrays import frozen
from rcompile.ir.placed import PlacedProgram

FORMAT = "rcompile program"
VERSION = 1
CHECKSUMS = "checksums.json"
MANIFEST = "manifest.json"
REFERENCE = "reference.onnx"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Compiled:
    """What program.rcx holds.

    Attributes:
        placed: the program.
        reference: the quantized ONNX model that it implements, for verification.
        quantized_by: 'model' where the scales are the model's own, 'rcompile' after post-training quantization.
        target: the resolved target, as in the report.
    """

    placed: PlacedProgram
    reference: bytes
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

    content = {"placed": compiled.placed, "quantized_by": compiled.quantized_by, "target": compiled.target}
    manifest = {"format": FORMAT, "version": VERSION, **msgspec.to_builtins(content, enc_hook=enc_hook)}
    members = {MANIFEST: json.dumps(manifest, indent=1).encode()}
    members |= {f"arrays/{index}.npy": npy(array) for index, array in enumerate(arrays)}
    members[REFERENCE] = compiled.reference
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    members[CHECKSUMS] = json.dumps(digests, indent=1).encode()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return digest_of(digests)


def digest_of(digests: dict[str, str]) -> str:
    """Return one digest of all members."""
    return hashlib.sha256("\n".join(f"{name} {value}" for name, value in digests.items()).encode()).hexdigest()


def npy(array: np.ndarray) -> bytes:
    """Return an array in numpy's file format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def read_members(path: Path) -> dict[str, bytes]:
    """Read and check all members of a program file.

    Raises:
        InputError: missing, not a program, damaged, or of another version.
    """
    at = Origin(str(path))
    if not path.is_file():
        raise InputError("there is no such program file", at=at, hint="rcompile MODEL.onnx writes one")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise InputError(
            f"this is not a program file, or it is truncated: {error}", at=at, hint="compile the model again"
        ) from error
    if CHECKSUMS not in members or MANIFEST not in members or REFERENCE not in members:
        raise InputError("this archive is not an rcompile program", at=at, hint="compile the model again")
    digests: dict[str, str] = {}
    with contextlib.suppress(ValueError):
        digests = json.loads(members[CHECKSUMS])
    for name, data in members.items():
        if name != CHECKSUMS and digests.get(name) != hashlib.sha256(data).hexdigest():
            raise InputError(
                f"the program file is damaged: the checksum of {name} is wrong", at=at, hint="compile the model again"
            )
    manifest = json.loads(members[MANIFEST])
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise InputError(
            f"the program file has version {manifest.get('version')}, this rcompile reads {VERSION}",
            at=at,
            hint="compile the model again",
        )
    return members


def load(path: Path) -> Compiled:
    """Read a program file."""
    members = read_members(path)
    cache: dict[int, np.ndarray] = {}

    def dec_hook(kind: object, value: Any) -> object:  # noqa: ANN401 - any JSON value
        if not isinstance(value, dict) or "array" not in value:
            raise NotImplementedError(f"{kind} from {value!r}")
        index = value["array"]
        if index not in cache:
            cache[index] = frozen(np.load(io.BytesIO(members[f"arrays/{index}.npy"]), allow_pickle=False))
        return cache[index]

    manifest = json.loads(members[MANIFEST])
    try:
        placed = msgspec.convert(manifest["placed"], PlacedProgram, dec_hook=dec_hook)
    except (msgspec.ValidationError, KeyError) as error:
        raise InputError(
            f"the program file is not valid: {error}", at=Origin(str(path)), hint="compile the model again"
        ) from error
    return Compiled(placed, members[REFERENCE], manifest["quantized_by"], manifest["target"])


def file_digest(path: Path) -> str:
    """Return the digest of a program file's content, as `save` returned it."""
    digests: dict[str, str] = json.loads(read_members(path)[CHECKSUMS])
    return digest_of(digests)
