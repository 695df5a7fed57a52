"""Hostile requests to the API server: generated from a seed, so that any of them can be made again.

A request is (method, path, headers, body bytes). Bodies begin as real manifests and are bent: other types, huge numbers,
deep nesting, nulls, twins of keys, cut text, bad UTF-8. Paths, queries, selectors and patches are bent the same way.
"""

import copy
import json
import sys
import urllib.parse

# Values nested 400 deep are copied and written, at two frames a level.
sys.setrecursionlimit(10_000)

WORDS = ["a", "default", "x" * 300, "..", ".", "%2e%2e", "%2f", "kube-system", "Pod", "pods", "ünï", "a b", "a=b", "-1", "0", "", "*",
         "\u0000", "null", "true", "{}", "[]", "'; DROP TABLE objects; --", "<script>", "${trialParameters.x}", "{{inputs.parameters.x}}",
         "9" * 400, "1e999", "-", "_", "A", "a/b", "a/b/c", "~1", "~0", "~2", "/", "//", "#", "?", "&", "=", ";", ",", "!", "in (a,b)", "notin ()"]
NUMBERS = [0, -1, 1, 2**31, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**63, 2**64, 10**30, 0.1, -0.0, 1e308, 1e-320]
GROUPS = ["api/v1", "api/v1", "api/v1", "apis/apps/v1", "apis/batch/v1", "apis/kubeflow.org/v1beta1", "apis/kubeflow.org/v1", "apis/argoproj.io/v1alpha1",
          "apis/apiextensions.k8s.io/v1", "apis/storage.k8s.io/v1", "apis/events.k8s.io/v1", "apis/rbac.authorization.k8s.io/v1", "apis/none/v1", "apis", "openapi/v3",
          "openapi/v2", "version", "kindling/v1", "healthz", "readyz", ""]
RESOURCES = ["pods", "configmaps", "secrets", "services", "jobs", "statefulsets", "experiments", "trials", "suggestions", "workflows", "notebooks",
             "customresourcedefinitions", "persistentvolumeclaims", "persistentvolumes", "namespaces", "nodes", "events", "serviceaccounts", "storageclasses", "nonsense"]
SUBRESOURCES = ["", "", "", "", "status", "scale", "log", "exec", "token", "finalize", "eviction", "nonsense"]
QUERIES = ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "fieldValidation", "fieldManager", "force",
           "dryRun", "propagationPolicy", "gracePeriodSeconds", "pretty", "tailLines", "sinceSeconds", "container", "includeObject", "timeout", "nonsense"]
TYPES = ["application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
         "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf", "text/plain", "application/json; charset=utf-16", "nonsense", ""]
ACCEPTS = ["application/json", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/vnd.kubernetes.protobuf", "application/yaml",
           "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "text/html", "application/json;q=0", ";;;,", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"]


class Generator:
    """Requests without end. `samples`: manifests to bend. `namespace`: where what is really made goes."""

    def __init__(self, source, samples, namespace):
        self.source, self.samples, self.namespace = source, samples, namespace

    def __iter__(self):
        while True:
            yield self.source.choices([self.create, self.patch, self.read, self.write_raw], [5, 4, 3, 1])[0]()

    # Values

    def value(self, depth=0):
        source = self.source
        kind = source.randrange(9 if depth < 3 else 6)
        if kind == 0:
            return source.choice(NUMBERS)
        if kind == 1:
            return source.choice([None, True, False])
        if kind in (2, 3):
            return source.choice(WORDS)
        if kind == 4:
            return "".join(chr(source.choice([9, 10, 34, 39, 92, 127, 160, 0x202E, 0xFFFD, 0x1F600])) for _ in range(source.randrange(6)))
        if kind == 5:
            return [] if source.random() < 0.5 else {}
        if kind == 6:
            return [self.value(depth + 1) for _ in range(source.randrange(4))]
        if kind == 7:
            return {source.choice(WORDS): self.value(depth + 1) for _ in range(source.randrange(4))}
        nested = "x"
        for _ in range(source.choice([5, 60, 400])):
            nested = [nested] if source.random() < 0.5 else {"a": nested}
        return nested

    def bend(self, object):
        """The object with one to four places changed."""
        object = copy.deepcopy(object)
        for _ in range(self.source.randrange(1, 5)):
            places = []
            self.places(object, places)
            if not places:
                break
            holder, key = self.source.choice(places)
            deed = self.source.randrange(5)
            if deed == 0 and isinstance(holder, dict):
                del holder[key]
            elif deed == 1 and isinstance(holder, dict):
                holder[self.source.choice(WORDS)] = self.value()
            elif deed == 2 and isinstance(holder, list):
                holder += [copy.deepcopy(holder[key])] * self.source.randrange(1, 40)
            else:
                holder[key] = self.value()
        return object

    def places(self, value, found):
        if isinstance(value, dict):
            for key in value:
                found.append((value, key))
                self.places(value[key], found)
        elif isinstance(value, list):
            for index in range(len(value)):
                found.append((value, index))
                self.places(value[index], found)

    def text(self, value):
        """The value as bytes, sometimes spoilt."""
        source = self.source
        text = json.dumps(value, ensure_ascii=source.random() < 0.5)
        deed = source.random()
        if deed < 0.05:
            text = text[: source.randrange(len(text) + 1)]
        elif deed < 0.08:
            text = text.replace('"metadata"', '"metadata":{"name":"twin"},"metadata"', 1)
        elif deed < 0.10:
            text = text.replace(":", ":" * source.randrange(2, 4), 1)
        elif deed < 0.12:
            text = "[" * 3000 + text
        data = text.encode("utf-8", "surrogatepass")
        if deed > 0.97:
            place = source.randrange(len(data) + 1)
            data = data[:place] + bytes([source.choice([0, 0x80, 0xC0, 0xFF, 0xED, 0xA0])]) + data[place:]
        return data

    def accept(self):
        return self.source.choice(ACCEPTS[:3] * 10 + ACCEPTS)

    # Paths

    def query(self, *fixed):
        pairs = list(fixed)
        for _ in range(self.source.choice([0, 0, 1, 1, 2, 4])):
            word = self.source.choice(WORDS) if self.source.random() < 0.5 else str(self.source.choice(NUMBERS))
            pairs.append((self.source.choice(QUERIES), word))
        return "?" + urllib.parse.urlencode(pairs) if pairs else ""

    def path(self):
        source = self.source
        parts = [source.choice(GROUPS)]
        if source.random() < 0.85:
            parts += ["namespaces", source.choice([self.namespace, self.namespace, "default", source.choice(WORDS)])]
        parts.append(source.choice(RESOURCES))
        if source.random() < 0.7:
            parts.append(source.choice(["seed", "seed", source.choice(WORDS)]))
            parts.append(source.choice(SUBRESOURCES))
        if source.random() < 0.15:
            parts.insert(source.randrange(len(parts) + 1), source.choice(WORDS))
        quoted = [part if source.random() < 0.1 and part.isascii() and part.isprintable() and " " not in part and part.isidentifier() else
                  urllib.parse.quote(part, safe="/%") for part in parts]
        return "/" + "/".join(quoted).rstrip("/")

    def collection(self, object):
        version = object.get("apiVersion", "v1")
        kind = object.get("kind", "Pod").lower()
        plural = kind + ("es" if kind.endswith("s") else "s")
        group = f"api/{version}" if "/" not in version else f"apis/{version}"
        inside = "" if kind in ("namespace", "customresourcedefinition", "storageclass", "persistentvolume", "node") else f"namespaces/{self.namespace}/"
        return f"/{group}/{inside}{plural}"

    # Requests

    def create(self):
        sample = self.source.choice(self.samples)
        object = self.bend(sample)
        fixed = [("dryRun", "All")] if self.source.random() < 0.9 else []
        if self.source.random() < 0.3:
            fixed.append(("fieldValidation", self.source.choice(["Strict", "Warn", "Ignore", "x"])))
        headers = {"Content-Type": self.source.choice(TYPES[:2] * 20 + TYPES), "Accept": self.accept()}
        return "POST", self.collection(sample) + self.query(*fixed), headers, self.text(object)

    def patch(self):
        source = self.source
        sample = source.choice(self.samples)
        name = source.choice(["seed", "seed", "seed", "a"])
        kind = source.randrange(4)
        if kind == 0:
            paths = ["/metadata/labels/a", "/spec", "/spec/containers/0/image", "/spec/containers/-", "", "/", "/data/a~1b", "/metadata/name"]
            body = [{"op": source.choice(["add", "remove", "replace", "move", "copy", "test", "nonsense"]), "path": source.choice(paths + WORDS),
                     "from": source.choice(paths), "value": self.value()} for _ in range(source.choice([1, 2, 3, 200]))]
        elif kind == 1:
            body = self.bend(sample)
        elif kind == 2:
            body = self.bend(sample)
            body["metadata"] = {"name": name}
        else:
            body = self.bend({"spec": {"containers": [{"name": "main", "$patch": source.choice(["delete", "replace", "merge", "x"])}],
                                       "$setElementOrder/containers": [{"name": "main"}], "$retainKeys": ["a"]},
                              "metadata": {"finalizers": ["a/b"], "$deleteFromPrimitiveList/finalizers": ["a/b"]}})
        type = source.choice(TYPES[2:6] if source.random() < 0.85 else TYPES)
        fixed = [("fieldManager", source.choice(["m", "x" * 200, ""]))] if "apply" in type or source.random() < 0.2 else []
        return "PATCH", f"{self.collection(sample)}/{name}{source.choice(['', '', '', '/status', '/scale'])}" + self.query(*fixed), {"Content-Type": type}, self.text(body)

    def read(self):
        method = self.source.choice(["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"])
        path = self.path()
        fixed = [("dryRun", "All")] if method == "DELETE" else []
        if method == "GET" and self.source.random() < 0.05:
            fixed = [("watch", "1"), ("timeoutSeconds", "1"), ("resourceVersion", str(self.source.choice([0, 1, 10**18, "x"])))]
        return method, path + self.query(*fixed), {"Accept": self.accept()}, None

    def write_raw(self):
        method = self.source.choice(["POST", "PUT", "PATCH", "DELETE", "NONSENSE"])
        fixed = [("dryRun", "All")]
        return method, self.path() + self.query(*fixed), {"Content-Type": self.source.choice(TYPES)}, self.text(self.value())


def broken_http(source):
    """Bytes that are no proper HTTP, or the beginning of something that never ends."""
    head = "GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n"
    return source.choice([
        b"\x00" * 200, b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 64,
        (head + "Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg").encode(), (head + "Content-Length: -1\r\n\r\n").encode(),
        (head + "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n").encode(), (head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nabc").encode(),
        (head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n").encode(), (head + "X: " + "y" * 2_000_000 + "\r\n\r\n").encode(),
        (head + "".join(f"X{n}: y\r\n" for n in range(20000)) + "\r\n").encode(), (head + "\r\n").encode() * 50,
        f"GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(), (head + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n").encode(),
        f"GET /{'a' * 200_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), bytes(source.randrange(256) for _ in range(500)),
        b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"cut",
    ])
