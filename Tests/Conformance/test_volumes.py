"""Point 10: claims, and StatefulSets with them."""

import time

from kindlingtest.manifests import claim, shell


def told(condition, seconds=30):
    """Waits for an Event, which no `kubectl wait` can."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the Event did not come"
        time.sleep(0.1)


def using(name, script, claim_name, **mount):
    return shell(name, script, container={"volumeMounts": [{"name": "v", "mountPath": "/v"} | mount]},
                 volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}])


def test_a_claim_waits_for_its_first_consumer_and_keeps_files(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=claim("c"))
    assert lab.get("pvc", "c", ns)["status"]["phase"] == "Pending"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("write", "echo kept > /v/file", "c"))
    lab.wait("pod/write", "jsonpath={.status.phase}=Succeeded", ns)
    seen = lab.get("pvc", "c", ns)
    assert seen["status"]["phase"] == "Bound" and seen["spec"]["volumeName"]
    volume = lab.get("pv", seen["spec"]["volumeName"], ns)
    assert volume["spec"]["claimRef"]["name"] == "c" and volume["spec"]["storageClassName"] == "standard"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("read", "cat /v/file", "c"))
    lab.wait("pod/read", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "read", "-n", ns).stdout.strip() == "kept"
    lab.kubectl("delete", "pod", "write", "read", "-n", ns)
    lab.kubectl("delete", "pvc", "c", "-n", ns, timeout=60)
    lab.kubectl("wait", f"pv/{seen['spec']['volumeName']}", "--for=delete", "--timeout=30s")
    shows(f"WaitForFirstConsumer, bound to {seen['spec']['volumeName']}, file kept, volume gone with the claim")


def test_sub_paths(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("c"), using("a", "echo in-a > /v/f", "c", subPath="dir/a")])
    lab.wait("pod/a", "jsonpath={.status.phase}=Succeeded", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("b", "cat /v/dir/a/f; ln -s /etc /v/escape", "c"))
    lab.wait("pod/b", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "b", "-n", ns).stdout.strip() == "in-a"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("c", "ls -la /v/; cat /v/hostname", "c", subPath="escape"))
    lab.kubectl("wait", "pod/c", "-n", ns, "--for=jsonpath={.status.containerStatuses[0].state}", "--timeout=30s")
    text = lab.kubectl("logs", "c", "-n", ns, check=False).stdout
    assert "passwd" not in text and "hostname" not in text, "a symbolic link must not lead a subPath out of its volume"
    shows("subPath makes its directory; a link does not lead out of the volume")


def test_a_missing_claim_says_so(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("p", "true", "nobody"))
    lab.wait("pod/p", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable", ns)
    events = lab.kubectl("events", "-n", ns, "--for", "pod/p").stdout
    assert 'persistentvolumeclaim "nobody" not found' in events
    lab.kubectl("apply", "-n", ns, "-f", "-", input=claim("nobody"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    shows('persistentvolumeclaim "nobody" not found; goes on when the claim comes')


def test_a_claim_in_use_is_not_taken_away(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("c"), using("p", "sleep 300", "c")])
    lab.wait("pod/p", "condition=Ready", ns)
    lab.kubectl("delete", "pvc", "c", "-n", ns, "--wait=false")
    assert lab.get("pvc", "c", ns)["metadata"]["deletionTimestamp"]
    lab.kubectl("delete", "pod", "p", "-n", ns, "--grace-period=1")
    lab.kubectl("wait", "pvc/c", "-n", ns, "--for=delete", "--timeout=30s")
    shows("kept while the pod used it")


def test_stateful_set(lab, ns, shows):
    stateful = {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
        "spec": {
            "replicas": 2, "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
            "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                {"name": "main", "image": "busybox", "command": ["sh", "-c", "hostname >> /v/names; sleep 300"],
                 "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}}],
        },
    }
    lab.kubectl("apply", "-n", ns, "-f", "-", input=stateful)
    lab.wait("statefulset/s", "jsonpath={.status.readyReplicas}=2", ns)
    names = sorted(p["metadata"]["name"] for p in lab.list("pods", ns))
    assert names == ["s-0", "s-1"]
    assert sorted(c["metadata"]["name"] for c in lab.list("pvc", ns)) == ["v-s-0", "v-s-1"]
    uid = lab.get("pod", "s-0", ns)["metadata"]["uid"]
    lab.kubectl("delete", "pod", "s-0", "-n", ns)
    lab.wait("statefulset/s", "jsonpath={.status.readyReplicas}=2", ns)
    assert lab.get("pod", "s-0", ns)["metadata"]["uid"] != uid
    lab.kubectl("scale", "statefulset", "s", "-n", ns, "--replicas=0")
    lab.kubectl("wait", "pod/s-0", "-n", ns, "--for=delete", "--timeout=30s")
    assert len(lab.list("pvc", ns)) == 2, "claims outlive the set"
    shows("s-0, s-1 with claims v-s-0, v-s-1; replaced, scaled, claims kept")


def test_one_pod_alone(lab, ns, shows):
    """ReadWriteOncePod: the second pod waits, with kube-scheduler's words, until the first is gone."""
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("c", mode="ReadWriteOncePod"), using("a", "sleep 300", "c")])
    lab.wait("pod/a", "condition=Ready", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=using("b", "true", "c"))
    lab.wait("pod/b", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable", ns)
    message = lab.get("pod", "b", ns)["status"]["conditions"][0]["message"]
    assert message.startswith("0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.")
    lab.kubectl("delete", "pod", "a", "-n", ns, "--grace-period=1")
    lab.wait("pod/b", "jsonpath={.status.phase}=Succeeded", ns)
    shows(message)


def test_a_volume_of_the_pods_own(lab, ns, shows):
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell(
        "p", "touch /v/file", container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.get("pvc", "p-v", ns)["status"]["phase"] == "Bound"
    lab.kubectl("delete", "pod", "p", "-n", ns)
    lab.kubectl("wait", "pvc/p-v", "-n", ns, "--for=delete", "--timeout=20s")
    shows("claim p-v came and went with pod p")


def test_block_claims_are_refused(lab, ns, shows):
    block = claim("c")
    block["spec"]["volumeMode"] = "Block"
    device = shell("d", "true", container={"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]},
                   volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[block, device])
    lab.wait("pod/d", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable", ns)
    told(lambda: "does not support block volume provisioning" in lab.kubectl("events", "-n", ns, "--for", "pvc/c").stdout)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("f"), shell(
        "e", "true", container={"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "f"}}])])
    told(lambda: "volume v has volumeMode Filesystem, but is specified in volumeDevices" in lab.kubectl("events", "-n", ns, "--for", "pod/e").stdout)
    shows("ProvisioningFailed, and FailedMount where a file system is taken for a device")


def test_nothing_is_mounted_over_the_root(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell(
        "p", "true", container={"volumeMounts": [{"name": "v", "mountPath": "/"}]}, volumes=[{"name": "v", "emptyDir": {}}]))
    lab.wait("pod/p", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerError", ns)
    message = lab.get("pod", "p", ns)["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    assert 'volume "v" cannot be mounted at "/"' in message
    shows(message)


def test_a_claim_grows(lab, ns, shows):
    """Expansion as upstream's resizer does it where the node has nothing to do: volume, capacity, Events; and who may not."""
    from kubernetes import client

    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("c"), using("p", "true", "c")])
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    volume = lab.get("pvc", "c", ns)["spec"]["volumeName"]
    core = client.CoreV1Api(lab.api())
    core.patch_namespaced_persistent_volume_claim("c", ns, {"spec": {"resources": {"requests": {"storage": "64Mi"}}}})
    lab.wait("pvc/c", "jsonpath={.status.capacity.storage}=64Mi", ns)
    assert lab.get("pv", volume)["spec"]["capacity"]["storage"] == "64Mi"
    seen = lab.get("pvc", "c", ns)
    assert not seen["status"].get("conditions") and seen["status"]["allocatedResources"] == {"storage": "64Mi"}
    told(lambda: "VolumeResizeSuccessful" in lab.kubectl("events", "-n", ns, "--for", "pvc/c").stdout)
    less = lab.kubectl("patch", "pvc", "c", "-n", ns, "-p", '{"spec":{"resources":{"requests":{"storage":"16Mi"}}}}', check=False).stderr
    assert "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity" in less
    rigid = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": f"{ns}-rigid"}, "provisioner": "kindling.dev/local-path"}
    other = claim("r")
    other["spec"]["storageClassName"] = f"{ns}-rigid"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[rigid, other])
    lab.wait("pvc/r", "jsonpath={.status.phase}=Bound", ns)
    refused = lab.kubectl("patch", "pvc", "r", "-n", ns, "-p", '{"spec":{"resources":{"requests":{"storage":"64Mi"}}}}', check=False).stderr
    lab.kubectl("delete", "sc", f"{ns}-rigid")
    assert ("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize") in refused
    lab.kubectl("create", "quota", "q", "-n", ns, "--hard=requests.storage=100Mi")
    lab.kubectl("wait", "quota/q", "-n", ns, "--for=jsonpath={.status.used.requests\\.storage}=96Mi", "--timeout=30s")
    full = lab.kubectl("patch", "pvc", "c", "-n", ns, "-p", '{"spec":{"resources":{"requests":{"storage":"80Mi"}}}}', check=False).stderr
    assert "exceeded quota: q, requested: requests.storage=16Mi, used: requests.storage=96Mi, limited: requests.storage=100Mi" in full
    shows(f"32Mi to 64Mi in claim and volume {volume}; shrinking, a class without expansion and a full quota refuse")
