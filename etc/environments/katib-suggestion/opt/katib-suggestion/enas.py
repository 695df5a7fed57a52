"""Katib's enas: the next architectures out of a controller that has learnt from the trials so far.

A request holds everything: the call in which a trial was suggested and the result that the controller learnt from in that call are
labels of it, so a service that starts anew takes the same steps again and has the same controller.
"""

import itertools
import json
import math
import struct

import numpy

from controller import Controller, settings_of
from space import first_draw, history_of, seed_of

STEP = "enas.suggestion.katib.kubeflow.org/step"
RESULT = "enas.suggestion.katib.kubeflow.org/result"
NOTHING = "none"  # no trial had succeeded by then
# The controller of the last answer with the results that it has learnt from: it need not learn them again.
LATEST = {}


def values_of(parameter):
    """All values of an operation's parameter, as numbers for int and double."""
    space, kind = parameter["feasibleSpace"], parameter["parameterType"]
    if kind in ("categorical", "discrete"):
        return list(space["list"])
    number = int if kind == "int" else float
    low, high, step = number(space["min"]), number(space["max"]), number(space.get("step") or 1)
    return [low + index * step for index in range(math.floor((high - low) / step + 1e-9) + 1)]


def operations_of(nas):
    """Every operation with every combination of its parameters' values, in order."""
    found = []
    for operation in nas["operations"]:
        names = [parameter["name"] for parameter in operation["parameters"]]
        for values in itertools.product(*map(values_of, operation["parameters"])):
            found.append({"opt_id": len(found), "opt_type": operation["type"], "opt_params": dict(zip(names, values))})
    return found


def result_of(request):
    """The mean of the trials that succeeded, greater being better; None where there is none."""
    losses = [loss for _, entry, loss in history_of(request) if loss is not None and entry.get("state") == "succeeded"]
    return -sum(losses) / len(losses) if losses else None


def packed(result):
    return NOTHING if result is None else struct.pack(">d", result).hex()


def unpacked(text):
    return None if text == NOTHING else struct.unpack(">d", bytes.fromhex(text))[0]


def learnt(request, operations, results):
    """The controller after these results."""
    key = json.dumps([request["nas"], request.get("settings", {}), request.get("seed")], sort_keys=True)
    known, controller = LATEST.get(key, (None, None))
    if controller is None or results[:len(known)] != known:
        known = []
        controller = Controller(request["nas"]["layers"], len(operations), settings_of(request.get("settings", {})), seed_of(request, "enas", "start"))
    for step in range(len(known), len(results)):
        if results[step] != NOTHING:
            controller.train(unpacked(results[step]), numpy.random.default_rng(seed_of(request, "enas", "train", step)))
    LATEST.clear()
    LATEST[key] = (list(results), controller)
    return controller


def suggest(request):
    nas = request["nas"]
    operations = operations_of(nas)
    before = {}
    for entry in request.get("given", []):
        labels = entry.get("labels", {})
        if STEP in labels:
            before[int(labels[STEP])] = labels.get(RESULT, NOTHING)
    step = max(before, default=-1) + 1
    result = packed(result_of(request)) if step else NOTHING
    # A step whose trials were all taken back has taught nothing.
    controller = learnt(request, operations, [before.get(index, NOTHING) for index in range(step)] + [result])
    suggestions, first = [], first_draw(request)
    for offset in range(request["count"]):
        architecture, *_ = controller.sample(numpy.random.default_rng(seed_of(request, "enas", "draw", first + offset)))
        config = {"num_layers": nas["layers"], "input_sizes": nas["inputs"], "output_sizes": nas["outputs"],
                  "embedding": {choices[0]: operations[choices[0]] for choices in architecture}}
        # Katib's trial programs put the double quotes back.
        values = {"architecture": json.dumps(architecture), "nn_config": json.dumps(config).replace('"', "'")}
        suggestions.append((values, {STEP: str(step), RESULT: result}))
    return suggestions
