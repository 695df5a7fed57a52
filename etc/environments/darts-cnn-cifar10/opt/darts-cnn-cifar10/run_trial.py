#!/usr/bin/env python3
"""Searches for an architecture by DARTS, with the command line and the log lines of Katib's darts-cnn-cifar10 image; the last line is
`Best-Genotype=Genotype(…)`.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels: one half trains the weights, the other the architecture, by the gradient of
its loss after one more step of the weights.
"""

import argparse
import copy
import json

import numpy
import torch
from search import Network
from torch import nn
from torch.nn import functional

DIGITS = "/opt/digits/digits.csv"
WHOLE = ("num_epochs", "init_channels", "print_step", "num_nodes", "stem_multiplier", "num_workers")
NUDGE = 0.01  # for the difference that stands for a second derivative, over the gradient's length


def decoded(text):
    """A value as Katib writes it: JSON with single quotes, perhaps in quotes that were meant for a shell."""
    return json.loads(text.strip().strip('"').replace("'", '"'))


def settings_of(text):
    settings = {name: int(value) if name in WHOLE else float(value) for name, value in decoded(text).items() if value is not None and name != "batch_size"}
    batch = decoded(text).get("batch_size")
    return settings | {"batch_size": None if batch is None else int(batch)}


def load_digits():
    with open(DIGITS) as file:
        table = numpy.loadtxt(file, delimiter=",", dtype=numpy.float32)
    table = table[numpy.random.default_rng(2019).permutation(len(table))]
    images, labels = torch.from_numpy(table[:, :64].reshape(-1, 1, 8, 8) / 8 - 1), torch.from_numpy(table[:, 64].astype(numpy.int64))
    half = len(table) // 2
    return (images[:half], labels[:half]), (images[half:], labels[half:])


def loss_of(model, batch):
    return functional.cross_entropy(model(batch[0]), batch[1])


def slopes_of(loss, parameters):
    # A search of one layer has no cell of one of the two kinds.
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def architecture_gradient(model, train, valid, rate, optimizer, settings):
    """The derivative by the architecture of the loss on `valid` after one step of the weights on `train`, to second order."""
    weights = model.weights()
    ahead = copy.deepcopy(model)
    slopes = slopes_of(loss_of(model, train), weights)
    with torch.no_grad():
        for weight, old, slope in zip(ahead.weights(), weights, slopes):
            momentum = optimizer.state[old].get("momentum_buffer")
            step = slope + settings["w_weight_decay"] * old
            weight.copy_(old - rate * (step if momentum is None else step + settings["w_momentum"] * momentum))
    alphas = list(ahead.alphas)
    found = slopes_of(loss_of(ahead, valid), alphas + ahead.weights())
    direct, onward = found[:len(alphas)], found[len(alphas):]
    nudge = NUDGE / torch.cat([slope.flatten() for slope in onward]).norm().clamp_min(1e-12)
    sides = []
    for sign in (1, -2):
        with torch.no_grad():
            for weight, slope in zip(weights, onward):
                weight += sign * nudge * slope
        sides.append(slopes_of(loss_of(model, train), list(model.alphas)))
    with torch.no_grad():
        for weight, slope in zip(weights, onward):
            weight += nudge * slope
    return [first - rate * (up - down) / (2 * nudge) for first, up, down in zip(direct, *sides)]


def train_epoch(model, data, number, rate, optimizers, settings, random):
    weight_optimizer, alpha_optimizer = optimizers
    train, valid = data
    size = settings["batch_size"] or len(train[1])
    orders = [torch.randperm(len(part[1]), generator=random).split(size) for part in data]
    model.train()
    right = count = losses = 0.0
    for step, (rows, others) in enumerate(zip(*orders)):
        batch, check = (train[0][rows], train[1][rows]), (valid[0][others], valid[1][others])
        gradients = architecture_gradient(model, batch, check, rate, weight_optimizer, settings)
        for alpha, gradient in zip(model.alphas, gradients):
            alpha.grad = gradient
        alpha_optimizer.step()
        weight_optimizer.zero_grad()
        scores = model(batch[0])
        loss = functional.cross_entropy(scores, batch[1])
        loss.backward()
        nn.utils.clip_grad_norm_(model.weights(), settings["w_grad_clip"])
        weight_optimizer.step()
        right += (scores.argmax(dim=1) == batch[1]).sum().item()
        losses += loss.item() * len(rows)
        count += len(rows)
        if step % settings["print_step"] == 0 or step == len(orders[0]) - 1:
            print(f"Train: [{number:2d}/{settings['num_epochs']}] Step {step:03d}/{len(orders[0]) - 1:03d} "
                  f"Loss {losses / count:.3f} Prec@1 {right / count:.1%}")


def validate(model, valid):
    # The statistics of a batch, as in training: a few steps are too few for averages.
    with torch.no_grad():
        return (model(valid[0]).argmax(dim=1) == valid[1]).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm-settings", required=True, help="what Katib's darts gives each trial")
    parser.add_argument("--search-space", required=True, help="names of operations, such as max_pooling_3x3")
    parser.add_argument("--num-layers", required=True, help="cells of the network")
    arguments = parser.parse_args()
    settings, names = settings_of(arguments.algorithm_settings), decoded(arguments.search_space)
    layers = int(arguments.num_layers.strip().strip('"'))
    print(f">>> Algorithm settings {settings}\n>>> Search space {names}\n>>> Layers {layers}")
    torch.manual_seed(2)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = [[part.to(device) for part in half] for half in load_digits()]
    model = Network(names, layers, settings, 1, 10).to(device)
    weight_optimizer = torch.optim.SGD(model.weights(), settings["w_lr"], momentum=settings["w_momentum"], weight_decay=settings["w_weight_decay"])
    alpha_optimizer = torch.optim.Adam(model.alphas.parameters(), settings["alpha_lr"], betas=(0.5, 0.999), weight_decay=settings["alpha_weight_decay"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(weight_optimizer, settings["num_epochs"], eta_min=settings["w_lr_min"])
    random, best, genotype = torch.Generator().manual_seed(2), -1.0, ""
    for number in range(1, settings["num_epochs"] + 1):
        train_epoch(model, data, number, schedule.get_last_lr()[0], (weight_optimizer, alpha_optimizer), settings, random)
        schedule.step()
        accuracy = validate(model, data[1])
        print(f"Valid: [{number:2d}/{settings['num_epochs']}] Final Prec@1 {accuracy:.4%}\nModel genotype = {model.genotype()}", flush=True)
        if accuracy > best:
            best, genotype = accuracy, model.genotype()
    print(f"Final best Prec@1 = {best:.4%}\n\nBest-Genotype={genotype}")


if __name__ == "__main__":
    main()
