#!/usr/bin/env python3
"""A problem that only a schedule of learning rates solves, with the command line and output of Katib's simple-pbt example.

The best learning rate depends on how far training has come: it rises to 0.01 half-way and falls again. A rate near it brings
training on, one far above it throws it back. A run goes on from the checkpoint that it finds and leaves one at its end.
"""

import argparse
import json
import os
import random

FARTHEST, BEST, LEAST = 100.0, 0.01, 0.001
TOLERANCE, NOISE = 3.0, 2.0


def best_rate(progress):
    half = FARTHEST / 2
    rise = progress / half if progress < half else (FARTHEST - progress) / half
    return min(max(BEST * rise, LEAST), BEST)


def advance(progress, rate):
    wanted = best_rate(progress)
    error = max(rate, wanted) / max(min(rate, wanted), 1e-12)
    if error < TOLERANCE:
        progress += random.random() / error
    elif rate > wanted:
        progress -= (error - TOLERANCE) * random.random()
    return min(max(progress + random.gauss(0, NOISE), 0.0), FARTHEST)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lr", type=float, default=0.0001, help="learning rate")
    parser.add_argument("--epochs", type=int, default=20, help="steps of this run")
    parser.add_argument("--checkpoint", default="/var/log/katib/checkpoints/", help="directory of the checkpoint")
    arguments = parser.parse_args()
    path = os.path.join(arguments.checkpoint, "training.json")
    state = {"step": 1, "progress": 0.0}
    if os.path.exists(path):
        with open(path) as file:
            state = json.load(file)
    for _ in range(arguments.epochs):
        state = {"step": state["step"] + 1, "progress": advance(state["progress"], arguments.lr)}
    os.makedirs(arguments.checkpoint, exist_ok=True)
    with open(path + ".new", "w") as file:
        json.dump(state, file)
    os.replace(path + ".new", path)
    print(f"epoch {state['step']}:\nlr={arguments.lr:0.4f}\nValidation-accuracy={state['progress'] / 100:0.4f}")


if __name__ == "__main__":
    main()
