#!/usr/bin/env python3
"""Trains a multilayer perceptron on handwritten digits, with the command line and the log lines of Katib's mxnet-mnist example.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels, a fifth of them held out, and each also moved by a pixel four ways.
Training is real, with NumPy alone, and takes half a second, so that a whole experiment is a matter of seconds. What differs
from the original: --num-layers counts the hidden layers (there it is ignored), ftrl begins at the initialiser's weights (there
at zero, where an MLP cannot learn), and flags for devices, key-value stores and images are accepted and have no effect.
"""

import os

# A trial gets one thread: the matrices are small, and several trials share the machine.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import logging
import math
import sys
import time
import zlib

import numpy as np

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "digits.csv")
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # each image also moved by a pixel, which makes five of one
WIDTHS = (128, 64)  # of the first and of every further hidden layer


def add_arguments(parser):
    """The example's flags with its defaults, and --seed."""
    add = parser.add_argument
    add("--num-classes", type=int, default=10, help="the number of classes")
    add("--num-examples", type=int, default=60000, help="train on at most that many images")
    add("--lr", type=float, default=0.05, help="initial learning rate")
    add("--optimizer", default="sgd", help="one of " + ", ".join(OPTIMIZERS))
    add("--num-layers", type=int, default=2, help="number of hidden layers")
    add("--batch-size", type=int, default=64, help="images in a step")
    add("--num-epochs", type=int, default=10, help="passes over the training images")
    add("--mom", type=float, default=0.9, help="momentum of sgd")
    add("--wd", type=float, default=0.0001, help="weight decay (l2)")
    add("--lr-factor", type=float, default=0.1, help="the learning rate is multiplied by it at each of --lr-step-epochs")
    add("--lr-step-epochs", default="10", help="such as 5,8; or `pow 2` for a polynomial decay to zero")
    add("--initializer", default="default", help="one of default, " + ", ".join(INITIALIZERS))
    add("--disp-batches", type=int, default=100, help="log speed and accuracy every n batches")
    add("--monitor", type=int, default=0, help="log the mean size of each parameter every n batches")
    add("--top-k", type=int, default=0, help="also report the top-k accuracy")
    add("--loss", default="", help="also report ce or nll, or both with a comma")
    add("--model-prefix", help="save parameters as PREFIX-0001.npz and so on")
    add("--save-period", type=int, default=1, help="save every n epochs")
    add("--load-epoch", type=int, help="go on from the parameters saved after that epoch")
    add("--test-io", type=int, default=0, help="1 measures how fast batches are read, and does not train")
    add("--dtype", default="float32", help="float32 or float64; float16 computes in float32")
    add("--seed", type=int, help="of initial weights and order; by default it follows from the other arguments")
    unused = parser.add_argument_group("accepted without effect here")
    for flag, kind, default in (
        ("--network", str, "mlp"), ("--gpus", str, None), ("--kv-store", str, "device"), ("--gc-type", str, "none"),
        ("--gc-threshold", float, 0.5), ("--image_shape", str, "1, 28, 28"), ("--macrobatch-size", int, 0),
        ("--warmup-epochs", int, 5), ("--warmup-strategy", str, "linear"), ("--profile-worker-suffix", str, ""),
        ("--profile-server-suffix", str, ""), ("--use-imagenet-data-augmentation", int, 0),
    ):
        unused.add_argument(flag, type=kind, default=default)
    unused.add_argument("--add_stn", action="store_true")


def load_digits(arguments, dtype):
    """Training and validation images (rows, scaled to -1…1) and labels. The split is the same whatever the seed."""
    with open(DIGITS) as file:
        table = np.fromstring(file.read().replace("\n", ","), sep=",", dtype=np.float32).reshape(-1, 65)
    table = table[np.random.default_rng(2019).permutation(len(table))]
    pixels, labels = (table[:, :64] / 8 - 1).astype(dtype), table[:, 64].astype(np.int64)
    # Held out before anything is moved: no validation image has a twin among the training ones.
    held = len(table) // 5
    images, answers = shifted(pixels[held:], labels[held:])
    count = max(1, arguments.num_examples)
    return (images[:count], answers[:count]), shifted(pixels[:held], labels[:held])


def shifted(pixels, labels):
    padded = np.pad(pixels.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    moved = [padded[:, 1 + y:9 + y, 1 + x:9 + x].reshape(-1, 64) for y, x in SHIFTS]
    return np.concatenate(moved), np.tile(labels, len(SHIFTS))


def orthogonal(random, rows, columns):
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T) * math.sqrt(2)


INITIALIZERS = {
    "xavier": lambda random, i, o: random.uniform(-1, 1, (i, o)) * math.sqrt(6 / (i + o)),
    "msra": lambda random, i, o: random.standard_normal((i, o)) * math.sqrt(2 / (1 + 0.25**2) / ((i + o) / 2)),
    "orthogonal": orthogonal,
    "normal": lambda random, i, o: random.standard_normal((i, o)) * 0.01,
    "uniform": lambda random, i, o: random.uniform(-0.07, 0.07, (i, o)),
    "one": lambda random, i, o: np.ones((i, o)),
    "zero": lambda random, i, o: np.zeros((i, o)),
}


def gaussian_in(random, rows, columns):
    """The default: variance 2 by the number of inputs, which suits rectified units."""
    return random.standard_normal((rows, columns)) * math.sqrt(2 / rows)


class SGD:
    """Stochastic gradient descent with momentum."""

    def __init__(self, weights, arguments):
        self.momentum, self.decay = arguments.mom, arguments.wd
        self.velocity = np.zeros_like(weights)

    def step(self, weights, gradient, rate):
        self.velocity *= self.momentum
        self.velocity -= rate * (gradient + self.decay * weights)
        weights += self.velocity


class Adam:
    """Adam, Kingma and Ba 2015, with bias correction."""

    def __init__(self, weights, arguments):
        self.decay, self.count = arguments.wd, 0
        self.mean, self.square = np.zeros_like(weights), np.zeros_like(weights)

    def step(self, weights, gradient, rate):
        gradient = gradient + self.decay * weights
        self.count += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient * gradient - self.square)
        rate *= math.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        weights -= rate * self.mean / (np.sqrt(self.square) + 1e-8)


class FTRL:
    """Follow the proximally regularised leader, McMahan and others 2013, per coordinate, with l1 0.01 and beta 1.

    z holds the gradients summed, less the pull to earlier iterates; weights are the closed-form minimiser. z begins where
    that minimiser is the initial weights.
    """

    L1, BETA = 0.01, 1.0

    def __init__(self, weights, arguments):
        self.l2, self.squares, self.z = arguments.wd, np.zeros_like(weights), None

    def step(self, weights, gradient, rate):
        if self.z is None:
            self.z = -(self.BETA / rate + self.l2) * weights - np.sign(weights) * self.L1
        squares = self.squares + gradient * gradient
        self.z += gradient - (np.sqrt(squares) - np.sqrt(self.squares)) / rate * weights
        self.squares = squares
        shrunk = np.sign(self.z) * np.maximum(np.abs(self.z) - self.L1, 0)
        weights[:] = -shrunk / ((self.BETA + np.sqrt(squares)) / rate + self.l2)


OPTIMIZERS = {"sgd": SGD, "adam": Adam, "ftrl": FTRL}


class Perceptron:
    """Fully connected layers with rectified units and a softmax. All parameters lie in one vector, so a step is one update."""

    def __init__(self, sizes, initializer, random, dtype):
        shapes = [(rows + 1, columns) for rows, columns in zip(sizes, sizes[1:])]
        self.vector = np.zeros(sum(rows * columns for rows, columns in shapes), dtype)
        self.gradient = np.zeros_like(self.vector)
        self.layers, self.gradients, start = [], [], 0
        for rows, columns in shapes:
            end = start + rows * columns
            self.layers.append(self.vector[start:end].reshape(rows, columns))
            self.gradients.append(self.gradient[start:end].reshape(rows, columns))
            self.layers[-1][:-1] = initializer(random, rows - 1, columns)  # the last row is the bias
            start = end

    def forward(self, images):
        """Probabilities, and the input of each layer for the way back."""
        inputs = [images]
        for layer in self.layers[:-1]:
            inputs.append(np.maximum(inputs[-1] @ layer[:-1] + layer[-1], 0))
        scores = inputs[-1] @ self.layers[-1][:-1] + self.layers[-1][-1]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True), inputs

    def backward(self, probabilities, inputs, labels):
        """Fills `gradient` with that of the mean cross-entropy."""
        error = probabilities.copy()
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        for layer, gradient, data in zip(reversed(self.layers), reversed(self.gradients), reversed(inputs)):
            gradient[:-1] = data.T @ error
            gradient[-1] = error.sum(axis=0)
            if data is not inputs[0]:
                error = (error @ layer[:-1].T) * (data > 0)


class Metrics:
    """Running means over the images of an epoch, under the names that the original prints."""

    def __init__(self, arguments):
        self.top, self.count = arguments.top_k, 0
        self.losses = {"ce": "cross-entropy", "nll": "nll-loss", "nll_loss": "nll-loss"}
        self.names = []
        for name in filter(None, (part.strip() for part in arguments.loss.split(","))):
            if name in self.losses:
                self.names.append(self.losses[name])
            else:
                logging.warning("%s is not a loss that can be reported: ce or nll", name)
        self.sums = {}

    def add(self, probabilities, labels):
        self.count += len(labels)
        values = {"accuracy": (probabilities.argmax(axis=1) == labels).sum()}
        chosen = probabilities[np.arange(len(labels)), labels]
        if self.top > 0:
            values[f"top_k_accuracy_{self.top}"] = ((probabilities > chosen[:, None]).sum(axis=1) < self.top).sum()
        for name in self.names:
            values[name] = -np.log(np.maximum(chosen, 1e-12)).sum()
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)

    def means(self):
        return {name: value / self.count for name, value in self.sums.items()}

    def reset(self):
        self.count, self.sums = 0, {}


def learning_rate(arguments, epoch):
    """--lr, after the steps or the polynomial decay that the arguments ask for."""
    if arguments.lr_factor >= 1:
        return arguments.lr
    if "pow" in arguments.lr_step_epochs:
        power = float(arguments.lr_step_epochs.replace("pow", "").strip(" -"))
        return arguments.lr * (1 - epoch / max(1, arguments.num_epochs)) ** power
    steps = [int(step) for step in arguments.lr_step_epochs.split(",") if step.strip()]
    return arguments.lr * arguments.lr_factor ** sum(epoch >= step for step in steps)


def batches(count, size, order):
    return (order[start:start + size] for start in range(0, count, size))


def train_epoch(model, optimizer, data, order, arguments, epoch, rate):
    """One pass. Returns the metrics, measured before each step as the original does."""
    images, labels = data
    total, recent, since = Metrics(arguments), Metrics(arguments), time.perf_counter()
    for number, rows in enumerate(batches(len(labels), arguments.batch_size, order)):
        probabilities, inputs = model.forward(images[rows])
        model.backward(probabilities, inputs, labels[rows])
        optimizer.step(model.vector, model.gradient, rate)
        total.add(probabilities, labels[rows])
        if arguments.disp_batches > 0:
            recent.add(probabilities, labels[rows])
            if number and number % arguments.disp_batches == 0:
                now = time.perf_counter()
                speed = recent.count / max(now - since, 1e-9)
                text = "\t".join(f"{name}={value:f}" for name, value in recent.means().items())
                logging.info("Epoch[%d] Batch [%d-%d]\tSpeed: %.2f samples/sec\t%s",
                             epoch, number - arguments.disp_batches, number, speed, text)
                recent.reset()
                since = now
        if arguments.monitor > 0 and number % arguments.monitor == 0:
            for index, layer in enumerate(model.layers):
                logging.info("Batch: %7d %30s %f", number, f"fc{index + 1}_weight", float(np.abs(layer[:-1]).mean()))
    return total.means()


def fit(arguments):
    if arguments.optimizer not in OPTIMIZERS:
        raise SystemExit(f"mnist.py: cannot find optimizer {arguments.optimizer!r}: use one of {', '.join(OPTIMIZERS)}")
    if arguments.initializer not in ("default", *INITIALIZERS):
        raise SystemExit(f"mnist.py: unknown initializer {arguments.initializer!r}: default, {', '.join(INITIALIZERS)}")
    if arguments.num_layers < 0 or arguments.batch_size < 1 or arguments.num_classes < 10:
        raise SystemExit("mnist.py: --num-layers must be 0 or more, --batch-size 1 or more, --num-classes 10 or more")
    logging.info("start with arguments %s", arguments)
    dtype = np.float64 if arguments.dtype == "float64" else np.float32
    train, (images, labels) = load_digits(arguments, dtype)
    count = len(train[1])

    described = f"{arguments.lr!r} {arguments.num_layers} {arguments.optimizer} {arguments.batch_size} {arguments.num_epochs}"
    seed = zlib.crc32(described.encode()) if arguments.seed is None else arguments.seed
    random = np.random.default_rng(seed)
    if arguments.test_io:
        since = time.perf_counter()
        rows = sum(len(train[0][rows]) for rows in batches(count, arguments.batch_size, random.permutation(count)))
        logging.info("Read %d images\tSpeed: %.2f samples/sec", rows, rows / (time.perf_counter() - since))
        return

    hidden = [WIDTHS[min(index, len(WIDTHS) - 1)] for index in range(arguments.num_layers)]
    initializer = INITIALIZERS.get(arguments.initializer, gaussian_in)
    model = Perceptron([64, *hidden, arguments.num_classes], initializer, random, dtype)
    begin = arguments.load_epoch or 0
    if begin:
        with np.load(f"{arguments.model_prefix}-{begin:04d}.npz") as saved:
            model.vector[:] = saved["parameters"]
        logging.info("Loaded model %s-%04d.npz", arguments.model_prefix, begin)
    optimizer = OPTIMIZERS[arguments.optimizer](model.vector, arguments)

    for epoch in range(begin, arguments.num_epochs):
        since = time.perf_counter()
        order, rate = random.permutation(count), learning_rate(arguments, epoch)
        measured = train_epoch(model, optimizer, train, order, arguments, epoch, rate)
        for name, value in measured.items():
            logging.info("Epoch[%d] Train-%s=%f", epoch, name, value)
        logging.info("Epoch[%d] Time cost=%.3f", epoch, time.perf_counter() - since)
        if arguments.model_prefix and (epoch + 1) % max(1, arguments.save_period) == 0:
            path = f"{arguments.model_prefix}-{epoch + 1:04d}.npz"
            np.savez(path, parameters=model.vector)
            logging.info('Saved checkpoint to "%s"', path)
        validation = Metrics(arguments)
        validation.add(model.forward(images)[0], labels)
        for name, value in validation.means().items():
            logging.info("Epoch[%d] Validation-%s=%f", epoch, name, value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    # The Z is meant: times are UTC, which Katib's collector reads from the head of each line.
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        format="%(asctime)s %(levelname)-8s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ", level=logging.DEBUG, stream=sys.stderr)
    fit(parser.parse_args())


if __name__ == "__main__":
    main()
