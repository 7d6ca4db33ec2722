"""``effad-train import-teacher``: convert a published EfficientAD teacher."""

import argparse
from pathlib import Path

from models.weights import pdn_shape, plain_names, write_weights
from training.state_dict import read_state_dict


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-train``'s."""
    verb = verbs.add_parser("import-teacher", help="convert a published EfficientAD teacher")
    verb.add_argument("file", type=Path, help="state_dict (.pth, .pt) or .safetensors")
    verb.add_argument("teacher", type=Path, help="safetensors file to write")
    verb.set_defaults(command=command)


def command(args: argparse.Namespace) -> int:
    weights = plain_names(read_state_dict(args.file))
    shape = pdn_shape(args.file, weights)
    write_weights(args.teacher, weights, {"imported_from": args.file.name, "size": shape.size})
    print(f"{args.teacher}: {shape} teacher")
    return 0
