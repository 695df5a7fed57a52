"""The network that DARTS searches in (H. Liu et al., "DARTS: Differentiable Architecture Search", 2019): every edge of a cell is a
weighted sum of all operations of the search space, and the weights are learnt.
"""

import torch
from torch import nn
from torch.nn import functional

NONE = "none"


def operation(name, channels, stride):
    """What a name of Katib's search space stands for, such as separable_convolution_3x3."""
    if name == NONE:
        return Zero(stride)
    if name == "skip_connection":
        return nn.Identity() if stride == 1 else Halving(channels)
    kind, _, size = name.rpartition("_")
    size = int(size.split("x")[0])
    if kind == "max_pooling":
        return nn.Sequential(nn.MaxPool2d(size, stride, size // 2), nn.BatchNorm2d(channels, affine=False))
    if kind == "avg_pooling":
        return nn.Sequential(nn.AvgPool2d(size, stride, size // 2, count_include_pad=False), nn.BatchNorm2d(channels, affine=False))
    if kind == "convolution":
        return convolution(channels, channels, size, stride)
    if kind == "separable_convolution":
        return nn.Sequential(depthwise(channels, size, stride, 1), depthwise(channels, size, 1, 1))
    if kind == "dilated_convolution":
        return depthwise(channels, size, stride, 2)
    raise SystemExit(f"run_trial.py: cannot build operation {name!r}: use max_pooling, avg_pooling, convolution, separable_convolution, "
                     "dilated_convolution or skip_connection")


def convolution(inputs, outputs, size, stride):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs, affine=False))


def depthwise(channels, size, stride, dilation):
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(channels, channels, size, stride, dilation * (size // 2), dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels, affine=False))


class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, images):
        return images[:, :, ::self.stride, ::self.stride] * 0.0


class Halving(nn.Module):
    """Half the width and height, as a connection across a reduction has to have."""

    def __init__(self, channels):
        super().__init__()
        self.pick = nn.Conv2d(channels, channels, 1, 2, bias=False)
        self.normal = nn.BatchNorm2d(channels, affine=False)

    def forward(self, images):
        return self.normal(self.pick(functional.relu(images)))


class Cell(nn.Module):
    """Some nodes, each the sum of mixed edges from both inputs and from all nodes before it."""

    def __init__(self, names, nodes, channels, before, reduces, was_reduced):
        super().__init__()
        self.nodes = nodes
        self.first = convolution(before[0], channels, 1, 2 if was_reduced else 1)
        self.second = convolution(before[1], channels, 1, 1)
        self.edges = nn.ModuleList()
        for node in range(nodes):
            for source in range(2 + node):
                stride = 2 if reduces and source < 2 else 1
                self.edges.append(nn.ModuleList(operation(name, channels, stride) for name in names))

    def forward(self, first, second, weights):
        states, edge = [self.first(first), self.second(second)], 0
        for _ in range(self.nodes):
            parts = []
            for state in list(states):
                parts.append(sum(weight * each(state) for weight, each in zip(weights[edge], self.edges[edge])))
                edge += 1
            states.append(sum(parts))
        return torch.cat(states[2:], dim=1)


class Network(nn.Module):
    """
    Args:
        names: the operations, without `none`, which every edge has too.
        settings: init_channels, num_nodes and stem_multiplier.
    """

    def __init__(self, names, layers, settings, channels_in, classes):
        super().__init__()
        self.names = [NONE, *names]
        self.nodes = settings["num_nodes"]
        channels = settings["init_channels"]
        wide = channels * settings["stem_multiplier"]
        self.stem = nn.Sequential(nn.Conv2d(channels_in, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide))
        self.reductions = {layers // 3, 2 * layers // 3}
        self.cells, before, was_reduced = nn.ModuleList(), (wide, wide), False
        for layer in range(layers):
            reduces = layer in self.reductions
            channels *= 2 if reduces else 1
            self.cells.append(Cell(self.names, self.nodes, channels, before, reduces, was_reduced))
            before, was_reduced = (before[1], channels * self.nodes), reduces
        self.head = nn.Linear(before[1], classes)
        edges = sum(2 + node for node in range(self.nodes))
        self.alphas = nn.ParameterList(nn.Parameter(1e-3 * torch.randn(edges, len(self.names))) for _ in ("normal", "reduce"))

    def weights(self):
        """All that is no architecture."""
        return [weight for name, weight in self.named_parameters() if not name.startswith("alphas")]

    def forward(self, images):
        normal, reduce = (functional.softmax(alpha, dim=1) for alpha in self.alphas)
        first = second = self.stem(images)
        for layer, cell in enumerate(self.cells):
            first, second = second, cell(first, second, reduce if layer in self.reductions else normal)
        return self.head(second.mean(dim=(2, 3)))

    def genotype(self):
        """The two strongest edges of each node with their strongest operations, as Katib's image prints it."""
        def genes(alpha):
            shares, rows, edge = functional.softmax(alpha, dim=1).detach()[:, 1:], [], 0
            for node in range(self.nodes):
                strengths = shares[edge:edge + 2 + node].max(dim=1)
                best = sorted(range(2 + node), key=lambda source: -strengths.values[source].item())[:2]
                rows.append([(self.names[1 + strengths.indices[source].item()], source) for source in sorted(best)])
                edge += 2 + node
            return rows

        end = f"range(2,{2 + self.nodes})"
        normal, reduce = map(genes, self.alphas)
        return f"Genotype(normal={normal},normal_concat={end},reduce={reduce},reduce_concat={end})".replace(" ", "")
