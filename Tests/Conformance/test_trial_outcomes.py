"""What stays of trials: their cost as columns, metrics while they run, files below $KINDLING_OUTPUT."""

import json
import stat

from kindlingtest.manifests import experiment

WORK = """
import os, sys, time
data = bytearray(64 << 20)
end = time.process_time() + 0.3
while time.process_time() < end: pass
print("score=" + sys.argv[1])
sys.exit(int(sys.argv[2]))
"""


def made(ns, name, command, trials=1, **options):
    object = experiment(name, "x", parallel=min(2, trials), trials=trials, **options)
    object["metadata"]["namespace"] = ns
    object["spec"]["trialTemplate"]["trialSpec"]["spec"] |= {"backoffLimit": 0}
    container = object["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["command"] = command
    container.pop("env", None)
    return object


def sql(lab, query):
    return json.loads(lab.lab("sql", "-o", "json", query).stdout)


def test_cost_of_a_trial_is_in_columns(lab, ns, shows):
    spec = made(ns, "cost", ["python3", "-c", WORK, "${trialParameters.x}", "0"], trials=2)
    lab.kubectl("apply", "-f", "-", input=spec)
    lab.wait("experiment/cost", "condition=Succeeded", ns, 60)
    fails = made(ns, "fails", ["python3", "-c", WORK, "${trialParameters.x}", "3"], failed=1)
    lab.kubectl("apply", "-f", "-", input=fails)
    lab.wait("experiment/fails", "condition=Failed", ns, 60)
    rows = sql(lab, f"select * from trials where namespace = '{ns}' order by experiment")
    assert [row["exit_code"] for row in rows] == [0, 0, 3]
    for row in rows:
        assert 0.25 < row["cpu_seconds"] < 10 and 0.25 < row["wall_seconds"] < 60 and row["peak_memory_bytes"] > 64 << 20, row
        assert row["code_digest"] and len(row["code_digest"]) == 64
    assert rows[0]["code_digest"] == rows[1]["code_digest"] != rows[2]["code_digest"]
    assert float(rows[0]["score"]) == float(rows[0]["x"])
    shows(f"{rows[0]['cpu_seconds']:.2f} s of cpu in {rows[0]['wall_seconds']:.2f} s, {rows[0]['peak_memory_bytes'] >> 20} MiB")


def test_metrics_are_there_while_a_trial_runs(lab, ns, shows):
    spec = made(ns, "live", ["sh", "-c", "echo score=0.${trialParameters.n}5; echo score=nan; echo score=0.125; sleep 600"], parameters=[
        {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "3", "max": "9"}}])
    lab.kubectl("apply", "-f", "-", input=spec)
    pod = lab.kubectl("wait", "--for=create", "pod", "-l", "katib.kubeflow.org/experiment=live", "-n", ns, "--timeout=30s", check=False)
    assert pod.returncode == 0, pod
    lab.kubectl("wait", "--for=condition=Ready", "pod", "-l", "katib.kubeflow.org/experiment=live", "-n", ns, "--timeout=30s")
    logs = lab.start_kubectl("logs", "-f", "-n", ns, "-l", "katib.kubeflow.org/experiment=live", "--pod-running-timeout=30s")
    try:
        for line in logs.stdout:
            if "0.125" in line:
                break
    finally:
        logs.kill()
        logs.wait()
        logs.stdout.close()
    rows = []
    for _ in range(200):
        rows = sql(lab, f"select latest, min, max from trial_metrics where namespace = '{ns}'")
        if rows and rows[0]["latest"] == "0.125":
            break
    assert rows[0]["latest"] == "0.125" and rows[0]["min"] == 0.125 and rows[0]["max"] > 0.3
    assert sql(lab, f"select status, score from trials where namespace = '{ns}'")[0]["score"] == rows[0]["max"]
    shown = lab.lab("experiment", "show", "live", "-n", ns).stdout
    assert f"score {rows[0]['max']} so far" in shown, shown
    shows(f"{rows[0]} of a trial that runs")


def test_files_of_the_best_trials_are_kept(lab, ns, place, shows):
    script = ("mkdir -p $KINDLING_OUTPUT/sub; echo ${trialParameters.n} > $KINDLING_OUTPUT/sub/n; chmod 4750 $KINDLING_OUTPUT/sub/n; "
              "ln -s /etc/shadow $KINDLING_OUTPUT/link; mkfifo $KINDLING_OUTPUT/pipe; echo score=${trialParameters.n}")
    spec = made(ns, "files", ["sh", "-c", script], trials=4, algorithm="grid", parameters=[{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}}])
    spec["metadata"]["annotations"] = {"kindling.dev/keep-outputs": "2"}
    lab.kubectl("apply", "-f", "-", input=spec)
    lab.wait("experiment/files", "condition=Succeeded", ns, 60)
    trials = {t["spec"]["parameterAssignments"][0]["value"]: t["metadata"] for t in lab.list("trials", ns)}
    kept = {n for n, metadata in trials.items() if (lab.state / "trials" / metadata["uid"] / "output").exists()}
    assert kept == {"3", "4"}
    target = place.work / "model"
    said = lab.lab("experiment", "best", "files", "-n", ns, "--files", target)
    assert (target / "sub" / "n").read_text() == "4\n" and "1 file of " in said.stderr and "2 links or special files were left out" in said.stderr
    assert stat.S_IMODE((target / "sub" / "n").stat().st_mode) == 0o750 and not (target / "link").is_symlink()
    assert "is not empty" in lab.lab("experiment", "best", "files", "-n", ns, "--files", target, check=False).stderr
    lab.kubectl("delete", "experiment", "files", "-n", ns)
    for metadata in trials.values():
        lab.wait(f"trial/{metadata['name']}", "delete", ns)
        assert not (lab.state / "trials" / metadata["uid"]).exists()
    shows(f"of 4 trials the files of {sorted(kept)} are kept")
