"""Katib's tpe and multivariate-tpe by Optuna's TPESampler."""

import math
import warnings

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from space import first_draw, history_of, is_pending, parameters_of, seed_of

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", module="optuna")


def distribution(parameter):
    """What Optuna draws. It knows no normal distributions, and no steps on a logarithmic scale: those are drawn as places."""
    if not parameter.is_numeric:
        return CategoricalDistribution(parameter.choices)
    if parameter.is_normal or (parameter.is_log and parameter.kind == "double" and parameter.step is not None):
        return FloatDistribution(0.0, 1.0)
    if parameter.kind == "int":
        if parameter.is_log:
            return IntDistribution(parameter.low, parameter.high, log=True)
        most = parameter.low + (parameter.high - parameter.low) // parameter.step * parameter.step
        return IntDistribution(parameter.low, most, step=parameter.step)
    if parameter.step is not None:
        most = parameter.low + math.floor((parameter.high - parameter.low) / parameter.step + 1e-9) * parameter.step
        return FloatDistribution(parameter.low, float(f"{most:.12g}"), step=parameter.step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.is_log)


def is_place(parameter, drawn):
    return isinstance(drawn, FloatDistribution) and (parameter.is_normal or (parameter.is_log and not drawn.log))


def inner(parameter, drawn, text):
    if not parameter.is_numeric:
        return text
    return parameter.to_unit(text) if is_place(parameter, drawn) else parameter.number(text)


def sampler(request, index):
    settings = request.get("settings", {})
    options = {"constant_liar": True, "multivariate": request["algorithm"] == "multivariate-tpe", "seed": seed_of(request, "tpe", index)}
    if "n_startup_trials" in settings:
        options["n_startup_trials"] = int(settings["n_startup_trials"])
    for name in ("n_EI_candidates", "n_ei_candidates"):
        if name in settings:
            options["n_ei_candidates"] = int(settings[name])
    if "prior_weight" in settings:
        options["prior_weight"] = float(settings["prior_weight"])
    if "gamma" in settings:
        # As hyperopt means it: so many of the best count as good.
        share = float(settings["gamma"])
        options["gamma"] = lambda count: min(math.ceil(share * math.sqrt(count)), 25)
    return optuna.samplers.TPESampler(**options)


def suggest(request):
    parameters = parameters_of(request)
    space = {parameter.name: distribution(parameter) for parameter in parameters}

    def made(values, loss):
        inside = {p.name: inner(p, space[p.name], values[p.name]) for p in parameters}
        state = TrialState.RUNNING if loss is None else TrialState.COMPLETE
        return create_trial(params=inside, distributions=space, value=loss, state=state)

    study = optuna.create_study(direction="minimize")
    first = first_draw(request)
    for _, entry, loss in history_of(request):
        if loss is not None or is_pending(entry):
            study.add_trial(made(entry["values"], loss))
    suggestions = []
    for offset in range(request["count"]):
        study.sampler = sampler(request, first + offset)
        drawn = study.ask(fixed_distributions=space).params
        values = {}
        for parameter in parameters:
            value = drawn[parameter.name]
            if not parameter.is_numeric:
                values[parameter.name] = value
            elif is_place(parameter, space[parameter.name]):
                values[parameter.name] = parameter.from_unit(value)
            else:
                values[parameter.name] = parameter.text(value)
        suggestions.append((values, {}))
    return suggestions
