"""Katib's bayesianoptimization by scikit-optimize: a model of the objective, asked where to look next."""

import warnings

import numpy
from skopt import Optimizer
from skopt.space import Categorical, Integer, Real

from space import first_draw, history_of, is_pending, parameters_of, seed_of

warnings.filterwarnings("ignore")


def dimension(parameter):
    """Normal distributions are modelled on the unit interval; steps are kept when a point becomes text."""
    if not parameter.is_numeric:
        return Categorical(parameter.choices, name=parameter.name)
    if parameter.low == parameter.high:
        return Categorical([parameter.low], name=parameter.name)
    if parameter.is_normal:
        return Real(0.0, 1.0, name=parameter.name)
    kind = Integer if parameter.kind == "int" else Real
    return kind(parameter.low, parameter.high, prior="log-uniform" if parameter.is_log else "uniform", name=parameter.name)


def inner(parameter, text):
    if not parameter.is_numeric:
        return text
    if parameter.is_normal and parameter.low < parameter.high:
        return parameter.to_unit(text)
    return parameter.number(text)


def outer(parameter, value):
    if not parameter.is_numeric:
        return str(value)
    if parameter.is_normal and parameter.low < parameter.high:
        return parameter.from_unit(float(value))
    return parameter.text(value)


def suggest(request):
    parameters = parameters_of(request)
    settings = request.get("settings", {})
    first = first_draw(request)
    optimizer = Optimizer(
        [dimension(parameter) for parameter in parameters],
        base_estimator=settings.get("base_estimator", "GP"),
        n_initial_points=int(settings.get("n_initial_points", 10)),
        acq_func=settings.get("acq_func", "gp_hedge"),
        acq_optimizer=settings.get("acq_optimizer", "auto"),
        random_state=seed_of(request, "bayes", first),
    )
    points, losses, pending = [], [], []
    for _, entry, loss in history_of(request):
        point = [inner(parameter, entry["values"][parameter.name]) for parameter in parameters]
        if loss is not None:
            points.append(point)
            losses.append(loss)
        elif is_pending(entry):
            pending.append(point)
    if points:
        # Trials that run are taken to be as good as the best so far, so that not all look at one place.
        lie = float(numpy.min(losses))
        optimizer.tell(points + pending, losses + [lie] * len(pending))
    suggested = optimizer.ask(n_points=request["count"], strategy="cl_min")
    return [({p.name: outer(p, value) for p, value in zip(parameters, point)}, {}) for point in suggested]
