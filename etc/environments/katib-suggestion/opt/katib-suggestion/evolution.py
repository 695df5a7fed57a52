"""Katib's cmaes by the package cmaes: restart_strategy none, ipop and bipop, as its examples make them.

A suggestion's generation is a label of it. A generation is over when as many of its trials have a value as the population has
members; the first so many, by the time of their end, move the distribution. All later states follow from that.
"""

import math
import random

import numpy
from cmaes import CMA

from space import first_draw, history_of, parameters_of, seed_of

LABEL = "cmaes.suggestion.katib.kubeflow.org/generation"
FACTOR = 2  # by which ipop and bipop enlarge the population


class Evolution:
    def __init__(self, request, continuous):
        self.request, self.continuous = request, continuous
        self.strategy = request.get("settings", {}).get("restart_strategy", "none")
        ranges = [abs(p.high - p.low) or 1 for p in continuous]
        sigma = float(request.get("settings", {}).get("sigma") or 0)
        # The setting is in units of the parameters, as goptuna takes it; here all ranges are one.
        self.sigma = min(max(sigma / min(ranges), 1e-3), 1.0) if sigma > 0 else 1 / 6
        self.restarts = self.large_restarts = 0
        self.is_small, self.spent = True, {True: 0, False: 0}
        self.optimizer = self.start(numpy.full(len(continuous), 0.5), None)
        self.first_population = self.optimizer.population_size

    def start(self, mean, population):
        bounds = numpy.array([[0.0, 1.0]] * len(self.continuous))
        seed = seed_of(self.request, "cmaes", "start", self.restarts)
        return CMA(mean=mean, sigma=self.sigma, bounds=bounds, seed=seed, population_size=population)

    def tell(self, solutions):
        self.optimizer.tell(solutions)
        if self.strategy not in ("ipop", "bipop") or not self.optimizer.should_stop():
            return
        generator = random.Random(seed_of(self.request, "cmaes", "restart", self.restarts))
        self.spent[self.is_small] += self.optimizer.population_size * self.optimizer.generation
        self.restarts += 1
        if self.strategy == "bipop" and self.spent[True] < self.spent[False]:
            self.is_small = True
            population = math.floor(self.first_population * (FACTOR**self.large_restarts) ** (generator.random() ** 2))
        else:
            self.is_small = False
            self.large_restarts += 1
            population = self.first_population * FACTOR**self.large_restarts
        self.optimizer = self.start(numpy.array([generator.random() for _ in self.continuous]), population)


def evolve(request, continuous):
    """The state after all whole generations, and the number of the one that is open."""
    generations = {}
    for index, entry, loss in history_of(request):
        if loss is not None and LABEL in entry.get("labels", {}):
            order = (entry.get("completed") or "", index)
            generations.setdefault(int(entry["labels"][LABEL]), []).append((order, entry["values"], loss))
    evolution, generation = Evolution(request, continuous), 0
    while len(members := generations.get(generation, [])) >= evolution.optimizer.population_size:
        members.sort(key=lambda member: member[0])
        chosen = members[: evolution.optimizer.population_size]
        evolution.tell([(numpy.array([p.to_unit(values[p.name]) for p in continuous]), loss) for _, values, loss in chosen])
        generation += 1
    return evolution, generation


def suggest(request):
    parameters = parameters_of(request)
    continuous = [p for p in parameters if p.is_numeric]
    evolution, generation = evolve(request, continuous)
    first = first_draw(request)
    suggestions = []
    for offset in range(request["count"]):
        evolution.optimizer.reseed_rng(seed_of(request, "cmaes", "draw", first + offset))
        point = evolution.optimizer.ask()
        places = {p.name: float(unit) for p, unit in zip(continuous, point)}
        # What has no order is drawn by chance.
        generator = random.Random(seed_of(request, "cmaes", "chance", first + offset))
        values = {p.name: p.from_unit(places[p.name] if p.is_numeric else generator.random()) for p in parameters}
        suggestions.append((values, {LABEL: str(generation)}))
    return suggestions
