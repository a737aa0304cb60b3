"""TOML files that people write: sections of fields, each value with its source; every mistake is reported at once.

Targets and devices are such files: `schema_version`, `name`, `summary`, sections whose fields fields.py describes, and
`[sources]`, which says for each field or section where its values come from.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from rcompile.errors import Origin, UsageError
from rcompile.fields import Rule

HEAD = ("schema_version", "name", "summary")
VERSION = 1


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
    """

    name: str
    package: str
    sections: Mapping[str, type]
    always: tuple[str, ...]
    option: str
    shown: str

    def rules(self) -> dict[str, Rule]:
        """Return the rule of each field, by its dotted name."""
        return {
            f"{section}.{item.name}": item.metadata["rule"]
            for section, kind in self.sections.items()
            for item in fields(kind)
        }

    def defaults(self) -> dict[str, object]:
        """Return the fields that may be left out, and what is assumed then."""
        return {
            f"{section}.{item.name}": item.default
            for section, kind in self.sections.items()
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
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise UsageError(f"the {self.name} file cannot be read: {reason}", at=Origin(name)) from error
        presets = self.presets()
        if name not in presets:
            close = difflib.get_close_matches(name, presets, n=1)
            raise UsageError(
                f"there is no {self.name} '{name}'; there are {', '.join(presets)}",
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
        sources: where values come from.
        assumed: fields that it leaves out although they say what the hardware is.
    """

    name: str
    summary: str
    sections: dict[str, Any]
    sources: dict[str, str]
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
        try:
            self._data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"this is not valid TOML: {error}", at=Origin(file)) from error
        self._lines = line_numbers(text)
        self._mistakes: list[tuple[int, str]] = []
        self._given = self._parsed_overrides()

    def mistake(self, name: str, message: str) -> None:
        """Note what is wrong with a field or section."""
        line = self._lines.get(name, self._lines.get(name.partition(".")[0], 1))
        self._mistakes.append((0 if name in self._overrides else line, f"{name} {message}"))

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
        known, kind = self._kind.rules(), self._kind
        self._check_head_and_sources(known)
        flat, misspelt = self._flatten(known)
        flat |= self._given
        named = [section for section in self._data if section in kind.sections]
        named += [name.partition(".")[0] for name in self._given]
        there = list(dict.fromkeys([*named, *kind.always]))
        known = {name: rule for name, rule in known.items() if name.partition(".")[0] in there}
        defaults = {name: value for name, value in kind.defaults().items() if name in known}
        left_out = [name for name in defaults if name not in flat]
        flat = {**defaults, **flat}
        for name, rule in known.items():
            if name not in flat:
                if name not in misspelt:
                    self.mistake(name, f"is missing: {rule.doc}{f' ({rule.unit})' if rule.unit else ''}")
            elif problem := rule.broken_by(flat[name]):
                self.mistake(name, problem)
            if (
                name in flat
                and name not in {*left_out, *self._overrides}
                and not rule.choice
                and not self._sourced(name)
            ):
                self.mistake(name, f'has no source: add "{name}" or "{name.partition(".")[0]}" to [sources]')
        self.finish()
        sections = {
            section: kind.sections[section](
                **{item.name: immutable(flat[f"{section}.{item.name}"]) for item in fields(kind.sections[section])}
            )
            for section in there
        }
        return Content(
            name=str(self._data["name"]),
            summary=str(self._data.get("summary", "")),
            sections=sections,
            sources={**self._data.get("sources", {}), **dict.fromkeys(self._overrides, "given on the command line")},
            assumed=tuple(name for name in left_out if not known[name].choice),
        )

    def _sourced(self, name: str) -> bool:
        """Tell whether a field or its section has a source."""
        sources = self._data.get("sources", {})
        return isinstance(sources, dict) and (name in sources or name.partition(".")[0] in sources)

    def _check_head_and_sources(self, known: Mapping[str, object]) -> None:
        """Note what is wrong with the file's own fields and with [sources]."""
        data, sections = self._data, self._kind.sections
        for name in HEAD:
            if name not in data:
                self.mistake(name, "is missing")
            elif name == "schema_version" and data[name] != VERSION:
                self.mistake(name, f"must be {VERSION}, is {data[name]!r}")
            elif name != "schema_version" and not (isinstance(data[name], str) and data[name]):
                self.mistake(name, f"must be a text, is {data[name]!r}")
        sources = data.get("sources", {})
        for name, text in sources.items() if isinstance(sources, dict) else ():
            if name not in known and name not in sections:
                close = did_you_mean(name, [*known, *sections])
                self.mistake(f"sources.{name}", "is not a field or section" + close)
            elif not isinstance(text, str):
                self.mistake(f"sources.{name}", f"must be a text in quotes, is {text!r}")

    def _flatten(self, known: Mapping[str, object]) -> tuple[dict[str, object], set[str]]:
        """Return the values by dotted name, and the fields that misspelt ones mean; these are mistakes already."""
        flat: dict[str, object] = {}
        misspelt: set[str] = set()
        sections = self._kind.sections
        for section, content in self._data.items():
            if section in (*HEAD, "sources"):
                continue
            if section in sections and not isinstance(content, dict):
                self.mistake(section, f"must be a section, [{section}], written once")
                continue
            if section not in sections:
                self.mistake(section, "is not a section" + did_you_mean(section, [*sections, *HEAD, "sources"]))
                continue
            for key, value in content.items():
                name = f"{section}.{key}"
                if name in known:
                    flat[name] = value
                else:
                    meant = close_to(name, known)
                    self.mistake(name, "is not a field" + (f"; did you mean '{meant}'?" if meant else ""))
                    misspelt.add(meant)
        return flat, misspelt

    def _parsed_overrides(self) -> dict[str, object]:
        """Return the values that replace those of the file, read as TOML where that is possible, else as text."""
        known, option = self._kind.rules(), self._kind.option
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
