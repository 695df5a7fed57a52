"""Objects: reading, writing, patching, deleting."""

import json

from kindlingtest.manifests import shell

from . import behaviour, equal, has

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"app": "x"}}, "data": {"a": "1", "b": "2"}}
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.clients.example.com"},
    "spec": {"group": "clients.example.com", "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
                                                                             "listKind": "WidgetList", "shortNames": ["wdg"], "categories": ["all"]},
             "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                           "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                           "schema": {"openAPIV3Schema": {"type": "object", "description": "A widget.", "properties": {
                               "spec": {"type": "object", "required": ["size"], "properties": {
                                   "size": {"type": "integer", "minimum": 1, "description": "How large it is."}, "colour": {"type": "string", "default": "red"}}},
                               "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}}}]}}


def of(data):
    return MAP | {"data": data}


@behaviour("version tells the server's")
def version(k):
    assert json.loads(k.run("version", "-o", "json").stdout)["serverVersion"]["major"] == "1"


@behaviour("api-resources and api-versions list every group", quick=True)
def discovery(k):
    rows = k.run("api-resources").stdout
    has(rows, "experiments", "workflows", "deployments", "deploy", "customresourcedefinitions", "crd,crds", "poddisruptionbudgets")
    has(k.run("api-resources", "--namespaced=false", "-o", "name").stdout, "nodes", "namespaces", "storageclasses.storage.k8s.io")
    has(k.run("api-resources", "--api-group=batch", "--verbs=list").stdout, "cronjobs", "jobs")
    has(k.run("api-versions").stdout.split("\n"), "v1", "apps/v1", "kubeflow.org/v1beta1", "argoproj.io/v1alpha1", "metrics.k8s.io/v1beta1")


@behaviour("client-side apply creates, leaves, configures and removes keys", quick=True)
def apply(k):
    say = lambda data: k.run("apply", "-f", "-", input=of(data)).stdout.split()[-1]  # noqa: E731
    equal([say({"a": "1", "b": "2"}), say({"a": "1", "b": "2"}), say({"a": "9"})], ["created", "unchanged", "configured"])
    equal(k.get("cm", "c")["data"], {"a": "9"})
    has(k.run("apply", "view-last-applied", "cm/c").stdout, "a: \"9\"")


@behaviour("apply --prune deletes what left the set")
def prune(k):
    both = [MAP, MAP | {"metadata": {"name": "d", "labels": {"app": "x"}}}]
    words = ["apply", "-f", "-", "--prune", "-l", "app=x", *(["--prune-allowlist=core/v1/ConfigMap"] if k.version >= (1, 26) else ["--prune-whitelist=core/v1/ConfigMap"])]
    k.run(*words, input=both)
    has(k.run(*words, input=MAP).stdout, "configmap/d pruned")


@behaviour("apply --applyset keeps and prunes a set", since=(1, 27))
def applyset(k):
    words = ["apply", "-f", "-", "--prune", "--applyset=configmaps/set", "-n", k.ns]
    both = [MAP, MAP | {"metadata": {"name": "d"}}]
    k.run(*words, input=both, environment={"KUBECTL_APPLYSET": "true"})
    has(k.run(*words, input=MAP, environment={"KUBECTL_APPLYSET": "true"}).stdout, "configmap/d pruned")


@behaviour("server-side apply conflicts, forces and shares fields", quick=True)
def server_side(k):
    apply = lambda data, who, *more, **options: k.run(  # noqa: E731
        "apply", "--server-side", f"--field-manager={who}", "-f", "-", *more, input=of(data), **options)
    apply({"a": "1", "b": "2"}, "one")
    refused = apply({"a": "7"}, "two", check=False)
    assert refused.returncode != 0
    has(refused.stderr.lower(), "conflict", ".data.a")
    apply({"a": "7"}, "two", "--force-conflicts")
    equal(k.get("cm", "c")["data"], {"a": "7", "b": "2"})


@behaviour("client-side apply is taken over by server-side apply", since=(1, 26))
def taken_over(k):
    k.run("apply", "-f", "-", input=MAP)
    k.run("apply", "--server-side", "-f", "-", input=of({"a": "1"}))
    equal(k.get("cm", "c")["data"], {"a": "1"})


@behaviour("a pod goes to server-side apply and back", since=(1, 20), quick=True)
def there_and_back(k):
    def labelled(value):
        pod = shell("p", "true")
        pod["metadata"]["labels"] = {"x": value}
        return pod

    k.run("apply", "-f", "-", input=labelled("a"))
    for value, words in (("b", ["--server-side"]), ("c", ["--server-side"]), ("d", [])):
        k.run("apply", *words, "-f", "-", input=labelled(value))
        equal(k.get("pod", "p")["metadata"]["labels"], {"x": value})
        has(k.run("apply", "view-last-applied", "pod/p").stdout, f"x: {value}")


@behaviour("apply takes a Deployment's defaulted rollingUpdate away with its strategy", quick=True)
def strategy(k):
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    k.run("apply", "-f", "-", input=deployment)
    has(k.get("deployment", "d")["spec"]["strategy"], "rollingUpdate")
    k.run("apply", "-f", "-", input=deployment | {"spec": spec | {"strategy": {"type": "Recreate"}}})
    equal(k.get("deployment", "d")["spec"]["strategy"], {"type": "Recreate"})


@behaviour("diff shows what would change and changes nothing")
def diff(k):
    k.run("apply", "-f", "-", input=MAP)
    equal(k.run("diff", "-f", "-", input=MAP).stdout, "")
    shown = k.run("diff", "-f", "-", input=of({"a": "5", "b": "2"}), check=False)
    equal(shown.returncode, 1)
    has(shown.stdout, '-  a: "1"', '+  a: "5"')
    shown = k.run("diff", "--server-side", "--force-conflicts", "-f", "-", input=of({"a": "6", "b": "2"}), check=False)
    has(shown.stdout, '+  a: "6"')
    equal(k.get("cm", "c")["data"]["a"], "1")


@behaviour("create makes every kind that it has a word for")
def create(k):
    for words in (
            ["deployment", "d", "--image=busybox", "--replicas=0"], ["job", "j", "--image=busybox", "--", "true"], ["secret", "generic", "s", "--from-literal=a=b"],
            ["secret", "docker-registry", "sd", "--docker-server=x", "--docker-username=u", "--docker-password=p"],
            ["configmap", "cm", "--from-literal=a=b"], ["quota", "q", "--hard=pods=100"], ["serviceaccount", "sa"],
            ["role", "r", "--verb=get,list", "--resource=pods"], ["rolebinding", "rb", "--role=r", f"--serviceaccount={k.ns}:sa"],
            ["service", "clusterip", "svc", "--tcp=80:8080"], ["service", "externalname", "en", "--external-name=example.com"],
            ["ingress", "i", "--rule=x.example.com/a*=svc:80"],
            # Before 1.21 and 1.22 kubectl makes them of beta versions, which no server has had since 1.25.
            *([["cronjob", "cj", "--image=busybox", "--schedule=0 0 1 1 *", "--", "true"]] if k.version >= (1, 21) else []),
            *([["poddisruptionbudget", "pdb", "--selector=app=x", "--min-available=1"]] if k.version >= (1, 22) else [])):
        k.run("create", *words)
    equal(k.run("get", "ing", "i", "-o", "jsonpath={.spec.rules[0].http.paths[0].pathType}").stdout, "Prefix")
    has(k.run("get", "secret", "sd", "-o", "jsonpath={.type}").stdout, "kubernetes.io/dockerconfigjson")
    has(k.run("create", "cm", "cm", check=False).stderr, "already exists")


@behaviour("dry runs, of client and server, keep nothing")
def dry_run(k):
    for way in ("client", "server"):
        equal(k.run("create", "cm", "dry", f"--dry-run={way}", "-o", "name").stdout.strip(), "configmap/dry")
        k.run("apply", "-f", "-", f"--dry-run={way}", input=MAP)
    k.run("create", "-f", "-", input=MAP)
    k.run("delete", "cm", "c", "--dry-run=server")
    k.run("label", "cm", "c", "a=b", "--dry-run=server")
    equal(k.run("get", "cm", "-o", "name", "--field-selector=metadata.name!=kube-root-ca.crt").stdout.split(), ["configmap/c"])


@behaviour("get prints tables, JSON, YAML, JSONPath, templates, columns and labels", quick=True)
def get(k):
    k.run("create", "-f", "-", input=[MAP, MAP | {"metadata": {"name": "d"}}])
    lines = k.run("get", "cm", "-L", "app", "--sort-by=.metadata.name").stdout.splitlines()
    equal(lines[0].split(), ["NAME", "DATA", "AGE", "APP"])
    equal(lines[1].split()[0::3], ["c", "x"])
    has(k.run("get", "cm", "c", "-o", "yaml").stdout, "a: \"1\"")
    equal(k.run("get", "cm", "c", "-o", "jsonpath={.data.b}").stdout, "2")
    equal(k.run("get", "cm", "c", "-o", "go-template={{.data.a}}").stdout, "1")
    equal(k.run("get", "cm", "-l", "app in (x)", "-o", "custom-columns=N:.metadata.name,A:.data.a").stdout.split(), ["N", "A", "c", "1"])
    equal(k.run("get", "cm", "--field-selector=metadata.name=d", "-o", "name").stdout.strip(), "configmap/d")
    has(k.run("get", "cm", "--show-labels").stdout, "app=x")
    has(k.run("get", "cm", "-A").stdout, "NAMESPACE", k.ns)
    has(k.run("get", "nodes", "-o", "wide").stdout, "INTERNAL-IP", "Ready")
    has(k.run("get", "cm", "--chunk-size=1").stdout, "c ", "d ")
    equal(k.run("get", "cm", "none", "--ignore-not-found").stdout, "")
    has(k.run("get", "pod", "none", check=False).stderr, 'Error from server (NotFound): pods "none" not found')
    has(k.run("get", "nonsense", check=False).stderr, "the server doesn't have a resource type")
    has(k.run("get", "--raw", f"/api/v1/namespaces/{k.ns}/configmaps/c").stdout, '"kind":"ConfigMap"')


@behaviour("get --watch prints each change")
def watch(k):
    watching = k.start("get", "cm", "--watch", "--no-headers", "--output-watch-events", "--field-selector=metadata.name=c")
    try:
        k.run("create", "-f", "-", input=MAP)
        assert watching.stdout.readline().split()[:2] == ["ADDED", "c"]
        k.run("label", "cm", "c", "x=y")
        k.run("delete", "cm", "c")
        equal([watching.stdout.readline().split()[0] for _ in range(2)], ["MODIFIED", "DELETED"])
    finally:
        k.stop(watching)


@behaviour("the three patches and a patch of status")
def patches(k):
    k.run("create", "-f", "-", input={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
            {"name": "one", "image": "busybox"}, {"name": "two", "image": "busybox"}]}}}})
    k.run("patch", "deploy", "d", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"alpine"}]}}}}')
    k.run("patch", "deploy", "d", "--type=merge", "-p", '{"metadata":{"annotations":{"m":"1"}}}')
    k.run("patch", "deploy", "d", "--type=json", "-p", '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"x"}]')
    has(k.run("patch", "deploy", "d", "-p", '{"metadata":{"annotations":{"m":"1"}}}').stdout, "patched (no change)")
    found = k.get("deploy", "d")
    equal([c["image"] for c in found["spec"]["template"]["spec"]["containers"]], ["x", "alpine"])
    equal(found["metadata"]["annotations"]["m"], "1")
    if k.version >= (1, 24):
        k.run("patch", "deploy", "d", "--subresource=status", "--type=merge", "-p", '{"status":{"observedGeneration":99}}')


@behaviour("label and annotate, overwrite, list and remove")
def labels(k):
    k.run("create", "-f", "-", input=MAP)
    k.run("label", "cm", "c", "colour=red")
    has(k.run("label", "cm", "c", "colour=blue", check=False).stderr, "--overwrite is false")
    k.run("label", "cm", "c", "colour=blue", "--overwrite", "app-")
    k.run("annotate", "cm", "-l", "colour=blue", "why=because")
    equal(k.run("label", "cm", "c", "--list").stdout.strip(), "colour=blue")
    equal(k.get("cm", "c")["metadata"]["annotations"]["why"], "because")


@behaviour("edit, replace, replace --force and set-last-applied")
def edit(k):
    k.run("apply", "-f", "-", input=MAP)
    k.run("edit", "cm", "c", environment={"KUBE_EDITOR": "sed -i s/'a: \"1\"'/'a: \"edited\"'/"})
    made = k.get("cm", "c")
    equal(made["data"]["a"], "edited")
    k.run("replace", "-f", "-", input=made | {"data": {"r": "1"}})
    has(k.run("replace", "-f", "-", input=made, check=False).stderr, "the object has been modified")
    k.run("replace", "--force", "-f", "-", input=MAP)
    assert k.get("cm", "c")["metadata"]["uid"] != made["metadata"]["uid"]
    k.run("apply", "set-last-applied", "--create-annotation", "-f", "-", input=of({"z": "1"}))
    has(k.run("apply", "view-last-applied", "cm/c", "-o", "json").stdout, '"z"')


@behaviour("unknown and wrong fields are refused by name", quick=True)
def validation(k):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "m", "image": "busybox"}]}}
    wrong = k.run("apply", "-f", "-", input=pod | {"spec": pod["spec"] | {"colour": "red"}}, check=False)
    has(wrong.stderr, "unknown field", "colour")
    wrong = k.run("apply", "-f", "-", input=pod | {"spec": {"containers": [{"name": "m", "image": 7}]}}, check=False)
    assert wrong.returncode != 0 and "image" in wrong.stderr, wrong.stderr
    wrong = k.run("apply", "-f", "-", input=pod | {"spec": {"containers": [{"image": "busybox"}]}}, check=False)
    assert wrong.returncode != 0 and "name" in wrong.stderr, wrong.stderr
    wrong = k.run("create", "-f", "-", input=pod | {"metadata": {"name": "Not_A_Name"}}, check=False)
    has(wrong.stderr, 'The Pod "Not_A_Name" is invalid', "metadata.name")


@behaviour("explain knows built-in and users' kinds")
def explain(k):
    has(k.run("explain", "deployment.spec.template.spec.containers.resources").stdout, "limits", "requests")
    has(k.run("explain", "pod.spec", "--recursive").stdout, "containers", "initContainers")
    has(k.run("explain", "experiment.spec").stdout, "parallelTrialCount", "objective")
    has(k.run("explain", "cronjob", "--api-version=batch/v1").stdout, "CronJob")


@behaviour("describe knows every common kind")
def describe(k):
    k.run("create", "-f", "-", input=MAP)
    k.run("create", "deployment", "d", "--image=busybox", "--replicas=0")
    k.run("create", "service", "clusterip", "svc", "--tcp=80:8080")
    k.run("create", "quota", "q", "--hard=pods=100")
    for kind, name, *words in (
            ("cm", "c", "Data", "a:"), ("deploy", "d", "StrategyType:", "NewReplicaSet:"), ("svc", "svc", "Endpoints", "TargetPort:"),
            ("quota", "q", "Used", "pods"), ("ns", k.ns, "Status:"), ("sa", "default", "Name:"), ("node", "", "Allocatable:", "Capacity:", "Conditions:")):
        has(k.run("describe", kind, *([name] if name else [])).stdout, *words)


@behaviour("delete by name, selector and file, orphaning, and waiting for the end")
def delete(k):
    k.run("create", "-f", "-", input=[MAP, MAP | {"metadata": {"name": "d", "labels": {"app": "y"}}}, MAP | {"metadata": {"name": "e", "labels": {"app": "y"}}}])
    has(k.run("delete", "cm", "-l", "app=y").stdout, 'configmap "d" deleted', 'configmap "e" deleted')
    has(k.run("delete", "-f", "-", input=MAP).stdout, 'configmap "c" deleted')
    has(k.run("delete", "cm", "c", check=False).stderr, "NotFound")
    equal(k.run("delete", "cm", "c", "--ignore-not-found").returncode, 0)
    k.run("create", "deployment", "d", "--image=busybox", "--replicas=0")
    k.run("wait", "deploy/d", "--for=condition=Available", "--timeout=30s")
    k.run("delete", "deploy", "d", "--cascade=orphan")
    assert k.run("get", "rs", "-o", "name").stdout.startswith("replicaset.apps/d-")
    k.run("delete", "rs", "--all", "--cascade=foreground")
    equal(k.run("get", "rs", "-o", "name").stdout, "")


@behaviour("wait for a condition, a JSONPath, an end and a beginning")
def wait(k):
    late = k.start("wait", "cm/c", "--for=create", "--timeout=30s") if k.version >= (1, 31) else None
    k.run("create", "deployment", "d", "--image=busybox", "--replicas=0")
    k.run("wait", "deploy/d", "--for=condition=Available", "--timeout=30s")
    k.run("create", "-f", "-", input=MAP)
    if late:
        assert late.wait(30) == 0
        late.stdout.close()
    if k.version >= (1, 23):
        k.run("wait", "cm/c", "--for=jsonpath={.data.a}=1", "--timeout=10s")
    # Old ones call it an error when the object has gone before they look: it stays long enough.
    k.run("apply", "-f", "-", input=shell("p", "trap 'sleep 2; exit' TERM; while :; do sleep 0.1; done"))
    k.run("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    k.run("delete", "pod", "p", "--wait=false")
    k.run("wait", "pod/p", "--for=delete", "--timeout=30s")
    has(k.run("wait", "deploy/d", "--for=condition=Nonsense", "--timeout=1s", check=False).stderr, "timed out")


@behaviour("a kustomization is applied")
def kustomize(k):
    (k.work / "kustomization.yaml").write_text("namePrefix: my-\ncommonLabels: {team: a}\nconfigMapGenerator:\n- {name: gen, literals: [a=b]}\nresources: [c.json]\n")
    (k.work / "c.json").write_text(json.dumps(MAP))
    said = k.run("apply", "-k", k.work).stdout
    has(said, "configmap/my-c created", "configmap/my-gen-")
    has(k.run("delete", "-k", k.work).stdout, "my-c")


@behaviour("several documents in a folder are applied and deleted")
def folder(k):
    (k.work / "in").mkdir()
    (k.work / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n")
    (k.work / "in" / "c.json").write_text(json.dumps(MAP))
    equal(k.run("apply", "-R", "-f", k.work).stdout.split()[1::2], ["created"] * 3)
    equal(len(k.run("delete", "-R", "-f", k.work).stdout.splitlines()), 3)


@behaviour("a user's own kind: table, validation, defaults, explain, status", quick=True)
def own_kind(k):
    k.run("apply", "-f", "-", input=WIDGETS)
    k.run("wait", "crd/widgets.clients.example.com", "--for=condition=Established", "--timeout=30s")
    widget = {"apiVersion": "clients.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    k.run("apply", "-f", "-", input=widget)
    equal(k.run("get", "wdg", "w", "--no-headers").stdout.split()[:2], ["w", "3"])
    equal(k.get("widget", "w")["spec"], {"size": 3, "colour": "red"})
    has(k.run("get", "all").stdout, "widget.clients.example.com/w")
    refused = k.run("apply", "-f", "-", input=widget | {"spec": {"size": 0}}, check=False)
    has(refused.stderr, "spec.size", "greater than or equal to 1")
    k.eventually(lambda: has(k.run("explain", "widget.spec").stdout, "How large it is"))
    k.run("delete", "widget", "w")


@behaviour("kuberc: defaults of a user's own are obeyed", since=(1, 37))
def kuberc(k):
    (k.work / "kuberc").write_text("apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ndefaults:\n- command: create\n  options: [{name: dry-run, default: server}]\n")
    result = k.run("--kuberc", k.work / "kuberc", "create", "cm", "dry", check=False, environment={"KUBECTL_KUBERC": "true"})
    assert result.returncode == 0, result.stderr
