"""helm, with a small chart of our own: hooks, CRDs, tests."""

import json

from . import behaviour, equal, has

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: {{version}}\nappVersion: '1'\n",
    "values.yaml": "text: first\nreplicas: 1\nfails: false\n",
    "crds/crd.yaml": """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: charms.helm.example.com}
spec:
  group: helm.example.com
  scope: Namespaced
  names: {plural: charms, singular: charm, kind: Charm, listKind: CharmList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
""",
    "templates/all.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-map, labels: {app: {{ .Release.Name }}}}
data:
  text: {{ .Values.text | quote }}
  minor: {{ .Capabilities.KubeVersion.Minor | quote }}
  batch: {{ .Capabilities.APIVersions.Has "batch/v1/CronJob" | quote }}
  looked: {{ (default dict (lookup "v1" "Namespace" "" "default").metadata).name | default "" | quote }}
---
apiVersion: helm.example.com/v1
kind: Charm
metadata: {name: {{ .Release.Name }}}
spec: {text: {{ .Values.text }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}, annotations: {text: {{ .Values.text }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: busybox, command: [sleep, "3600"]}]
""",
    "templates/hooks.yaml": """{{- range $when := list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback" "pre-delete" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ $when }}
  annotations: {helm.sh/hook: {{ $when }}, helm.sh/hook-weight: "1", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox, command: [sh, -c, "{{ if and $.Values.fails (eq $when "pre-upgrade") }}exit 1{{ else }}echo {{ $when }}{{ end }}"]}]
{{- end }}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  containers: [{name: main, image: busybox, command: [sh, -c, "echo tested"]}]
""",
    "templates/NOTES.txt": "{{ .Release.Name }} of {{ .Values.text }} is there.\n",
}


def chart(h, version="0.1.0"):
    for name, text in CHART.items():
        path = h.work / "chart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{{version}}", version))
    return h.work / "chart"


def text_of(h):
    return h.get("cm", "r-map")["data"]["text"]


@behaviour("install, upgrade, roll back and uninstall, with hooks in their order", quick=True)
def life(h):
    said = h.run("install", "r", chart(h), "--wait", "--timeout", "90s").stdout
    has(said, "STATUS: deployed", "r of first is there")
    found = h.get("cm", "r-map")["data"]
    equal([found["text"], found["batch"], found["looked"]], ["first", "true", "default"])
    equal(h.get("deploy", "r")["status"]["readyReplicas"], 1)
    for hook in ("pre-install", "post-install"):
        equal(h.get("job", f"r-{hook}")["status"]["succeeded"], 1)
    h.run("upgrade", "r", chart(h, "0.2.0"), "--set", "text=second", "--wait", "--timeout", "90s")
    equal(text_of(h), "second")
    equal(h.get("charms", "r")["spec"]["text"], "second")
    h.run("rollback", "r", "1", "--wait", "--timeout", "90s")
    equal(text_of(h), "first")
    equal([row["revision"] for row in json.loads(h.run("history", "r", "-o", "json").stdout)], [1, 2, 3])
    has(h.run("list").stdout, "r", "deployed", "small-0.1.0")
    h.run("uninstall", "r", "--wait", *(["--cascade", "foreground"] if h.version >= (3, 12) else []))
    equal(h.kubectl("get", "deploy,svc,cm", "-l", "app=r", "-o", "name"), "")
    equal(h.get("job", "r-pre-delete")["status"]["succeeded"], 1)


@behaviour("status, values, manifest, hooks and notes of a release")
def reads(h):
    h.run("install", "r", chart(h), "--set", "replicas=0")
    has(h.run("status", "r").stdout, "STATUS: deployed")
    has(h.run("get", "values", "r").stdout, "replicas: 0")
    has(h.run("get", "manifest", "r").stdout, "kind: Deployment")
    has(h.run("get", "hooks", "r").stdout, "pre-delete")
    has(h.run("get", "notes", "r").stdout, "is there")
    h.run("uninstall", "r", "--no-hooks")


@behaviour("a release's test runs as a pod")
def tests(h):
    h.run("install", "r", chart(h), "--set", "replicas=0")
    has(h.run("test", "r", "--logs").stdout, "Phase:", "Succeeded", "tested")
    h.run("uninstall", "r")


@behaviour("a hook that fails fails the upgrade, and --atomic takes it back")
def atomic(h):
    h.run("upgrade", "--install", "r", chart(h), "--set", "replicas=0", "--wait", "--timeout", "60s")
    way = "--rollback-on-failure" if h.version >= (4, 0) else "--atomic"
    failed = h.run("upgrade", "r", chart(h), "--set", "fails=true,text=bad,replicas=0", way, "--timeout", "60s", check=False)
    assert failed.returncode != 0
    equal(text_of(h), "first")
    h.run("uninstall", "r")


@behaviour("a dry run renders with the server's knowledge and keeps nothing")
def dry_run(h):
    said = h.run("install", "r", chart(h), "--dry-run" + ("=server" if h.version >= (3, 13) else "")).stdout
    has(said, "kind: Deployment", 'batch: "true"')
    equal(h.kubectl("get", "secrets", "-o", "name").strip(), "")


@behaviour("a namespace is made on the way, and what is there already is not taken")
def ownership(h):
    h.kubectl("create", "cm", "r-map")
    refused = h.run("install", "r", chart(h), check=False)
    has(refused.stderr, "r-map", "invalid ownership metadata")
    h.kubectl("delete", "cm", "r-map")
    h.run("install", "r", chart(h), "--create-namespace", "--namespace", f"{h.ns}-h", "--set", "replicas=0")
    h.run("uninstall", "r", "--namespace", f"{h.ns}-h")
    h.kubectl("delete", "ns", f"{h.ns}-h", "--wait=false")
