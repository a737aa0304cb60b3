"""TOML files that people write: sections of fields, each value with its source; every mistake is reported at once.

Targets and devices are such files: `schema_version`, `name`, `summary`, sections whose fields fields.py describes, and
`[sources]`, which says for each field or section where its values come from; `[assumed]` says the same of values that
nobody states. A file that `extends` another one has its fields, but for those that it gives itself.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from rcompile.errors import Origin, UsageError
from rcompile.fields import Rule
from rcompile.inheritance import (
    HEAD,
    NOT_SECTIONS,
    ORIGINS,
    Rules,
    entries_of,
    field_names,
    inherited,
    merged,
    origin_of,
    parsed,
)

GIVEN = "given on the command line"
"""The source of values that override a file's."""

VERSION = 1
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""Of an entry of a table."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: 'target' or 'device'.
        package: that holds the presets.
        sections: the sections that a file may have: dataclasses of rules.
        always: those that describe something even where a file leaves them out.
        option: how fields are overridden, for messages.
        shown: the command that shows a complete one.
        tables: sections that hold any number of entries, each a section of its own ([components.adc]).
        own: sections that files which extend others do not take over.
        paths: fields, by section, that name files beside the one that states them.
    """

    name: str
    package: str
    sections: Mapping[str, type]
    always: tuple[str, ...]
    option: str
    shown: str
    tables: Mapping[str, type] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)

    def parts(self, entries: Iterable[str] = ()) -> dict[str, type]:
        """Return what describes each section, and each entry ('components.adc') of the tables."""
        return {**self.sections, **{entry: self.tables[entry.partition(".")[0]] for entry in entries}}

    def rules(self, entries: Iterable[str] = ()) -> dict[str, Rule]:
        """Return the rule of each field, by its dotted name."""
        return {
            f"{part}.{item.name}": item.metadata["rule"]
            for part, kind in self.parts(entries).items()
            for item in fields(kind)
        }

    def defaults(self, entries: Iterable[str] = ()) -> dict[str, object]:
        """Return the fields that may be left out, and what is assumed then."""
        return {
            f"{part}.{item.name}": item.default
            for part, kind in self.parts(entries).items()
            for item in fields(kind)
            if item.default is not MISSING
        }

    def presets(self) -> dict[str, str]:
        """Return the name and summary of each preset."""
        found = {}
        for file in sorted(resources.files(self.package).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".toml"):
                found[file.name.removesuffix(".toml")] = str(tomllib.loads(file.read_text("utf-8")).get("summary", ""))
        return found

    def text_of(self, name: str) -> tuple[str, str]:
        """Return the text and the name of a preset's file, or of the file that a path names.

        Raises:
            UsageError: there is no such preset or file.
        """
        if name.endswith(".toml"):
            try:
                return Path(name).read_text("utf-8"), name
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise UsageError(f"the {self.name} file cannot be read: {reason}", at=Origin(name)) from error
        presets = self.presets()
        if name not in presets:
            close = difflib.get_close_matches(name, presets, n=1)
            raise UsageError(
                f"there is no {self.name} '{name}'; `rcompile {self.name}s` lists the {len(presets)} that there are",
                hint=f"did you mean '{close[0]}'?" if close else "a file of your own must end in .toml",
            )
        return (resources.files(self.package) / f"{name}.toml").read_text("utf-8"), f"{name}.toml"


@dataclass(frozen=True)
class Content:
    """What a file says.

    Attributes:
        name: of what it describes.
        summary: in one line.
        sections: what its sections describe, in the order of the file, those that are always there at the end.
        tables: the entries of each table, by name.
        sources: where values come from.
        assumptions: why values that nobody states are what they are.
        assumed: fields that it leaves out although they say what the hardware is, or gives as assumed.
    """

    name: str
    summary: str
    sections: dict[str, Any]
    tables: dict[str, dict[str, Any]]
    sources: dict[str, str]
    assumptions: dict[str, str]
    assumed: tuple[str, ...]


class TomlFile:
    """One file while it is read; collects its mistakes.

    Args:
        kind: of the file.
        text: of the file.
        file: its name, for messages.
        overrides: values as text by dotted field name, which replace those of the file.

    Raises:
        UsageError: it is no TOML, or a field that is overridden does not exist.
    """

    def __init__(self, kind: Kind, text: str, file: str, overrides: Mapping[str, str]) -> None:
        self._kind, self._file, self._overrides = kind, file, overrides
        own = parsed(text, file)
        self._lines = line_numbers(text)
        self._mistakes: list[tuple[int, str]] = []
        self._inherited: set[str] = set()
        for name in (*kind.sections, *kind.tables, *ORIGINS):
            if not isinstance(own.get(name, {}), dict):
                self.mistake(name, f"must be a section, [{name}], written once")
        self.finish()
        base = inherited(own, Rules(kind.text_of, kind.tables, kind.own, kind.paths), str(Path(file).resolve()))
        self._inherited = {*field_names(base, kind.tables)} - {*field_names(own, kind.tables)}
        self._data = merged(base, own, kind.tables)
        self._entries = list(entries_of(self._data, kind.tables))
        self._given = self._parsed_overrides()

    def mistake(self, name: str, message: str) -> None:
        """Note what is wrong with a field or section."""
        line = 0 if name in self._overrides else self._line_of(name)
        self._mistakes.append((line, f"{name} {message}"))

    def _line_of(self, name: str) -> int:
        """Return the line of a field, of what holds it, or of what brings it in from another file."""
        if name in self._inherited:
            return self._lines.get("extends", 1)
        while name and name not in self._lines:
            name = name.rpartition(".")[0]
        return self._lines.get(name, 1)

    def finish(self) -> None:
        """Raise one error with all mistakes, if there are any."""
        if not self._mistakes:
            return
        option = self._kind.option
        listed = "\n".join(f"  {f'line {line}' if line else option}: {text}" for line, text in sorted(self._mistakes))
        changed = f", as {option} changes it" if self._overrides else ""
        raise UsageError(
            f"{len(self._mistakes)} mistake{'s' if len(self._mistakes) > 1 else ''} in the {self._kind.name} "
            f"file{changed}\n{listed}",
            at=Origin(self._file),
            hint=f"{self._kind.shown} shows a complete {self._kind.name}",
        )

    def content(self) -> Content:
        """Return what the file says; `finish` is called before."""
        kind = self._kind
        known = kind.rules(self._entries)
        self._check_head_and_origins(known)
        flat, misspelt = self._flatten(known)
        flat |= self._given
        named = [section for section in self._data if section in kind.sections]
        named += [part for name in self._given if (part := name.rpartition(".")[0]) in kind.sections]
        there = list(dict.fromkeys([*named, *kind.always]))
        known = {name: rule for name, rule in known.items() if name.rpartition(".")[0] in (*there, *self._entries)}
        defaults = {name: value for name, value in kind.defaults(self._entries).items() if name in known}
        left_out = [name for name in defaults if name not in flat]
        flat = {**defaults, **flat}
        for name, rule in known.items():
            if name not in flat:
                if name not in misspelt:
                    self.mistake(name, f"is missing: {rule.doc}{f' ({rule.unit})' if rule.unit else ''}")
            elif name not in left_out and (problem := rule.broken_by(flat[name])):
                self.mistake(name, problem)
            if (
                name in flat
                and name not in {*left_out, *self._overrides}
                and not rule.choice
                and not origin_of(name, self._data)[0]
            ):
                self.mistake(name, f'has no source: add "{name}" or "{name.rpartition(".")[0]}" to [sources]')
        self.finish()
        made = {
            part: kind.parts(self._entries)[part](
                **{
                    item.name: immutable(flat[f"{part}.{item.name}"])
                    for item in fields(kind.parts(self._entries)[part])
                }
            )
            for part in (*there, *self._entries)
        }
        tables: dict[str, dict[str, Any]] = {table: {} for table in kind.tables}
        for entry in self._entries:
            table, _, name = entry.partition(".")
            tables[table][name] = made[entry]
        return Content(
            name=str(self._data["name"]),
            summary=str(self._data.get("summary", "")),
            sections={section: made[section] for section in there},
            tables=tables,
            sources={**self._data.get("sources", {}), **dict.fromkeys(self._overrides, GIVEN)},
            assumptions=self._data.get("assumed", {}),
            assumed=tuple(
                name
                for name, rule in known.items()
                if (name in left_out and not rule.choice and not rule.optional)
                or (name not in {*left_out, *self._overrides} and origin_of(name, self._data)[0] == "assumed")
            ),
        )

    def _check_head_and_origins(self, known: Mapping[str, object]) -> None:
        """Note what is wrong with the file's own fields, with [sources] and [assumed]."""
        data = self._data
        for name in HEAD:
            if name not in data:
                self.mistake(name, "is missing" + (f": schema_version = {VERSION}" if name == "schema_version" else ""))
            elif name == "schema_version" and data[name] != VERSION:
                self.mistake(name, f"must be {VERSION}, is {data[name]!r}")
            elif name != "schema_version" and not (isinstance(data[name], str) and data[name]):
                self.mistake(name, f"must be a text, is {data[name]!r}")
        parts = {*known, *self._kind.sections, *self._kind.tables, *self._entries}
        for origin in ORIGINS:
            texts = data.get(origin, {})
            for name, text in texts.items() if isinstance(texts, dict) else ():
                if name not in parts:
                    self.mistake(f"{origin}.{name}", "is not a field or section" + did_you_mean(name, parts))
                elif not isinstance(text, str):
                    self.mistake(f"{origin}.{name}", f"must be a text in quotes, is {text!r}")
                elif origin == "assumed" and name in data.get("sources", {}):
                    self.mistake(f"assumed.{name}", "is in [sources], too: it is stated, or it is assumed")

    def _flatten(self, known: Mapping[str, object]) -> tuple[dict[str, object], set[str]]:
        """Return the values by dotted name, and the fields that misspelt ones mean; these are mistakes already."""
        flat: dict[str, object] = {}
        misspelt: set[str] = set()
        kind = self._kind
        for section, content in self._data.items():
            if section in NOT_SECTIONS:
                continue
            if section not in kind.sections and section not in kind.tables:
                names = [*kind.sections, *kind.tables, *NOT_SECTIONS]
                self.mistake(section, "is not a section" + did_you_mean(section, names))
                continue
            parts = {section: content}
            if section in kind.tables:
                parts = {f"{section}.{entry}": inner for entry, inner in content.items()}
            for part, inner in parts.items():
                if not isinstance(inner, dict):
                    self.mistake(part, f"must be a section, [{part}]")
                    continue
                if not NAME.fullmatch(part.partition(".")[2] or section):
                    self.mistake(part, "must be named with letters, digits, _ and - only")
                for key, value in inner.items():
                    name = f"{part}.{key}"
                    if name in known:
                        flat[name] = value
                    else:
                        meant = close_to(name, known)
                        self.mistake(name, "is not a field" + (f"; did you mean '{meant}'?" if meant else ""))
                        misspelt.add(meant)
        return flat, misspelt

    def _parsed_overrides(self) -> dict[str, object]:
        """Return the values that replace those of the file, read as TOML where that is possible, else as text."""
        known, option = self._kind.rules(self._entries), self._kind.option
        found: dict[str, object] = {}
        for name, text in self._overrides.items():
            if name not in known:
                raise UsageError(
                    f"{option}: '{name}' is not a field of a {self._kind.name}{did_you_mean(name, known)}",
                    hint=f"{self._kind.shown} shows every field, with its meaning",
                )
            try:
                found[name] = tomllib.loads(f"v = {text}")["v"]
            except tomllib.TOMLDecodeError:
                found[name] = text
            if problem := known[name].broken_by(found[name]):
                raise UsageError(f"{option}: {name} {problem}")
        return found


def immutable(value: object) -> object:
    """Return a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a suggestion, or ''."""
    close = close_to(name, known)
    return f"; did you mean '{close}'?" if close else ""


def close_to(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like a name, or ''."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), "")


def line_numbers(text: str) -> dict[str, int]:
    """Return the line of each section and of each `key = value`, by dotted name."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("[") and "]" in stripped:
            section = stripped.strip("[").partition("]")[0].strip()
            found[section] = number
        elif "=" in stripped and not stripped.startswith("#"):
            key = stripped.partition("=")[0].strip().strip('"')
            found[f"{section}.{key}" if section else key] = number
    return found
