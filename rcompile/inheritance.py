"""Files that take over what another one says: `extends`."""

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from rcompile.errors import Origin, UsageError

HEAD = ("schema_version", "name", "summary")
ORIGINS = ("sources", "assumed")
NOT_SECTIONS = (*HEAD, "extends", *ORIGINS)

Data = Mapping[str, Any]
TextOf = Callable[[str], tuple[str, str]]
"""Returns the text and the file of a name."""


def parsed(text: str, file: str) -> dict[str, Any]:
    """Return the data of a TOML text."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"this is not valid TOML: {error}", at=Origin(file)) from error


def inherited(data: Data, text_of: TextOf, tables: Collection[str], *files: str) -> dict[str, Any]:
    """Return the data of what a file extends, with what that extends in turn; empty where it extends nothing.

    Args:
        data: of the file.
        text_of: finds what is extended.
        tables: sections whose entries are sections.
        files: this one at the end, after those that extend it.
    """
    name = data.get("extends")
    if name is None:
        return {}
    if not isinstance(name, str):
        raise UsageError(f"extends must be a text, the name of another one, is {name!r}", at=Origin(files[-1]))
    text, file = text_of(str(Path(files[-1]).parent / name) if name.endswith(".toml") else name)
    if file in files:
        raise UsageError(f"it extends itself: {' extends '.join([*files, file])}", at=Origin(files[0]))
    base = parsed(text, file)
    return merged(inherited(base, text_of, tables, *files, file), base, tables)


def merged(base: Data, own: Data, tables: Collection[str]) -> dict[str, Any]:
    """Return a file's data with that of what it extends: its own fields replace those of the same name.

    Origins of what it takes over are kept field by field, so that its own ones, which may be of a section, say nothing
    of fields that are not its own.
    """
    if not base:
        return dict(own)
    found = {**base, **own}
    for section in {*base, *own} - {*NOT_SECTIONS}:
        found[section] = merged_section(base.get(section), own.get(section), nested=section in tables)
    mine = set(field_names(own, tables))
    for origin in ORIGINS:
        own_texts = own.get(origin, {})
        taken = {name: origin_of(name, base) for name in field_names(base, tables) if name not in mine}
        kept = {name: text for name, (kind, text) in taken.items() if kind == origin}
        found[origin] = {**kept, **own_texts} if isinstance(own_texts, dict) else own_texts
    return found


def merged_section(base: object, own: object, *, nested: bool) -> object:
    """Return a section with the fields that it takes over; of a table, entry by entry."""
    if own is None:
        return base
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    if not nested:
        return {**base, **own}
    return {name: merged_section(base.get(name), own.get(name), nested=False) for name in {**base, **own}}


def entries_of(data: Data, tables: Collection[str]) -> Iterator[str]:
    """Yield the entries of the tables, 'components.adc'."""
    for table in tables:
        content = data.get(table)
        for name, inner in content.items() if isinstance(content, dict) else ():
            if isinstance(inner, dict):
                yield f"{table}.{name}"


def field_names(data: Data, tables: Collection[str]) -> Iterator[str]:
    """Yield the dotted names of all fields that a file gives."""
    for section, content in data.items():
        if section in NOT_SECTIONS or not isinstance(content, dict):
            continue
        for key, value in content.items():
            if section in tables and isinstance(value, dict):
                yield from (f"{section}.{key}.{inner}" for inner in value)
            else:
                yield f"{section}.{key}"


def origin_of(name: str, data: Data) -> tuple[str, str]:
    """Return which of ORIGINS speaks of a field, or of the least part that holds it, and what it says; or ('', '')."""
    while name:
        for origin in ORIGINS:
            texts = data.get(origin)
            if isinstance(texts, dict) and name in texts:
                return origin, str(texts[name])
        name = name.rpartition(".")[0]
    return "", ""
