"""Search spaces: what a parameter's text stands for on the unit interval, and random numbers that can be repeated."""

import hashlib
import math
import statistics

NORMAL = statistics.NormalDist()
FINISHED = ("succeeded", "earlyStopped")


def seed_of(request, *parts):
    """A seed of 32 bits for one draw of one experiment."""
    base = request.get("settings", {}).get("random_state", request.get("seed", 0))
    text = "/".join(map(str, (base, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


class Parameter:
    def __init__(self, json):
        space = json.get("feasibleSpace", {})
        self.name = json["name"]
        self.kind = json.get("parameterType")
        self.distribution = space.get("distribution") or "uniform"
        self.choices = [str(value) for value in space.get("list") or []]
        self.is_numeric = self.kind in ("int", "double")
        if self.is_numeric:
            number = int if self.kind == "int" else float
            self.low, self.high = number(space["min"]), number(space["max"])
            self.step = number(space["step"]) if space.get("step") else (1 if self.kind == "int" else None)
        self.is_log = self.distribution in ("logUniform", "logNormal")
        self.is_normal = self.distribution in ("normal", "logNormal")

    def text(self, value):
        """A number as the trial is given it: on the grid of the steps, within the range."""
        if self.step is not None:
            most = math.floor((self.high - self.low) / self.step + 1e-9)
            value = self.low + min(max(round((value - self.low) / self.step), 0), most) * self.step
            if self.kind == "double":
                value = float(f"{value:.12g}")  # without the digits that sums of steps leave behind
        else:
            value = min(max(value, self.low), self.high)
        return str(int(value)) if self.kind == "int" else repr(float(value))

    def number(self, text):
        return int(text) if self.kind == "int" else float(text)

    def _scaled(self, value):
        return math.log(value) if self.is_log else value

    def from_unit(self, unit):
        """The text for a place of the unit interval; of int and step parameters each value has an equal share."""
        unit = min(max(unit, 0.0), 1.0)
        if not self.is_numeric:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        if self.is_normal:
            # Upstream's range of a normal: three deviations to either end.
            unit = min(max(0.5 + NORMAL.inv_cdf(min(max(unit, 1e-9), 1 - 1e-9)) / 6, 0.0), 1.0)
        if self.step is not None and not self.is_log and not self.is_normal:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            return self.text(self.low + min(int(unit * count), count - 1) * self.step)
        low, high = self._scaled(self.low), self._scaled(self.high)
        value = low + unit * (high - low)
        return self.text(math.exp(value) if self.is_log else value)

    def to_unit(self, text):
        """The place of a text; of int and step parameters the middle of its share."""
        if not self.is_numeric:
            return (self.choices.index(text) + 0.5) / len(self.choices)
        value = self.number(text)
        if self.step is not None and not self.is_log and not self.is_normal:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            return (round((value - self.low) / self.step) + 0.5) / count
        low, high = self._scaled(self.low), self._scaled(self.high)
        unit = (self._scaled(value) - low) / (high - low) if high > low else 0.5
        return NORMAL.cdf((unit - 0.5) * 6) if self.is_normal else unit


def parameters_of(request):
    return [Parameter(json) for json in request["parameters"]]


def history_of(request):
    """(index, entry, loss) of each suggestion; the loss is None where there is no value (yet). Smaller is better."""
    sign = -1.0 if request.get("goal") == "maximize" else 1.0
    for index, entry in enumerate(request.get("given", [])):
        value = entry.get("value")
        finished = entry.get("state") in FINISHED and value is not None
        yield index, entry, sign * float(value) if finished else None


def first_draw(request):
    """The number of the next draw: what was suggested and taken back counts as well, so that no draw comes twice."""
    return len(request.get("given", [])) + request.get("removed", 0)


def is_pending(entry):
    return entry.get("state") in ("created", "running")
