"""Derivatives of what was computed with NumPy: every result remembers what it came from, and `backward` goes back over that."""

import numpy


class Value:
    """An array, and after `backward` the derivative by it of the scalar that was asked for."""

    def __init__(self, array, parents=()):
        self.array = numpy.asarray(array, dtype=numpy.float64)
        self.parents = parents  # (value, function from the derivative by this one to that by the parent)
        self.gradient = None

    def __matmul__(self, other):
        return Value(self.array @ other.array, ((self, lambda g: g @ other.array.T), (other, lambda g: self.array.T @ g)))

    def __add__(self, other):
        if not isinstance(other, Value):
            return Value(self.array + other, ((self, lambda g: g),))
        return Value(self.array + other.array, ((self, lambda g: fold(g, self.array.shape)), (other, lambda g: fold(g, other.array.shape))))

    def __mul__(self, other):
        if not isinstance(other, Value):
            return Value(self.array * other, ((self, lambda g: fold(g * other, self.array.shape)),))
        return Value(self.array * other.array, (
            (self, lambda g: fold(g * other.array, self.array.shape)), (other, lambda g: fold(g * self.array, other.array.shape))))

    def __neg__(self):
        return self * -1.0

    def tanh(self):
        result = numpy.tanh(self.array)
        return Value(result, ((self, lambda g: g * (1 - result**2)),))

    def sigmoid(self):
        result = 0.5 * (1 + numpy.tanh(0.5 * self.array))
        return Value(result, ((self, lambda g: g * result * (1 - result)),))

    def log(self):
        return Value(numpy.log(self.array), ((self, lambda g: g / self.array),))

    def sum(self):
        return Value(self.array.sum(), ((self, lambda g: numpy.full(self.array.shape, g)),))

    def columns(self, start, end):
        def back(g):
            whole = numpy.zeros(self.array.shape)
            whole[:, start:end] = g
            return whole

        return Value(self.array[:, start:end], ((self, back),))

    def row(self, index):
        def back(g):
            whole = numpy.zeros(self.array.shape)
            whole[index] = g[0]
            return whole

        return Value(self.array[index:index + 1], ((self, back),))

    def surprise(self, chosen):
        """-log of the softmax probability of the chosen column in each row."""
        shifted = self.array - self.array.max(axis=1, keepdims=True)
        logs = shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))
        rows = numpy.arange(len(chosen))

        def back(g):
            result = numpy.exp(logs) * g[:, None]
            result[rows, chosen] -= g
            return result

        return Value(-logs[rows, chosen], ((self, back),))

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            value, is_done = stack.pop()
            if is_done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack += [(parent, False) for parent, _ in value.parents]
        self.gradient = numpy.ones(self.array.shape)
        for value in reversed(order):
            for parent, back in value.parents:
                step = back(value.gradient)
                parent.gradient = step if parent.gradient is None else parent.gradient + step


def fold(gradient, shape):
    """The derivative by something that was spread over more rows or columns."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and gradient.shape[axis] != 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient


def joined(values, axis=0):
    """Several values side by side."""
    ends = numpy.cumsum([value.array.shape[axis] for value in values])

    def back(index):
        start = ends[index - 1] if index else 0
        return lambda g: numpy.take(g, range(start, ends[index]), axis=axis)

    return Value(numpy.concatenate([value.array for value in values], axis=axis), [(value, back(index)) for index, value in enumerate(values)])
