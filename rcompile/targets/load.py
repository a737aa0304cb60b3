"""Read target files."""

from collections.abc import Mapping
from pathlib import Path

from rcompile.targets.components import Entry, component
from rcompile.targets.components import contradictions as of_component
from rcompile.targets.consistency import contradictions, of_hierarchy
from rcompile.targets.schema import TARGET, Target
from rcompile.toml_file import TomlFile


def list_targets() -> dict[str, str]:
    """Return the name and summary of each preset."""
    return TARGET.presets()


def resolve_target(name: str, overrides: Mapping[str, str] | None = None) -> Target:
    """Return a preset by name, or the target of a .toml file, with fields overridden.

    Args:
        name: a preset's name or a path that ends in .toml.
        overrides: values as text by dotted field name, e.g. {"adc.bits": "9"}.

    Raises:
        UsageError: no such target, or mistakes in it.
    """
    text, file = TARGET.text_of(name)
    return check(text, file, overrides or {})


def check(text: str, file: str, overrides: Mapping[str, str]) -> Target:
    """Return the target that a file describes, or raise one error with all its mistakes."""
    source = TomlFile(TARGET, text, file, overrides)
    content = source.content()
    for name, message in of_hierarchy(content.sections["hierarchy"]):
        source.mistake(name, message)
    entries: dict[str, Entry] = content.tables["components"]
    for name, entry in entries.items():
        for field, message in of_component(name, entry, content.sections["hierarchy"].levels):
            source.mistake(field, message)
    source.finish()
    components = tuple(component(name, entry, Path(file).parent) for name, entry in entries.items())
    target = Target(
        content.name,
        content.summary,
        **content.sections,
        components=components,
        sources=content.sources,
        assumptions=content.assumptions,
        assumed_fields=content.assumed,
    )
    for name, message in contradictions(target):
        source.mistake(name, message)
    source.finish()
    return target
