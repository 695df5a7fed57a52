"""Definitions of Katib's kinds, from the short notation of katib.yaml."""

from . import core

CORE = "io.k8s.api.core.v1."
SIMPLE = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int32"},
    "int": {"type": "integer"},
    "number": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
    "Time": {"$ref": core.META + "Time"},
}


def definitions(facts):
    """The definitions by full name, and the core definitions that they need without defaults."""
    notation = Notation(facts["prefix"], set(facts["definitions"]))
    result = {facts["prefix"] + name: notation.definition(fields) for name, fields in facts["definitions"].items()}
    for kind, parts in facts["kinds"].items():
        result[facts["prefix"] + kind] = kind_definition(facts["prefix"], kind, parts)
    return result, sorted(notation.core)


def kind_definition(prefix, kind, parts):
    properties = {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": core.META + "ObjectMeta"},
        **{field: {"$ref": prefix + name} for field, name in parts.items()},
    }
    own = {"group": "kubeflow.org", "kind": kind, "version": "v1beta1"}
    return {"type": "object", "properties": properties, "x-kubernetes-group-version-kind": [own]}


class Notation:
    def __init__(self, prefix, names):
        self.prefix, self.names, self.core = prefix, names, set()

    def definition(self, fields):
        result = {"type": "object", "properties": {name.rstrip("!"): self.type(text) for name, text in fields.items()}}
        required = sorted(name.rstrip("!") for name in fields if name.endswith("!"))
        return {**result, "required": required} if required else result

    def type(self, text):
        if "|" in text:
            return {"type": "string", "enum": [value.strip() for value in text.split("|")]}
        if text.startswith("{"):
            return {"type": "array", "items": self.type(text.strip("{}")), "x-kubernetes-list-type": "set"}
        if text.startswith("["):
            element, _, key = text[1:].partition("]")
            list_type = {"x-kubernetes-list-type": "atomic"}
            if key:
                list_type = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key.removeprefix(" by ")]}
            return {"type": "array", "items": self.type(element), **list_type}
        if text.startswith("core:"):
            name = CORE + text.removeprefix("core:")
            self.core.add(name)
            return {"$ref": core.plain_name(name)}
        if text in SIMPLE:
            return dict(SIMPLE[text])
        if text in self.names:
            return {"$ref": self.prefix + text}
        raise SystemExit(f"derive: katib.yaml: no type {text}")
