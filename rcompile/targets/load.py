"""Read target files."""

from collections.abc import Collection, Mapping
from pathlib import Path

from rcompile.targets.components import Entry, component
from rcompile.targets.components import contradictions as of_component
from rcompile.targets.consistency import contradictions, count_of, of_hierarchy
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
    components = []
    for name, entry in entries.items():
        count, mistakes = count_of(name, entry, content.sections["adc"], content.sections["hierarchy"])
        for field, message in mistakes:
            source.mistake(field, message)
        if count:
            components.append(component(name, entry, count, Path(file).parent))
    source.finish()
    dropped = {f"components.{name}" for name in entries} - {f"components.{item.name}" for item in components}
    target = Target(
        content.name,
        content.summary,
        **content.sections,
        components=tuple(components),
        sources=without(content.sources, dropped),
        assumptions=without(content.assumptions, dropped),
        assumed_fields=tuple(without(dict.fromkeys(content.assumed, ""), dropped)),
    )
    for name, message in contradictions(target):
        source.mistake(name, message)
    source.finish()
    return target


def without(texts: Mapping[str, str], dropped: Collection[str]) -> dict[str, str]:
    """Return what is said of fields, but for those of entries that are not there."""
    return {name: text for name, text in texts.items() if not any(f"{name}.".startswith(f"{d}.") for d in dropped)}
