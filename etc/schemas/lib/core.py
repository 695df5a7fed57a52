"""Definitions of Kubernetes' own kinds, from its OpenAPI v2 document."""

import copy

META = "io.k8s.apimachinery.pkg.apis.meta.v1."

# What a schema may say, in the order in which it is written.
KEYS = [
    "$ref", "type", "format", "nullable", "enum", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "required", "properties", "items", "additionalProperties", "allOf", "anyOf", "oneOf", "not",
    "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy", "x-kubernetes-group-version-kind", "x-kubernetes-validations",
    "x-kindling-default-function", "x-kindling-checks",
]

# Types that Go decodes by a method of their own: the document says too little of them.
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string", "format": "quantity"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "type": "string", "format": "int-or-string", "x-kubernetes-int-or-string": True},
    META + "FieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    META + "Patch": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
SPECIAL[EXTENSIONS + "JSON"] = {"x-kubernetes-preserve-unknown-fields": True}
PROPS = {"$ref": EXTENSIONS + "JSONSchemaProps"}
# A schema or a boolean (a list): checked no further than that, as a type of its own decodes them.
SPECIAL[EXTENSIONS + "JSONSchemaPropsOrArray"] = {"x-kubernetes-preserve-unknown-fields": True}
SPECIAL[EXTENSIONS + "JSONSchemaPropsOrBool"] = {"x-kubernetes-preserve-unknown-fields": True}
SPECIAL[EXTENSIONS + "JSONSchemaPropsOrStringArray"] = {"x-kubernetes-preserve-unknown-fields": True}


def definitions(swagger):
    """All definitions of the document: facts only, references by bare name."""
    return {name: copy.deepcopy(SPECIAL[name]) if name in SPECIAL else facts(schema, name)
            for name, schema in swagger["definitions"].items()}


def facts(schema, name):
    result = {}
    for key, value in schema.items():
        if key == "$ref":
            result[key] = value.rsplit("/", 1)[1]
        elif key == "properties":
            result[key] = {field: facts(child, name) for field, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = facts(value, name)
        elif key == "x-kubernetes-group-version-kind":
            # DeleteOptions and WatchEvent name every group there is; only what a definition alone stands for is a fact.
            if len(value) == 1:
                result[key] = value
        elif key in KEYS:
            result[key] = value
        elif key not in ("description", "x-kubernetes-unions"):
            raise SystemExit(f"derive: {name} has {key}, which this script does not know")
    return result


def references(schema):
    """The names that a schema refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def plain_name(name):
    """The name of a core definition as it stands in a custom resource: there, Go's defaults are not applied."""
    return "plain." + name


def without_defaults(all_definitions, roots):
    """Copies of definitions, and of what they refer to, to which defaults.yaml does not apply."""
    result, stack = {}, list(roots)
    while stack:
        name = stack.pop()
        if plain_name(name) in result:
            continue
        used = sorted(set(references(all_definitions[name])))
        result[plain_name(name)] = renamed(all_definitions[name])
        stack += [other for other in used if other not in SPECIAL]
    return result


def renamed(schema):
    if isinstance(schema, list):
        return [renamed(value) for value in schema]
    if not isinstance(schema, dict):
        return copy.deepcopy(schema)
    return {key: plain_name(value) if key == "$ref" and isinstance(value, str) and value not in SPECIAL else renamed(value)
            for key, value in schema.items()}


def ordered(value, inside=None):
    """Sorts keys: those of a schema as KEYS has them, all others by name."""
    if isinstance(value, list):
        return [ordered(element, inside) for element in value]
    if not isinstance(value, dict):
        return value
    if inside in ("default", "enum"):
        return {key: value[key] for key in sorted(value)}
    if inside == "properties" or inside == "definitions":
        return {key: ordered(value[key], "schema") for key in sorted(value)}
    if inside == "kinds":
        return value
    rank = {key: index for index, key in enumerate(KEYS)}
    return {key: ordered(value[key], key) for key in sorted(value, key=lambda key: (rank.get(key, len(KEYS)), key))}
