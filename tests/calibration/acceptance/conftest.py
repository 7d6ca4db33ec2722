"""The trained thin bundle, shared by the tests of this folder."""

import pytest

from models.bundle import Bundle
from tests.calibration.acceptance.drawn import trained_bundle


@pytest.fixture(scope="session")
def drawn_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of thin networks, trained on drawn parts; not to be changed."""
    return trained_bundle(tmp_path_factory.mktemp("held_out"))
