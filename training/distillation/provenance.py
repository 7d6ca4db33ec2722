"""What a teacher's file says of how it was made."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from training.backbones.named import fingerprint
from training.backbones.pooling import PooledFeatures
from training.distillation.distill import Distilled
from training.distillation.settings import DistillSettings
from training.distillation.views import NaturalImages

#: Points of a loss curve.
POINTS = 100
#: Of the settings: what says where, and when, but nothing of what.
_LEFT_OUT = {"images", "checkpoint_every", "snapshots"}


def provenance(
    settings: DistillSettings,
    images: NaturalImages,
    backbone: dict[str, str],
    started_from: dict[str, Any] | None,
    made: Distilled,
) -> dict[str, Any]:
    """Describe a teacher, as JSON has it."""
    recent = made.losses[-500:]
    return {
        **{key: value for key, value in asdict(settings).items() if key not in _LEFT_OUT},
        "steps": made.steps,
        "views_seen": made.views,
        "data": {
            "images": len(images.train),
            "held_out": len(images.held_out),
            "digest": images.digest(),
        },
        "backbone": backbone,
        "started_from": started_from,
        "loss": round(sum(recent) / len(recent), 4),
        "loss_curve": thinned(made.losses),
        "held_out_loss": round(made.held_out_loss, 4),
        "effad": code_version(),
    }


def backbone_provenance(name: str, weights: Path | None, net: PooledFeatures) -> dict[str, str]:
    """Describe a backbone; ``weights`` is None where they came through its library."""
    file = weights.name if weights else "downloaded"
    return {"name": name, "weights": file, "fingerprint": fingerprint(net)}


def thinned(losses: Sequence[float]) -> list[tuple[int, float]]:
    """Give a curve of at most 100 points: the last step of each stretch, and its mean loss."""
    bounds = sorted({len(losses) * i // POINTS for i in range(POINTS + 1)})
    return [
        (last, round(sum(losses[first:last]) / (last - first), 4))
        for first, last in pairwise(bounds)
    ]


def code_version(package: Path = Path(__file__).parent) -> str:
    """Name the commit where effad runs from its repository, else its version."""
    folder = str(package)
    if git := shutil.which("git"):
        # A repository around an environment that effad is installed in does not track it.
        tracked = [git, "-C", folder, "ls-files", "--error-unmatch", "__init__.py"]
        describe = [git, "-C", folder, "describe", "--always", "--dirty", "--tags"]
        if subprocess.run(tracked, capture_output=True, check=False).returncode == 0:
            found = subprocess.run(describe, capture_output=True, text=True, check=False)
            if found.returncode == 0:
                return found.stdout.strip()
    return version("effad")
