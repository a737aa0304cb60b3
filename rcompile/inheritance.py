"""Files that take over what another one says: `extends`."""

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Rules:
    """How files of a kind take over what others say.

    Attributes:
        text_of: finds the text and the file of a name; a preset's file is only a name.
        tables: sections whose entries are sections.
        own: sections that are not taken over.
        paths: fields, by section, that name files beside the one that states them.
    """

    text_of: TextOf
    tables: Collection[str]
    own: Collection[str]
    paths: Mapping[str, str]


def inherited(data: Data, rules: Rules, *files: str) -> dict[str, Any]:
    """Return the data of what a file extends, with what that extends in turn; empty where it extends nothing.

    Args:
        data: of the file.
        rules: of its kind.
        files: this one at the end, after those that extend it.
    """
    name = data.get("extends")
    if name is None:
        return {}
    if not isinstance(name, str):
        raise UsageError(f"extends must be a text, the name of another one, is {name!r}", at=Origin(files[-1]))
    is_file = name.endswith(".toml")
    try:
        text, file = rules.text_of(str(Path(files[-1]).parent / name) if is_file else name)
        own_name = str(Path(file).resolve()) if is_file else f"preset {name}"
    except (UsageError, ValueError) as error:
        raise UsageError(f"extends = {name!r}: {getattr(error, 'message', error)}", at=Origin(files[-1])) from error
    if own_name in files:
        raise UsageError(f"it extends itself, by way of {name}", at=Origin(files[-1]))
    base = parsed(text, file)
    require_tables(base, file)
    deeper = inherited(base, rules, *files, own_name)
    taken = {section: content for section, content in base.items() if section not in rules.own}
    if is_file:
        taken = with_paths(taken, rules, Path(file).parent)
    return merged({key: value for key, value in deeper.items() if key not in rules.own}, taken, rules.tables)


def require_tables(data: Data, file: str) -> None:
    """Refuse files whose sections are no sections: nothing that is said of them could be right."""
    for name, content in data.items():
        if name not in {*HEAD, "extends"} and not isinstance(content, dict):
            raise UsageError(f"{name} must be a section, [{name}], written once", at=Origin(file))


def with_paths(data: Data, rules: Rules, folder: Path) -> dict[str, Any]:
    """Return data whose file names hold wherever it is taken over."""
    found = dict(data)
    for section, key in rules.paths.items():
        content = found.get(section, {})
        entries = content if section in rules.tables else {"": content}
        moved = {
            name: {**entry, key: str(folder.resolve() / entry[key])}
            if isinstance(entry, dict) and isinstance(entry.get(key), str) and "." in entry[key]
            else entry
            for name, entry in entries.items()
        }
        if section in found:
            found[section] = moved if section in rules.tables else moved[""]
    return found


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
