"""Point 10: Jobs."""

import json

import pytest
from kindlingtest.manifests import job

pytestmark = pytest.mark.same_for_all


def pods_of(lab, ns, name):
    return json.loads(lab.kubectl("get", "pods", "-n", ns, "-l", f"batch.kubernetes.io/job-name={name}", "-o", "json").stdout)["items"]


def test_completions_and_parallelism(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "echo done", completions=4, parallelism=2))
    lab.wait("job/j", "condition=Complete", ns)
    status = lab.get("job", "j", ns)["status"]
    assert status["succeeded"] == 4 and status["startTime"] and status["completionTime"] and not status.get("active")
    pods = pods_of(lab, ns, "j")
    assert len(pods) == 4 and all(p["metadata"]["ownerReferences"][0]["kind"] == "Job" for p in pods)
    assert "4/4" in lab.kubectl("get", "job", "j", "-n", ns).stdout
    shows(f"4/4, conditions {[c['type'] for c in status['conditions']]}")


def test_back_off_limit(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "exit 1", backoffLimit=0))
    lab.wait("job/j", "condition=Failed", ns)
    failed = next(c for c in lab.get("job", "j", ns)["status"]["conditions"] if c["type"] == "Failed")
    assert failed["reason"] == "BackoffLimitExceeded" and len(pods_of(lab, ns, "j")) == 1
    shows(f"{failed['reason']}: {failed['message']}")


def test_retries_until_it_works(lab, ns, shows):
    template = {"containers": [{"name": "main", "image": "busybox", "command": ["sh", "-c", "[ -e /v/x ] || { touch /v/x; exit 1; }"],
                                "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
    from kindlingtest.manifests import claim

    lab.kubectl("apply", "-n", ns, "-f", "-", input=[claim("c"), job("j", "", template=template, backoffLimit=3)])
    lab.wait("job/j", "condition=Complete", ns, 90)
    status = lab.get("job", "j", ns)["status"]
    assert status["failed"] == 1 and status["succeeded"] == 1
    shows("failed once, then succeeded")


def test_suspend_and_resume(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "true", suspend=True))
    lab.wait("job/j", "condition=Suspended", ns)
    assert not pods_of(lab, ns, "j")
    lab.kubectl("patch", "job", "j", "-n", ns, "-p", '{"spec":{"suspend":false}}')
    lab.wait("job/j", "condition=Complete", ns)
    shows("no pod while suspended, complete after")


def test_time_to_live(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "true", ttlSecondsAfterFinished=1))
    gone = lab.kubectl("wait", "job/j", "-n", ns, "--for=delete", "--timeout=60s")
    assert gone.returncode == 0 and not pods_of(lab, ns, "j")
    shows("job and pod gone after their time")


def test_deadline_of_a_job(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "sleep 300", activeDeadlineSeconds=2, template={"terminationGracePeriodSeconds": 1}))
    lab.wait("job/j", "condition=Failed", ns)
    failed = next(c for c in lab.get("job", "j", ns)["status"]["conditions"] if c["type"] == "Failed")
    assert failed["reason"] == "DeadlineExceeded"
    shows(failed["message"])


def test_indexed(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=job("j", "echo index $JOB_COMPLETION_INDEX", completions=3, parallelism=3, completionMode="Indexed"))
    lab.wait("job/j", "condition=Complete", ns)
    logs = sorted(lab.kubectl("logs", p["metadata"]["name"], "-n", ns).stdout.strip() for p in pods_of(lab, ns, "j"))
    assert logs == ["index 0", "index 1", "index 2"]
    assert lab.get("job", "j", ns)["status"]["completedIndexes"] == "0-2"
    shows(", ".join(logs))


def test_policies_of_failure_and_success(lab, ns, shows):
    fatal = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        job("fatal", "exit 42", backoffLimit=5, podFailurePolicy=fatal),
        job("leader", "[ $JOB_COMPLETION_INDEX = 0 ] || sleep 60", completions=2, parallelism=2, completionMode="Indexed",
            successPolicy={"rules": [{"succeededIndexes": "0"}]}, template={"terminationGracePeriodSeconds": 0}),
        job("indexes", "[ $JOB_COMPLETION_INDEX = 1 ]", completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=0)])
    lab.wait("job/fatal", "condition=Failed", ns)
    lab.wait("job/leader", "condition=Complete", ns)
    lab.wait("job/indexes", "condition=Failed", ns)
    reasons = {name: next(c for c in lab.get("job", name, ns)["status"]["conditions"] if c["type"] == type)["reason"]
               for name, type in (("fatal", "Failed"), ("leader", "Complete"), ("indexes", "Failed"))}
    assert reasons == {"fatal": "PodFailurePolicy", "leader": "SuccessPolicy", "indexes": "FailedIndexes"}
    status = lab.get("job", "indexes", ns)["status"]
    assert status["failedIndexes"] == "0" and status["completedIndexes"] == "1"
    assert len(pods_of(lab, ns, "fatal")) == 1
    shows(", ".join(reasons.values()))
