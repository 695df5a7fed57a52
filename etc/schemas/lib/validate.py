"""A small validator for the schemas of kinds.json: what is unknown, of a wrong type, missing or not allowed."""

import re

QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


class Validator:
    def __init__(self, document):
        self.definitions = document["definitions"]
        self.kinds = {(entry["group"], entry["version"], entry["kind"]): entry for entry in document["kinds"]}

    def object_problems(self, value):
        """Problems of one manifest, each a line; None where its kind is not known."""
        group, _, version = value.get("apiVersion", "").rpartition("/")
        entry = self.kinds.get((group, version, value.get("kind")))
        if entry is None:
            return None
        return list(self.problems(value, {"$ref": entry["definition"]}, ""))

    def problems(self, value, schema, path):
        while "$ref" in schema:
            # Only a default stands beside a reference, and that is of no concern here.
            schema = self.definitions[schema["$ref"]]
        if value is None:
            return  # decoded as absent
        if schema.get("format") == "int-or-string":
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                yield f"{path}: expected an integer or a string, found {value!r}"
            return
        if schema.get("format") == "quantity":
            if isinstance(value, bool) or not QUANTITY.match(str(value)):
                yield f"{path}: expected a quantity, found {value!r}"
            return
        kind = schema.get("type")
        if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
            # YAML reads an unquoted time as one.
            if not (schema.get("format") == "date-time" and hasattr(value, "isoformat")):
                yield f"{path}: expected {kind}, found {value!r}"
                return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{path}: expected one of {', '.join(map(repr, schema['enum']))}, found {value!r}"
        if isinstance(value, dict):
            yield from self.object_fields(value, schema, path)
        elif isinstance(value, list) and "items" in schema:
            for index, element in enumerate(value):
                yield from self.problems(element, schema["items"], f"{path}[{index}]")

    def object_fields(self, value, schema, path):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        free = schema.get("x-kubernetes-preserve-unknown-fields", not known and others is None)
        for field, child in value.items():
            where = f"{path}.{field}" if path else str(field)
            if field in known:
                yield from self.problems(child, known[field], where)
            elif isinstance(others, dict):
                yield from self.problems(child, others, where)
            elif not free and others is not True:
                yield f"unknown field {where}"
        for field in schema.get("required", []):
            if value.get(field) is None:
                yield f"{path + '.' if path else ''}{field}: required"
