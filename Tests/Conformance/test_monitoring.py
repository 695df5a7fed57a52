"""What monitoring asks for: metrics in Prometheus' format, and health checks."""

import time

import pytest
from kindlingtest import exposition
from kindlingtest.manifests import shell

pytestmark = pytest.mark.same_for_all


def metrics(lab):
    return exposition.parse(lab.kubectl("get", "--raw", "/metrics").stdout)


def total(families, family, /, **labels):
    return sum(value for _, found, value in families[family][1] if labels.items() <= found.items())


def test_metrics_in_prometheus_format(lab, ns, shows):
    before = metrics(lab)
    for _ in range(3):
        lab.kubectl("get", "--raw", f"/api/v1/namespaces/{ns}/configmaps?limit=1")
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("counted", "sleep 60", terminationGracePeriodSeconds=0))
    lab.wait("pod/counted", "condition=Ready", ns)
    after = metrics(lab)
    asked = {"verb": "LIST", "resource": "configmaps", "version": "v1", "scope": "namespace", "code": "200", "component": "apiserver"}
    assert total(after, "apiserver_request_total", **asked) - total(before, "apiserver_request_total", **asked) == 3
    assert total(after, "apiserver_storage_objects", resource="pods") >= 1 and total(after, "kubelet_running_pods") >= 1
    assert total(after, "kindling_reconcile_total", controller="default-scheduler", result="success") >= 1, sorted(
        labels["controller"] for _, labels, _ in after["kindling_reconcile_total"][1])
    assert 10 << 20 < total(after, "process_resident_memory_bytes") < 4 << 30
    assert 0 <= time.time() - total(after, "process_start_time_seconds") < 86_400
    for name, kind in (("apiserver_request_duration_seconds", "histogram"), ("apiserver_current_inflight_requests", "gauge"),
                       ("process_cpu_seconds_total", "counter"), ("process_open_fds", "gauge"), ("workqueue_depth", "gauge")):
        assert after[name][0] == kind
    slis = exposition.parse(lab.kubectl("get", "--raw", "/metrics/slis").stdout)
    assert total(slis, "kubernetes_healthcheck", name="etcd", type="readyz") == 1
    # Rights are given as to any path.
    who = f"system:serviceaccount:{ns}:default"
    assert "cannot get path \"/metrics\"" in lab.kubectl("get", "--raw", "/metrics", f"--as={who}", check=False).stderr
    lab.kubectl("create", "clusterrolebinding", ns, "--clusterrole=system:monitoring", f"--serviceaccount={ns}:default")
    try:
        assert lab.kubectl("get", "--raw", "/metrics", f"--as={who}").stdout.startswith("# HELP ")
        assert lab.kubectl("get", "--raw", "/readyz/etcd", f"--as={who}").stdout == "ok"
    finally:
        lab.kubectl("delete", "clusterrolebinding", ns)
    shows(f"{len(after)} families, {sum(len(samples) for _, samples in after.values())} samples")


def test_health_checks_as_upstream_prints_them(lab):
    assert lab.kubectl("get", "--raw", "/livez?verbose").stdout == "[+]ping ok\n[+]etcd ok\nlivez check passed\n"
    assert lab.kubectl("get", "--raw", "/readyz?verbose&exclude=etcd").stdout == "[+]ping ok\n[+]shutdown ok\n[+]etcd excluded: ok\nreadyz check passed\n"
    assert lab.kubectl("get", "--raw", "/readyz/etcd").stdout == "ok"
    assert "NotFound" in lab.kubectl("get", "--raw", "/healthz/nothing", check=False).stderr
