"""Point 18: the lab command."""

import json
import subprocess

import pytest
import yaml
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment, shell

COMMANDS = ["up", "down", "status", "kubeconfig", "doctor", "run", "apply", "get", "logs", "delete", "top", "open", "sql", "export", "backup", "restore", "image", "tune", "experiment"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(lab, command):
    text = lab.lab(command, "--help").stdout
    assert "Example" in text and f"lab {command}" in text


def test_apply_get_logs_delete(lab, ns, place, shows):
    path = place.work / "p.yaml"
    path.write_text(yaml.safe_dump(shell("p", "echo from lab")))
    assert "pod/p" in lab.lab("apply", "-n", ns, "-f", path).stdout
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert "p" in lab.lab("get", "pods", "-n", ns).stdout
    assert json.loads(lab.lab("get", "pod", "p", "-n", ns, "-o", "json").stdout)["status"]["phase"] == "Succeeded"
    assert lab.lab("logs", "p", "-n", ns).stdout == "from lab\n"
    lab.lab("delete", "pod", "p", "-n", ns)
    assert lab.kubectl("get", "pod", "p", "-n", ns, check=False).returncode != 0
    shows("apply, get, logs, delete")


def test_run_watch_in_plain_lines_and_json(lab, place, shows):
    path = place.work / "e.yaml"
    path.write_text(yaml.safe_dump(experiment("run", "echo score=0.${trialParameters.number}", parallel=2, trials=4, parameters=[
        {"name": "number", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1000000"}}])))
    plain = lab.lab("run", path, "--watch", timeout=120).stdout
    assert "4" in plain and "best" in plain.lower() and "\x1b[" not in plain
    lab.lab("delete", "experiment", "run", "-n", USER_NAMESPACE)
    lab.kubectl("wait", "experiment/run", "-n", USER_NAMESPACE, "--for=delete", "--timeout=30s", check=False)
    lines = [json.loads(line) for line in lab.lab("run", path, "--watch", "--json", timeout=120).stdout.splitlines() if line.strip()]
    assert lines and all(isinstance(line, dict) for line in lines)
    lab.lab("delete", "experiment", "run", "-n", USER_NAMESPACE)
    shows(f"{len(plain.splitlines())} plain lines, {len(lines)} objects of JSON")


@pytest.mark.parametrize("words, part", [
    (["get", "flurbs"], "flurbs"), (["logs", "nobody"], "nobody"), (["apply", "-f", "/nowhere/x.yaml"], "/nowhere/x.yaml"),
    (["export", "experiment/nobody"], "nobody"), (["run", "/nowhere.yaml"], "/nowhere.yaml"), (["open", "nobody"], "nobody"),
])
def test_errors_are_one_line_with_a_status(lab, words, part):
    result = lab.lab(*words, check=False)
    assert result.returncode == 1, f"status {result.returncode}: {result.stderr}"
    assert part in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_wrong_usage_has_its_own_status(lab):
    result = lab.lab("status", "--no-such-option", check=False)
    assert result.returncode == 64 and "--no-such-option" in result.stderr
    assert lab.lab("upp", check=False).returncode == 64


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion(lab, shell_name):
    script = lab.lab("completion", shell_name).stdout
    assert "kubeconfig" in script
    if shell_name == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_top_shows_the_machine_and_pods(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("busy", "while :; do :; done", terminationGracePeriodSeconds=1))
    lab.wait("pod/busy", "condition=Ready", ns)
    text = lab.lab("top", "-n", ns, check=False)
    if text.returncode != 0:
        text = lab.lab("top")
    assert "busy" in text.stdout
    lab.kubectl("delete", "pod", "busy", "-n", ns)
    shows(next(line for line in text.stdout.splitlines() if "busy" in line))


def test_a_closed_pipe_is_quiet(lab):
    result = subprocess.run(["sh", "-c", f"'{lab.binaries}/lab' --state '{lab.state}' get namespaces | head -1"], text=True, capture_output=True,
                            env=lab.account.environment(), cwd=lab.directory, check=False, **lab.account.identity())
    assert result.returncode == 0 and result.stderr == ""
