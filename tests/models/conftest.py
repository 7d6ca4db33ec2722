"""The thin networks, as fixtures."""

from collections.abc import Callable, Mapping

import pytest

from models.bundle import Bundle
from models.detector import Detector
from tests.models import thin


@pytest.fixture(scope="session")
def thin_detector() -> Callable[[int], Detector]:
    """Make a detector of a seed, with three channels."""
    return thin.thin_detector


@pytest.fixture(scope="session")
def bundle_of() -> Callable[[Mapping[str, Detector], int, int], Bundle]:
    """Make a bundle in memory of detectors, one a scale, for frames of a height and width."""
    return thin.bundle_of
