"""Entries of `kinds`: names, scope, verbs, subresources and printer columns."""

import collections
import re

import yaml

from . import core

VERBS = {
    "post": ["create"], "put": ["update"], "patch": ["patch"], "get": ["get"], "delete": ["delete"],
    "list": ["list", "watch"], "deletecollection": ["deletecollection"], "connect": [],
}
CUSTOM_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)/(?P<namespaced>namespaces/\{namespace\}/)?"
                  r"(?P<plural>[a-z]+)(?P<name>/\{name\})?(?:/(?P<subresource>[a-z]+))?$")
# Of columns that are more than a field (and of all those of custom resources).
DESCRIPTIONS = {
    "Age": "time since it was created",
    "Assigned": "how many there are",
    "Containers": "names of the template's containers",
    "Images": "images of the template's containers",
    "Message": "why it stands so",
    "Ready": "how many are ready, of how many",
    "Requested": "how many were asked for",
    "Restarts": "restarts of the containers, and when the last was",
    "Selector": "labels of what belongs to it",
    "Status": "where it stands",
    "Type": "type of the newest condition",
}
COLUMN = re.compile(r"(?P<name>[^=:]+?)(?:: (?P<type>[a-z]+))?(?P<wide> wide)?(?: = (?P<source>\S+))?$")
# Of kinds for which upstream has no columns.
PLAIN_COLUMNS = ["Name", "Created At: date = createdAt"]
USUAL = {"Name": ".metadata.name", "Age": ".metadata.creationTimestamp"}


def list_definition(entry):
    return entry["definition"] + "List"


def core_kinds(groups, swagger, definitions):
    """Entries of Kubernetes' own kinds, and the definitions they need."""
    resources = paths(swagger["paths"])
    by_kind = {}
    for name, schema in definitions.items():
        for own in schema.get("x-kubernetes-group-version-kind", []):
            by_kind.setdefault((own["group"], own["version"], own["kind"]), name)
    entries = []
    for listed in groups:
        for kind, facts in listed["kinds"].items():
            place = listed["group"], listed["version"]
            if (*place, kind) not in resources or (*place, kind) not in by_kind:
                raise SystemExit(f"derive: swagger.json has no kind {kind} in {place}")
            entries.append(entry(*place, kind, facts, by_kind[(*place, kind)], resources[(*place, kind)]))
    return entries, [item["definition"] for item in entries]


def entry(group, version, kind, facts, definition, resource):
    return {
        "group": group, "version": version, "kind": kind, "listKind": kind + "List", "plural": resource["plural"],
        "singular": kind.lower(), "shortNames": facts.get("shortNames", []), "categories": facts.get("categories", []),
        "namespaced": resource["namespaced"], "definition": definition, "subresources": sorted(resource["subresources"]),
        "verbs": facts.get("verbs") or sorted(resource["verbs"]), "serve": facts.get("serve", False), "storage": True, "custom": False,
        "columns": [column(text) for text in facts.get("columns", PLAIN_COLUMNS)],
    }


def paths(table):
    """What the document's paths say of each kind: plural, scope, verbs, subresources."""
    found, subresources, plurals = {}, collections.defaultdict(set), {}
    for path, operations in table.items():
        match = PATH.match(path)
        if not match:
            continue
        place = match["group"] or "", match["version"], match["plural"]
        if match["subresource"]:
            subresources[place].add(match["subresource"])
            continue
        for operation in operations.values():
            kind = operation.get("x-kubernetes-group-version-kind") if isinstance(operation, dict) else None
            if not kind:
                continue
            key = kind["group"], kind["version"], kind["kind"]
            plurals[key] = place
            resource = found.setdefault(key, {"plural": match["plural"], "namespaced": False, "verbs": set()})
            resource["namespaced"] |= bool(match["namespaced"])
            resource["verbs"].update(VERBS[operation["x-kubernetes-action"]])
    for key, resource in found.items():
        resource["subresources"] = subresources[plurals[key]]
    return found


def column(text):
    match = COLUMN.match(text)
    if not match:
        raise SystemExit(f"derive: kinds.yaml: a column that cannot be read: {text}")
    name = match["name"]
    source = match["source"] or USUAL.get(name)
    if not source:
        raise SystemExit(f"derive: kinds.yaml: column {name} says not where its value comes from")
    return made_column(name, match["type"] or "string", "name" if source == ".metadata.name" or name == "Name" else "",
                       1 if match["wide"] else 0, source, "" if source.startswith(".") else DESCRIPTIONS.get(name, ""))


def made_column(name, type_name, format_name, priority, source, description):
    return {"name": name, "type": type_name, "format": format_name, "priority": priority, "description": description,
            "path" if source.startswith(".") else "function": source}


def katib_kinds(files, folder, prefix):
    """Entries of the kinds whose CRD upstream ships without a schema."""
    entries = []
    for file in files:
        spec = yaml.safe_load((folder / file).read_text())["spec"]
        version = spec["versions"][0]
        entries.append(custom_entry(spec, version, prefix + spec["names"]["kind"], True))
    return entries


def custom_entry(spec, version, definition, serve):
    names = spec["names"]
    columns = [column("Name")]
    age = {"name": "Age", "type": "date", "jsonPath": USUAL["Age"]}
    for listed in version.get("additionalPrinterColumns", [age]):
        columns.append(made_column(listed["name"], listed["type"], listed.get("format", ""), listed.get("priority", 0),
                                   listed["jsonPath"], DESCRIPTIONS.get(listed["name"], "")))
    return {
        "group": spec["group"], "version": version["name"], "kind": names["kind"],
        "listKind": names.get("listKind", names["kind"] + "List"), "plural": names["plural"],
        "singular": names.get("singular", names["kind"].lower()), "shortNames": names.get("shortNames", []),
        "categories": names.get("categories", []), "namespaced": spec["scope"] == "Namespaced", "definition": definition,
        "subresources": sorted(version.get("subresources") or {}), "verbs": CUSTOM_VERBS, "serve": serve,
        "storage": version["storage"], "custom": True, "columns": columns,
    }
