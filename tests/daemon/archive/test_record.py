"""Names that are safe, and a record that takes an image back to its verdict."""

import json
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.archive.record import STEM, ImageRecord, document, folder_of, safe, stem_of
from daemon.messages import Kind
from models.errors import InputError
from tests.daemon.archive.offers import PLACEMENT, kept, verdict_of


@given(st.text(max_size=300))
def test_any_name_is_one_plain_part_of_a_path(name: str) -> None:
    part = safe(name)
    assert PurePath(part).parts == (part,)
    assert part.isascii()
    assert not part.startswith(".")
    assert 1 <= len(part) <= 101


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../../etc", "/etc", ".hidden", "a/../../b", "a\0b"]
)
def test_names_do_not_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    verdict = verdict_of(1).model_copy(update={"recipe": name, "station": name})
    path = (tmp_path / folder_of(verdict) / stem_of(verdict, name)).resolve()
    assert path.is_relative_to(tmp_path)
    assert len(path.relative_to(tmp_path).parts) == 3


def test_names_say_what_is_there() -> None:
    verdict = verdict_of(12, Kind.NO_VERDICT)
    assert folder_of(verdict) == PurePath("2026-03-14/nut.v1")
    stem = stem_of(verdict, "cam_PASS")
    assert stem == "nut_00000012_cam_PASS_NO_VERDICT"
    found = STEM.fullmatch(f"{stem}_17")
    assert found
    assert found["kind"] == "NO_VERDICT"
    assert not STEM.fullmatch("my_notes_FAIL")


def test_a_record_holds_the_verdict_as_published(tmp_path: Path) -> None:
    item = kept(3)
    path = tmp_path / "x.json"
    path.write_bytes(document(item))
    assert json.loads(path.read_bytes())["verdict"] == json.loads(item.header)
    record = ImageRecord.read(path)
    assert record.verdict == item.verdict
    assert record.view == item.verdict.views[0]
    assert record.shape == item.pixels.shape
    assert record.map is not None
    assert record.map.placement == PLACEMENT


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**json.loads(document(kept(3))), "format": 2}))
    with pytest.raises(InputError, match="format 2 is newer than this effad"):
        ImageRecord.read(path)
