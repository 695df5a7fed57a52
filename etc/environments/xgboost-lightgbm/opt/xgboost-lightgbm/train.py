#!/usr/bin/env python3
"""Gradient boosted trees that tell odd digits from even ones, with the settings and log lines of Katib's xgboost-lightgbm example:
`[LightGBM] [Info] Iteration:N, valid_1 auc : 0.9…`. The data are scikit-learn's digits, a fifth of them held out.
"""

import argparse

import numpy

DIGITS = "/opt/mxnet-mnist/digits.csv"
LEVELS = 17  # of a pixel
RIDGE = 1.0


def load():
    with open(DIGITS) as file:
        table = numpy.loadtxt(file, delimiter=",", dtype=numpy.int64)
    table = table[numpy.random.default_rng(2019).permutation(len(table))]
    pixels, odd = table[:, :64], table[:, 64] % 2
    held = len(table) // 5
    return (pixels[held:], odd[held:]), (pixels[:held], odd[:held])


def auc(scores, labels):
    """The share of pairs of an odd and an even digit that are in order."""
    _, inverse, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = labels.sum()
    return (ranks[labels == 1].sum() - positive * (positive + 1) / 2) / max(1, positive * (len(labels) - positive))


def logloss(scores, labels):
    return numpy.logaddexp(0, numpy.where(labels == 1, -scores, scores)).mean()


class Tree:
    """Grown leaf by leaf where the loss falls most."""

    def __init__(self, pixels, gradient, hessian, features, arguments):
        self.nodes, self.values = [], []
        leaves = [(numpy.arange(len(gradient)), None)]
        candidates = [self.best(pixels, gradient, hessian, leaves[0][0], features, arguments)]
        while len(leaves) < arguments.num_leaves:
            index = max(range(len(leaves)), key=lambda each: candidates[each][0])
            gain, feature, level = candidates[index]
            if gain <= 0:
                break
            rows, path = leaves[index]
            left = pixels[rows, feature] <= level
            node = len(self.nodes)
            self.nodes.append([feature, level, None, None])
            self.link(path, node)
            for half, side in ((rows[left], 2), (rows[~left], 3)):
                place = index if side == 2 else len(leaves)
                leaves[place:place + 1] = [(half, (node, side))]
                candidates[place:place + 1] = [self.best(pixels, gradient, hessian, half, features, arguments)]
        for rows, path in leaves:
            self.link(path, -1 - len(self.values))
            self.values.append(-arguments.learning_rate * gradient[rows].sum() / (hessian[rows].sum() + RIDGE))

    def link(self, path, target):
        if path is not None:
            self.nodes[path[0]][path[1]] = target

    @staticmethod
    def best(pixels, gradient, hessian, rows, features, arguments):
        """The best split of some rows: its gain, feature and greatest level of the left side."""
        keys = (pixels[rows][:, features] + LEVELS * numpy.arange(len(features))).ravel()
        shape = (len(features), LEVELS)

        def below(weights):
            spread = numpy.repeat(weights, len(features))
            return numpy.bincount(keys, spread, len(features) * LEVELS).reshape(shape).cumsum(axis=1)

        slope, curve, count = below(gradient[rows]), below(hessian[rows]), below(numpy.ones(len(rows)))
        total, whole = slope[0, -1], curve[0, -1]
        gains = slope**2 / (curve + RIDGE) + (total - slope)**2 / (whole - curve + RIDGE) - total**2 / (whole + RIDGE)
        enough = (numpy.minimum(count, len(rows) - count) >= arguments.min_data_in_leaf) & (
            numpy.minimum(curve, whole - curve) >= arguments.min_sum_hessian_in_leaf)
        gains = numpy.where(enough, gains, 0)
        place = numpy.unravel_index(gains.argmax(), shape)
        return gains[place], features[place[0]], place[1]

    def predict(self, pixels):
        values = numpy.array(self.values)
        if not self.nodes:
            return numpy.full(len(pixels), values[0])
        at = numpy.zeros(len(pixels), dtype=numpy.int64)
        table = numpy.array(self.nodes)
        while (inner := at >= 0).any():
            nodes = table[at[inner]]
            left = pixels[inner, nodes[:, 0]] <= nodes[:, 1]
            at[inner] = numpy.where(left, nodes[:, 2], nodes[:, 3])
        return values[-1 - at]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--learning_rate", type=float, default=0.1, help="share of each tree")
    add("--num_leaves", type=int, default=31, help="leaves of a tree")
    add("--num_trees", type=int, default=100, help="trees")
    add("--metric", default="binary_logloss,auc", help="what is printed, with commas between")
    add("--metric_freq", type=int, default=1, help="trees between two lines")
    add("--min_data_in_leaf", type=int, default=20, help="fewest rows of a leaf")
    add("--min_sum_hessian_in_leaf", type=float, default=1e-3, help="least weight of a leaf")
    add("--feature_fraction", type=float, default=1.0, help="share of the pixels that a tree sees")
    add("--bagging_fraction", type=float, default=1.0, help="share of the rows that a tree sees")
    add("--bagging_freq", type=int, default=0, help="trees between two draws of rows; 0 draws none")
    arguments, others = parser.parse_known_args()
    print(f"[LightGBM] [Info] settings {vars(arguments)}; not used here: {' '.join(others)}")
    train, test = load()
    names = {"training": (train, numpy.zeros(len(train[1]))), "valid_1": (test, numpy.zeros(len(test[1])))}
    measures = {"auc": auc, "binary_logloss": logloss}
    random, rows = numpy.random.default_rng(1), numpy.arange(len(train[1]))
    for number in range(1, arguments.num_trees + 1):
        scores = names["training"][1]
        chance = 1 / (1 + numpy.exp(-scores))
        if arguments.bagging_freq and (number - 1) % arguments.bagging_freq == 0:
            rows = numpy.sort(random.permutation(len(train[1]))[:max(1, int(arguments.bagging_fraction * len(train[1])))])
        features = numpy.sort(random.permutation(64)[:max(1, round(arguments.feature_fraction * 64))])
        tree = Tree(train[0][rows], (chance - train[1])[rows], (chance * (1 - chance))[rows], features, arguments)
        for (pixels, _), sums in names.values():
            sums += tree.predict(pixels)
        if number % arguments.metric_freq == 0:
            for name, ((_, labels), sums) in names.items():
                for measure in arguments.metric.split(","):
                    if measure in measures:
                        print(f"[LightGBM] [Info] Iteration:{number}, {name} {measure} : {measures[measure](sums, labels):.6f}")


if __name__ == "__main__":
    main()
