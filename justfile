# `just` lists these; each is a plain command that also works by hand.

python := ".venv/bin/python"

default:
    @just --list

# a virtual environment with everything for development
setup:
    python3 -m venv .venv
    .venv/bin/pip install -e '.[dev,docs]'

# the fast tests (minutes)
test *arguments:
    {{python}} -m pytest -n auto {{arguments}}

# every test
test-all:
    {{python}} -m pytest -n auto -m "slow or not slow"

# golden texts, written anew: look at the diff
golden:
    {{python}} -m pytest tests/passes --update-golden

# lint, format, types, layering
check:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports

# lint and format in place
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# files by length, longest first
sizes:
    @git ls-files 'rcompile/*.py' | xargs wc -l | sort -rn | head -30

# figures against yardsticks measured in the same run
bench:
    {{python}} benchmarks/compile.py

# the documentation site, in site/
docs:
    .venv/bin/mkdocs build --strict

# all that must hold before a change lands
ci:
    .ci/run
