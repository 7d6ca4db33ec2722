"""What the data check found: what stops a training, and what a person should look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

_NAMED = 3  # images in a line


@dataclass(frozen=True)
class Finding:
    """One kind of fault, and the images that have it."""

    kind: str  # as in the JSON
    stops: bool  # effad cannot use the data as it is
    said: str  # what is wrong and what to do, of {n} images
    images: tuple[Path, ...] = ()

    def line(self, root: Path) -> str:
        """Give one clear line that names some of the images."""
        names = [_within(path, root) for path in self.images[:_NAMED]]
        more = len(self.images) - len(names)
        named = ", ".join(names) + (f" and {more} more" if more else "")
        return self.said.replace("{n}", _count(len(self.images))) + (f" ({named})" if named else "")


@dataclass(frozen=True)
class Findings:
    """What a data set holds, and what is wrong with it."""

    name: str
    root: Path
    layout: str
    images: Mapping[str, int]  # by side and defect, as "test, scratch"
    parts: int
    views: tuple[str, ...]
    sizes: Mapping[str, int]  # images by width x height
    channels: Mapping[str, int]  # images by colour and bits
    found: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """What must be put right first, a line each."""
        return tuple(f.line(self.root) for f in self.found if f.stops)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is suspect, a line each."""
        return tuple(f.line(self.root) for f in self.found if not f.stops)

    def as_json(self) -> dict[str, JsonValue]:
        """Give all of it, with every image named by its path from the root."""
        return {
            "name": self.name,
            "root": str(self.root),
            "layout": self.layout,
            "images": dict(self.images),
            "parts": self.parts,
            "views": list(self.views),
            "sizes": dict(self.sizes),
            "channels": dict(self.channels),
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "findings": [
                {
                    "kind": f.kind,
                    "stops": f.stops,
                    "line": f.line(self.root),
                    "images": [_within(path, self.root) for path in f.images],
                }
                for f in self.found
            ],
        }


def _within(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images} images"
