#!/usr/bin/env python3
"""Trains a multilayer perceptron on handwritten digits, with the command line and the log lines of Katib's pytorch-mnist example.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels, a fifth of them held out, and each also moved by a pixel four ways.
Metrics come as `loss=…` every --log-interval steps, and after an epoch as
`{metricName: accuracy, metricValue: …};{metricName: loss, metricValue: …}` on standard error or in --log-path, or with
--logger hypertune as lines of JSON in --log-path.
"""

import argparse
import json
import logging
import sys
import time

import numpy as np

DIGITS = "/opt/mxnet-mnist/digits.csv"
SHIFTS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
HIDDEN = 128


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--batch-size", type=int, default=64, help="images in a step")
    add("--test-batch-size", type=int, default=1000, help="accepted; all held-out images are measured at once")
    add("--epochs", type=int, default=10, help="passes over the training images")
    add("--lr", type=float, default=0.01, help="learning rate")
    add("--momentum", type=float, default=0.5, help="momentum of the gradient descent")
    add("--no-cuda", action="store_true", help="accepted; there is no GPU to use")
    add("--seed", type=int, default=1, help="of initial weights and order")
    add("--log-interval", type=int, default=10, help="steps between two lines with the loss")
    add("--log-path", default="", help="file for the log; standard error if it is not set")
    add("--save-model", action="store_true", help="write mnist.npz at the end")
    add("--logger", choices=["standard", "hypertune"], default="standard", help="hypertune: metrics as JSON in --log-path")
    add("--backend", default="gloo", help="accepted; one process trains")
    return parser.parse_args(words)


def load_digits():
    """Training and held-out images, scaled to 0…1, with their labels. The split is always the same."""
    with open(DIGITS) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    table = table[np.random.default_rng(2019).permutation(len(table))]
    pixels, labels = table[:, :64].reshape(-1, 8, 8) / 16, table[:, 64].astype(np.int64)
    held = len(table) // 5

    def moved(images):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        return np.concatenate([padded[:, y:y + 8, x:x + 8].reshape(-1, 64) for y, x in SHIFTS])

    # Held out before anything is moved: no test image has a twin among the training ones.
    return (moved(pixels[held:]), np.tile(labels[held:], len(SHIFTS))), (moved(pixels[:held]), np.tile(labels[:held], len(SHIFTS)))


class Net:
    """One hidden layer of rectified units and a softmax."""

    def __init__(self, random):
        def layer(rows, columns):
            return (random.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32), np.zeros(columns, np.float32)

        self.parameters = [*layer(64, HIDDEN), *layer(HIDDEN, 10)]
        self.velocities = [np.zeros_like(parameter) for parameter in self.parameters]

    def forward(self, images):
        w1, b1, w2, b2 = self.parameters
        hidden = np.maximum(images @ w1 + b1, 0)
        scores = hidden @ w2 + b2
        scores = scores - scores.max(axis=1, keepdims=True)
        return hidden, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def step(self, images, labels, rate, momentum):
        """One step of gradient descent. Gives the mean loss before it."""
        hidden, logs = self.forward(images)
        rows = np.arange(len(labels))
        error = np.exp(logs)
        error[rows, labels] -= 1
        error /= len(labels)
        back = (error @ self.parameters[2].T) * (hidden > 0)
        gradients = [images.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
        for parameter, velocity, gradient in zip(self.parameters, self.velocities, gradients):
            velocity *= momentum
            velocity += gradient
            parameter -= rate * velocity
        return float(-logs[rows, labels].mean())


class HyperTune:
    """Lines of JSON, as the package cloudml-hypertune writes them."""

    def __init__(self, path):
        self.path = path

    def report(self, name, value, step):
        line = {"timestamp": time.time(), "trial": "0", name: str(float(value)), "global_step": str(step), "checkpoint_path": ""}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def train(arguments, net, data, random, epoch):
    images, labels = data
    order = random.permutation(len(labels))
    count = -(-len(order) // arguments.batch_size)
    for number in range(count):
        rows = order[number * arguments.batch_size:(number + 1) * arguments.batch_size]
        loss = net.step(images[rows], labels[rows], arguments.lr, arguments.momentum)
        if number % arguments.log_interval == 0:
            logging.info("Train Epoch: %d [%d/%d (%.0f%%)]\tloss=%.4f", epoch, number * len(rows), len(order), 100 * number / count, loss)


def test(net, data, epoch, hypertune):
    images, labels = data
    logs = net.forward(images)[1]
    loss = float(-logs[np.arange(len(labels)), labels].mean())
    accuracy = float((logs.argmax(axis=1) == labels).mean())
    logging.info("{metricName: accuracy, metricValue: %.4f};{metricName: loss, metricValue: %.4f}\n", accuracy, loss)
    if hypertune:
        hypertune.report("loss", loss, epoch)
        hypertune.report("accuracy", accuracy, epoch)


def main():
    arguments = arguments_of(sys.argv[1:])
    is_json = arguments.logger == "hypertune"
    target = {"filename": arguments.log_path} if arguments.log_path and not is_json else {"stream": sys.stderr}
    # The Z is meant: times are UTC, which Katib's collector reads from the head of each line.
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(format="%(asctime)s %(levelname)-8s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ", level=logging.DEBUG, **target)
    random = np.random.default_rng(arguments.seed)
    data, held_out = load_digits()
    net = Net(random)
    hypertune = HyperTune(arguments.log_path) if is_json and arguments.log_path else None
    for epoch in range(1, arguments.epochs + 1):
        train(arguments, net, data, random, epoch)
        test(net, held_out, epoch, hypertune)
    if arguments.save_model:
        np.savez("mnist.npz", *net.parameters)


if __name__ == "__main__":
    main()
