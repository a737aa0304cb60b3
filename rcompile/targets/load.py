"""Read target files; report every mistake of a file at once, with its line."""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path

from rcompile.errors import Origin, UsageError
from rcompile.targets.consistency import contradictions
from rcompile.targets.schema import SECTIONS, Rule, Target, defaults, field_names, rules

HEAD = ("schema_version", "name", "summary")
VERSION = 1


def list_targets() -> dict[str, str]:
    """Return the name and summary of each preset."""
    found = {}
    for file in sorted(resources.files("rcompile.targets").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            found[file.name.removesuffix(".toml")] = str(tomllib.loads(file.read_text("utf-8")).get("summary", ""))
    return found


def resolve_target(name: str, overrides: Mapping[str, str] | None = None) -> Target:
    """Return a preset by name, or the target of a .toml file, with fields overridden.

    Args:
        name: a preset's name or a path that ends in .toml.
        overrides: values as text by dotted field name, e.g. {"adc.bits": "9"}.

    Raises:
        UsageError: no such target, or mistakes in it.
    """
    if name.endswith(".toml"):
        return load_target(Path(name), overrides)
    presets = list_targets()
    if name not in presets:
        close = difflib.get_close_matches(name, presets, n=1)
        raise UsageError(
            f"there is no target '{name}'; there are {', '.join(presets)}",
            hint=f"did you mean '{close[0]}'?" if close else "a file of your own must end in .toml",
        )
    file = resources.files("rcompile.targets") / f"{name}.toml"
    return check(file.read_text("utf-8"), f"{name}.toml", overrides or {})


def load_target(path: Path, overrides: Mapping[str, str] | None = None) -> Target:
    """Read and check a target file."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"the target file cannot be read: {reason}", at=Origin(str(path))) from error
    return check(text, str(path), overrides or {})


def check(text: str, file: str, overrides: Mapping[str, str]) -> Target:
    """Return the target that a file describes, or raise one error with all its mistakes."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"this is not valid TOML: {error}", at=Origin(file)) from error
    lines = line_numbers(text)
    mistakes: list[tuple[int, str]] = []

    def mistake(name: str, message: str) -> None:
        line = 0 if name in overrides else lines.get(name, lines.get(name.partition(".")[0], 1))
        mistakes.append((line, f"{name} {message}"))

    known = rules()
    check_head_and_sources(data, mistake, known)
    flat, misspelt = flatten(data, mistake, known)
    flat |= parse_overrides(overrides, known)
    left_out = [name for name in defaults() if name not in flat]
    assumed = tuple(name for name in left_out if not known[name].choice)
    flat = {**defaults(), **flat}
    sources = data.get("sources", {})
    for name, rule in known.items():
        if name not in flat:
            if name not in misspelt:
                mistake(name, f"is missing: {rule.doc}{f' ({rule.unit})' if rule.unit else ''}")
        elif problem := rule.broken_by(flat[name]):
            mistake(name, problem)
        if name in flat and name not in {*left_out, *overrides} and not rule.choice and not sourced(name, sources):
            mistake(name, f'has no source: add "{name}" or "{name.partition(".")[0]}" to [sources]')
    raise_mistakes(mistakes, file, overrides)
    sections = {
        section: kind(**{name: immutable(flat[f"{section}.{name}"]) for name in field_names(kind)})
        for section, kind in SECTIONS.items()
    }
    given = dict.fromkeys(overrides, "given on the command line")
    target = Target(
        str(data["name"]),
        str(data.get("summary", "")),
        **sections,
        sources={**sources, **given},
        assumed_fields=assumed,
    )
    for name, message in contradictions(target):
        mistake(name, message)
    raise_mistakes(mistakes, file, overrides)
    return target


def immutable(value: object) -> object:
    """Return a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def raise_mistakes(mistakes: list[tuple[int, str]], file: str, overrides: Mapping[str, str]) -> None:
    """Raise one error with all mistakes of a file, if there are any."""
    if not mistakes:
        return
    listed = "\n".join(f"  {f'line {line}' if line else '--set'}: {text}" for line, text in sorted(mistakes))
    changed = ", as --set changes it" if overrides else ""
    raise UsageError(
        f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''} in the target file{changed}\n{listed}",
        at=Origin(file),
        hint="`rcompile targets isaac` shows a complete target",
    )


def check_head_and_sources(
    data: dict[str, object], mistake: Callable[[str, str], None], known: Mapping[str, object]
) -> None:
    """Report what is wrong with the file's own fields and with [sources]."""
    for name in HEAD:
        if name not in data:
            mistake(name, "is missing")
        elif name == "schema_version" and data[name] != VERSION:
            mistake(name, f"must be {VERSION}, is {data[name]!r}")
        elif name != "schema_version" and not (isinstance(data[name], str) and data[name]):
            mistake(name, f"must be a text, is {data[name]!r}")
    sources = data.get("sources", {})
    for name, text in sources.items() if isinstance(sources, dict) else ():
        if name not in known and name not in SECTIONS:
            mistake(f"sources.{name}", "is not a field or section" + did_you_mean(name, [*known, *SECTIONS]))
        elif not isinstance(text, str):
            mistake(f"sources.{name}", f"must be a text in quotes, is {text!r}")


def flatten(
    data: dict[str, object], mistake: Callable[[str, str], None], known: Mapping[str, object]
) -> tuple[dict[str, object], set[str]]:
    """Return the values by dotted name, and the fields that misspelt ones mean; these are mistakes already."""
    flat: dict[str, object] = {}
    misspelt: set[str] = set()
    for section, content in data.items():
        if section in (*HEAD, "sources"):
            continue
        if section not in SECTIONS or not isinstance(content, dict):
            mistake(section, "is not a section" + did_you_mean(section, [*SECTIONS, *HEAD, "sources"]))
            continue
        for key, value in content.items():
            name = f"{section}.{key}"
            if name in known:
                flat[name] = value
            else:
                meant = close_to(name, known)
                mistake(name, "is not a field" + (f"; did you mean '{meant}'?" if meant else ""))
                misspelt.add(meant)
    return flat, misspelt


def parse_overrides(overrides: Mapping[str, str], known: Mapping[str, Rule]) -> dict[str, object]:
    """Return the values of `--set FIELD=VALUE`, read as TOML where that is possible, else as text."""
    found: dict[str, object] = {}
    for name, text in overrides.items():
        if name not in known:
            raise UsageError(
                f"--set: '{name}' is not a field of a target{did_you_mean(name, known)}",
                hint="`rcompile targets isaac` shows every field, with its meaning",
            )
        try:
            found[name] = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            found[name] = text
        if problem := known[name].broken_by(found[name]):
            raise UsageError(f"--set: {name} {problem}")
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a suggestion, or ''."""
    close = close_to(name, known)
    return f"; did you mean '{close}'?" if close else ""


def close_to(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like a name, or ''."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), "")


def sourced(name: str, sources: object) -> bool:
    """Tell whether a field or its section has a source."""
    return isinstance(sources, dict) and (name in sources or name.partition(".")[0] in sources)


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
