"""The controller of ENAS (H. Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", 2018): a recurrent network
that chooses an operation for each layer, and for each earlier layer whether its output is added. It learns by REINFORCE with a
moving average for baseline. Katib's defaults and its use of one reward for all samples of a step are kept
(pkg/suggestion/v1beta1/nas/enas/Controller.py).
"""

import numpy

from tape import Value, joined

DEFAULTS = {
    "controller_hidden_size": 64, "controller_temperature": 5.0, "controller_tanh_const": 2.25, "controller_entropy_weight": 1e-5,
    "controller_baseline_decay": 0.999, "controller_learning_rate": 5e-5, "controller_skip_target": 0.4, "controller_skip_weight": 0.8,
    "controller_train_steps": 50, "controller_log_every_steps": 10,
}


def settings_of(given):
    """Katib's settings as numbers, None where somebody wrote None."""
    settings = dict(DEFAULTS)
    for name, text in given.items():
        settings[name] = None if text == "None" else type(DEFAULTS[name])(text)
    return settings


class Controller:
    def __init__(self, layers, operations, settings, seed):
        self.layers, self.settings = layers, settings
        size = settings["controller_hidden_size"]
        shapes = {"lstm": (2 * size, 4 * size), "start": (1, size), "embedding": (operations, size), "softmax": (size, operations),
                  "attention_1": (size, size), "attention_2": (size, size), "attention_v": (size, 1)}
        random = numpy.random.default_rng(seed)
        self.weights = {name: random.uniform(-0.01, 0.01, shape) for name, shape in shapes.items()}
        self.moments = {name: (numpy.zeros(shape), numpy.zeros(shape)) for name, shape in shapes.items()}
        self.baseline, self.steps = 0.0, 0

    def sample(self, random):
        """One architecture: for each layer its operation, then 0 or 1 for each layer before it; with what training needs."""
        weights = {name: Value(array) for name, array in self.weights.items()}
        size = self.settings["controller_hidden_size"]
        state = (Value(numpy.zeros((1, size))), Value(numpy.zeros((1, size))))
        target = self.settings["controller_skip_target"]
        architecture, surprises, penalties, outputs, keys = [], [], [], [], []
        inputs = weights["start"]
        for layer in range(self.layers):
            state = lstm(inputs, state, weights["lstm"])
            scores = self.flattened(state[1] @ weights["softmax"])
            operation = draw(scores.array, random)
            surprises.append(scores.surprise(operation).sum())
            choices = [int(operation[0])]
            state = lstm(weights["embedding"].row(choices[0]), state, weights["lstm"])
            if layer > 0:
                query = ((state[1] @ weights["attention_2"]) + joined(keys)).tanh() @ weights["attention_v"]
                scores = self.flattened(joined([-query, query], axis=1))
                skips = draw(scores.array, random)
                probabilities = scores.sigmoid()
                penalties.append((probabilities * (probabilities * (1 / numpy.array([1 - target, target]))).log()).sum())
                surprises.append(scores.surprise(skips).sum())
                choices += [int(skip) for skip in skips]
                inputs = (Value(skips[None, :].astype(float)) @ joined(outputs)) * (1 / (1 + skips.sum()))
            else:
                inputs = weights["start"]
            outputs.append(state[1])
            keys.append(state[1] @ weights["attention_1"])
            architecture.append(choices)
        return architecture, weights, surprises, penalties

    def flattened(self, scores):
        if self.settings["controller_temperature"] is not None:
            scores = scores * (1 / self.settings["controller_temperature"])
        if self.settings["controller_tanh_const"] is not None:
            scores = scores.tanh() * self.settings["controller_tanh_const"]
        return scores

    def train(self, result, random):
        """The steps of training that follow one result of trials. Gives the last step's loss."""
        loss = None
        for _ in range(self.settings["controller_train_steps"]):
            _, weights, surprises, penalties = self.sample(random)
            loss = self.loss(result, surprises, penalties)
            loss.backward()
            self.descend(weights)
        return float(loss.array)

    def loss(self, result, surprises, penalties):
        reward = result
        if self.settings["controller_entropy_weight"] is not None:
            entropy = sum(float(s.array) * numpy.exp(-float(s.array)) for s in surprises)
            reward += self.settings["controller_entropy_weight"] * entropy
        self.baseline -= (1 - self.settings["controller_baseline_decay"]) * (self.baseline - reward)
        loss = total(surprises) * (reward - self.baseline)
        if self.settings["controller_skip_weight"] is not None and penalties:
            loss = loss + total(penalties) * (self.settings["controller_skip_weight"] / len(penalties))
        return loss

    def descend(self, weights):
        """One step of Adam."""
        self.steps += 1
        rate = self.settings["controller_learning_rate"] * numpy.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for name, value in weights.items():
            if value.gradient is None:
                continue
            first, second = self.moments[name]
            first += 0.1 * (value.gradient - first)
            second += 0.001 * (value.gradient**2 - second)
            self.weights[name] = self.weights[name] - rate * first / (numpy.sqrt(second) + 1e-8)


def lstm(inputs, state, weights):
    cell, output = state
    size = cell.array.shape[1]
    gates = joined([inputs, output], axis=1) @ weights
    enter, forget, leave = (gates.columns(index * size, (index + 1) * size).sigmoid() for index in range(3))
    cell = (enter * gates.columns(3 * size, 4 * size).tanh()) + (forget * cell)
    return cell, leave * cell.tanh()


def draw(scores, random):
    """A column of each row, by the softmax of the scores."""
    odds = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    edges = numpy.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    places = random.random(len(scores))
    return numpy.minimum((edges <= places[:, None]).sum(axis=1), scores.shape[1] - 1)


def total(values):
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result
