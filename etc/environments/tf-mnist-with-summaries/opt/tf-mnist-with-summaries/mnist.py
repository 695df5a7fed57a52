#!/usr/bin/env python3
"""Trains a multilayer perceptron on handwritten digits, with the command line of Katib's tf-mnist-with-summaries example, and writes
accuracy and loss of each epoch into TensorBoard's event files: LOG/train and LOG/test.
"""

import argparse
import importlib.util
import os
import socket
import struct
import time

import numpy

# Net and data are those of the other example.
SPEC = importlib.util.spec_from_file_location("digits", "/opt/pytorch-mnist/mnist.py")


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def masked_crc(data):
    """CRC-32C, turned as TFRecords have it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(number):
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes(parts) + bytes([number])


def field(number, content):
    """A length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(content)) + content


class EventWriter:
    """An event file: TFRecords of tensorflow.Event (tensorflow/core/util/event.proto)."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.file = open(os.path.join(directory, f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"), "ab")
        self.write(field(3, b"brain.Event:2"))

    def scalar(self, tag, value, step):
        summary = field(1, field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
        self.write(b"\x10" + varint(step) + field(5, summary))
        self.file.flush()

    def write(self, event):
        event = b"\x09" + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        self.file.write(length + struct.pack("<I", masked_crc(length)) + event + struct.pack("<I", masked_crc(event)))


def measured(net, images, labels):
    logs = net.forward(images)[1]
    return float((logs.argmax(axis=1) == labels).mean()), float(-logs[numpy.arange(len(labels)), labels].mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=64, help="images in a step")
    parser.add_argument("--learning-rate", type=float, default=0.001, help="learning rate")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training images")
    parser.add_argument("--log-interval", type=int, default=100, help="accepted; each epoch is logged")
    parser.add_argument("--log-path", default=os.path.join(os.getenv("TEST_TMPDIR", "/tmp"), "tensorflow/mnist/logs"), help="directory of the event files")
    arguments = parser.parse_args()
    digits = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(digits)
    random = numpy.random.default_rng(1)
    (images, labels), test = digits.load_digits()
    net = digits.Net(random)
    writers = {name: EventWriter(os.path.join(arguments.log_path, name)) for name in ("train", "test")}
    for epoch in range(1, arguments.epochs + 1):
        order = random.permutation(len(labels))
        for start in range(0, len(order), arguments.batch_size):
            rows = order[start:start + arguments.batch_size]
            net.step(images[rows], labels[rows], arguments.learning_rate, 0.9)
        for name, data in (("train", (images, labels)), ("test", test)):
            accuracy, loss = measured(net, *data)
            writers[name].scalar("accuracy", accuracy, epoch)
            writers[name].scalar("loss", loss, epoch)
            print(f"epoch {epoch} {name}: accuracy={accuracy:.4f} loss={loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
