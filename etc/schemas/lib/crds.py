"""Definitions of kinds that upstream describes by CustomResourceDefinitions with a schema.

Such schemas repeat themselves: a pod's volumes are spelled out in each of the ten places where a workflow may name them.
Equal subtrees are written once, under a name made of the field they were first met at."""

import collections
import copy
import json

import yaml

from . import core
from .kinds import custom_entry

# A subtree this long at least, met twice or more, becomes a definition.
WORTH_SHARING = 200


def kinds(listed, folder):
    """Entries and definitions of the CRDs' kinds."""
    entries, roots = [], {}
    for item in listed:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        definition = yaml.load((folder / item["file"]).read_text(), loader)
        spec = definition["spec"]
        # The stored version first: it is the preferred one.
        for version in sorted(spec["versions"], key=lambda version: not version["storage"]):
            if not version["served"]:
                continue
            name = definition_name(spec, version)
            entries.append(custom_entry(spec, version, name, item.get("serve", False)))
            roots[name] = root(version["schema"]["openAPIV3Schema"], spec, version)
    return entries, shared(roots)


def definition_name(spec, version):
    return ".".join([*reversed(spec["group"].split(".")), version["name"], spec["names"]["kind"]])


def root(schema, spec, version):
    result = facts(schema)
    result["properties"]["metadata"] = {"$ref": core.META + "ObjectMeta"}
    own = {"group": spec["group"], "kind": spec["names"]["kind"], "version": version["name"]}
    result["x-kubernetes-group-version-kind"] = [own]
    return result


def facts(schema):
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {field: facts(child) for field, child in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            result[key] = facts(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            result[key] = [facts(branch) for branch in value]
        elif key in core.KEYS:
            result[key] = value
        elif key not in ("description", "title", "example", "externalDocs"):
            raise SystemExit(f"derive: a CustomResourceDefinition has {key}, which this script does not know")
    return simplified(result)


def simplified(schema):
    """Says the same in the words of the core definitions."""
    if schema.get("x-kubernetes-int-or-string"):
        name = "api.resource.Quantity" if "pattern" in schema else "util.intstr.IntOrString"
        kept = {key: schema[key] for key in ("default", "nullable") if key in schema}
        return {"$ref": "io.k8s.apimachinery.pkg." + name, **kept}
    if schema == {"type": "string", "format": "date-time"}:
        return {"$ref": core.META + "Time"}
    # Here an object without a field named has none, where it is free-form in Kubernetes' own document.
    if schema == {"type": "object"}:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": False}
    return schema


def shared(roots):
    """The roots, with each large subtree that occurs more than once moved to a definition of its own."""
    counts, first = collections.Counter(), {}

    def text(schema):
        return json.dumps(schema, sort_keys=True, separators=(",", ":"))

    def count(schema, path):
        written = text(schema)
        if len(written) >= WORTH_SHARING:
            counts[written] += 1
            # What is inside a subtree that was seen before has been counted with it.
            if counts[written] > 1:
                return
            first[written] = path
        for field, child in children(schema):
            count(child, path + [field] if field else path)

    for name in sorted(roots):
        count(roots[name], [name])
    names, taken = {}, collections.Counter()
    for written, path in first.items():
        if counts[written] > 1 and len(path) > 1:
            owner, label = path[0].rsplit(".", 1)[0], path[-1][0].upper() + path[-1][1:]
            label += "Element" if json.loads(written).get("type") != "array" and path[-1].endswith("s") else ""
            taken[(owner, label)] += 1
            number = taken[(owner, label)]
            names[written] = f"{owner}.{label}{number if number > 1 else ''}"
        elif counts[written] > 1:
            names[written] = path[0]

    result = {}

    def replaced(schema, is_root=False):
        written = text(schema)
        if written in names and not is_root:
            if names[written] not in result:
                result[names[written]] = None
                result[names[written]] = inside(schema)
            return {"$ref": names[written]}
        return inside(schema)

    def inside(schema):
        copied = copy.copy(schema)
        if "properties" in copied:
            copied["properties"] = {field: replaced(child) for field, child in copied["properties"].items()}
        for key in ("items", "additionalProperties", "not"):
            if isinstance(copied.get(key), dict):
                copied[key] = replaced(copied[key])
        return copied

    for name in sorted(roots):
        result[name] = replaced(roots[name], is_root=True)
    return result


def children(schema):
    """Subschemas with the field that each belongs to; "" for what has no name of its own."""
    yield from schema.get("properties", {}).items()
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            yield "", schema[key]
