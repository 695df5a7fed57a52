"""Manifests that many cases use, and the seed's."""

import pathlib

import yaml

from .lab import ROOT, USER_NAMESPACE

SEED = ROOT / "samples" / "seed"


def seed(name):
    return yaml.safe_load((SEED / name).read_text())


def pod(name, *command, image="busybox", container=None, **spec):
    """A pod with one container `main` that runs the command once."""
    main = {"name": "main", "image": image, "command": list(command)} | (container or {})
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [main]} | spec,
    }


def shell(name, script, **more):
    return pod(name, "sh", "-c", script, **more)


def job(name, script, image="busybox", template=None, **spec):
    pod_spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image, "command": ["sh", "-c", script]}]}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": pod_spec | (template or {})}} | spec,
    }


def claim(name, size="32Mi", mode="ReadWriteOnce"):
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}},
    }


def experiment(name, script, parallel=2, trials=4, failed=2, goal=None, algorithm="random", metric="score", parameters=None, image="python:3.11"):
    """An experiment whose trials run a shell script with ${trialParameters.x} in it."""
    parameters = parameters or [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0.0", "max": "1.0"}}]
    objective = {"type": "maximize", "objectiveMetricName": metric}
    if goal is not None:
        objective["goal"] = goal
    container = {"name": "main", "image": image, "command": ["sh", "-c", script]}
    # Katib wants every parameter to be used.
    unused = [p["name"] for p in parameters if "${trialParameters.%s}" % p["name"] not in script]
    if unused:
        container["env"] = [{"name": f"UNUSED_{i}", "value": "${trialParameters.%s}" % name} for i, name in enumerate(unused)]
    parallel, failed = min(parallel, trials), min(failed, trials)
    return {
        "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name, "namespace": USER_NAMESPACE},
        "spec": {
            "objective": objective, "algorithm": {"algorithmName": algorithm},
            "parallelTrialCount": parallel, "maxTrialCount": trials, "maxFailedTrialCount": failed, "parameters": parameters,
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": p["name"], "reference": p["name"]} for p in parameters],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}},
            },
        },
    }


def workflow(name, templates, entrypoint="main", **spec):
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "namespace": USER_NAMESPACE},
        "spec": {"entrypoint": entrypoint, "templates": templates} | spec,
    }


def path_of(name):
    return pathlib.Path(SEED / name)
