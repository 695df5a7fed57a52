#!/usr/bin/env python3
"""Trains the network that Katib's enas has chosen, with the command line and the log lines of Katib's enas-cnn-cifar10 image.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels, a fifth of them held out. Layers have an eighth of the filters that the
search space asks for, so that a trial takes seconds on one core; their order, sizes, strides and connections are those asked for.
"""

import argparse
import json
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

DIGITS = "/opt/digits/digits.csv"
BATCH, RATE = 64, 3e-3
WIDTH = 8  # the search space's filters to one of ours
LEAST = 4


def decoded(text):
    """A value as Katib writes it: JSON with single quotes, perhaps in quotes that were meant for a shell."""
    return json.loads(text.strip().strip('"').replace("'", '"'))


def load_digits(channels):
    """Training and held-out images with their labels. The split is always the same."""
    with open(DIGITS) as file:
        table = numpy.loadtxt(file, delimiter=",", dtype=numpy.float32)
    table = table[numpy.random.default_rng(2019).permutation(len(table))]
    images = torch.from_numpy(table[:, :64].reshape(-1, 1, 8, 8) / 8 - 1).repeat(1, channels, 1, 1)
    labels = torch.from_numpy(table[:, 64].astype(numpy.int64))
    held = len(table) // 5
    return (images[held:], labels[held:]), (images[:held], labels[:held])


def filters_of(parameters):
    return max(LEAST, int(parameters["num_filter"]) // WIDTH)


def convolution(channels, p):
    size = int(p["filter_size"])
    filters = filters_of(p)
    return [nn.Conv2d(channels, filters, size, int(p.get("stride", 1)), size // 2, bias=False)], filters


def depthwise(channels, p):
    size, times = int(p["filter_size"]), int(p.get("depth_multiplier", 1))
    return [nn.Conv2d(channels, channels * times, size, int(p.get("stride", 1)), size // 2, groups=channels, bias=False)], channels * times


def separable(channels, p):
    layers, wide = depthwise(channels, p)
    filters = filters_of(p)
    return [*layers, nn.Conv2d(wide, filters, 1, bias=False)], filters


class Operation(nn.Module):
    """One layer of the search space. Gives its output and says how many channels that has."""

    KINDS = {"convolution": convolution, "separable_convolution": separable, "depthwise_convolution": depthwise}

    def __init__(self, channels, description):
        super().__init__()
        kind, p = description["opt_type"], description["opt_params"]
        if kind == "reduction":
            self.body = Reduction(p["reduction_type"], int(p["pool_size"]))
            self.channels = channels
        elif kind in self.KINDS:
            layers, self.channels = self.KINDS[kind](channels, p)
            self.body = nn.Sequential(*layers, nn.BatchNorm2d(self.channels), nn.ReLU())
        else:
            raise SystemExit(f"RunTrial.py: cannot build operation {kind!r}: use reduction, {', '.join(self.KINDS)}")

    def forward(self, images):
        return self.body(images)


class Reduction(nn.Module):
    """Pooling with steps as wide as the pool; what is smaller than the pool stays as it is."""

    def __init__(self, kind, size):
        super().__init__()
        self.pool = functional.max_pool2d if kind == "max_pooling" else functional.avg_pool2d
        self.size = size

    def forward(self, images):
        return self.pool(images, self.size) if min(images.shape[2:]) >= self.size else images


class Network(nn.Module):
    def __init__(self, architecture, config):
        super().__init__()
        embedding = {int(key): value for key, value in config["embedding"].items()}
        outputs = [config["input_sizes"][-1]]
        self.skips = [[index for index, chosen in enumerate(choices[1:]) if chosen] for choices in architecture]
        self.operations = nn.ModuleList()
        for choices, skips in zip(architecture, self.skips):
            channels = outputs[-1] + sum(outputs[index + 1] for index in skips if index + 1 < len(outputs) - 1)
            operation = Operation(channels, embedding[choices[0]])
            self.operations.append(operation)
            outputs.append(operation.channels)
        self.head = nn.Linear(outputs[-1], config["output_sizes"][-1])

    def forward(self, images):
        outputs = [images]
        for operation, skips in zip(self.operations, self.skips):
            # The layer before is there anyway. Earlier ones are brought to its size and stand beside it.
            inputs = [outputs[-1]] + [outputs[index + 1] for index in skips if index + 1 < len(outputs) - 1]
            size = inputs[0].shape[2:]
            outputs.append(operation(torch.cat([functional.adaptive_avg_pool2d(each, size) for each in inputs], dim=1)))
        return self.head(outputs[-1].mean(dim=(2, 3)))


def epoch(model, data, optimizer=None, random=None):
    """One pass over the data, which trains where there is an optimizer. Gives mean accuracy and loss."""
    images, labels = data
    model.train(optimizer is not None)
    order = torch.randperm(len(labels), generator=random) if optimizer else torch.arange(len(labels))
    right = losses = 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for rows in order.split(BATCH):
            scores = model(images[rows])
            loss = functional.cross_entropy(scores, labels[rows])
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            right += (scores.argmax(dim=1) == labels[rows]).sum().item()
            losses += loss.item() * len(rows)
    return right / len(labels), losses / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", required=True, help="for each layer its operation, then 0 or 1 for each layer before it")
    parser.add_argument("--nn_config", required=True, help="sizes, and what each operation is")
    parser.add_argument("--num_epochs", type=int, default=10, help="passes over the training images")
    parser.add_argument("--num_gpus", type=int, default=1, help="0 trains on the CPU even where there is a GPU")
    arguments = parser.parse_args()
    architecture, config = decoded(arguments.architecture), decoded(arguments.nn_config)
    print(f">>> architecture {architecture}\n>>> operations {config['embedding']}")
    torch.manual_seed(1)
    device = "cuda" if arguments.num_gpus > 0 and torch.cuda.is_available() else "cpu"
    train, test = ([part.to(device) for part in data] for data in load_digits(config["input_sizes"][-1]))
    model = Network(architecture, config).to(device)
    print(f">>> {sum(weight.numel() for weight in model.parameters())} weights on {device}, {len(train[1])} images")
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    random = torch.Generator().manual_seed(1)
    for number in range(arguments.num_epochs):
        began = time.monotonic()
        accuracy, loss = epoch(model, train, optimizer, random)
        print(f"\nTotal Epoch {number + 1}/{arguments.num_epochs} in {time.monotonic() - began:.1f} s")
        print(f"Training-Accuracy={accuracy}\nTraining-Loss={loss}")
        accuracy, loss = epoch(model, test)
        print(f"Validation-Accuracy={accuracy}\nValidation-Loss={loss}", flush=True)


if __name__ == "__main__":
    main()
