"""The Azure templates, read, and ways to find things in them."""

import bicep
from bicep import Loop
from reading import DEPLOY

AZURE = DEPLOY / "azure"
TEMPLATES = {path.stem: bicep.parse(path.read_text()) for path in sorted(AZURE.glob("*.bicep"))}


def declared(template, *kinds):
    return {d.name: d for d in TEMPLATES[template] if d.kind in kinds}


def objects(value, path=""):
    """(keys that lead there, object) of every object that is written out."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, f"{path}.{key}" if isinstance(key, str) else path)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner, path)
    elif isinstance(value, Loop):
        yield from objects(value.body, path)


def find(value, key):
    """Everything under this key, anywhere inside."""
    return [found[key] for _, found in objects(value) if key in found]


def literals(value):
    """The strings of a list."""
    return [text.literal for text in value]


def variable(template, name):
    return declared(template, "var")[name].value
