"""Who stands out: planted defects, good sets, one alone against several, and invariants."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from calibration.acceptance.limits import FEWEST
from calibration.acceptance.suspects import (
    above_median,
    alone_chances,
    chance_of_so_many,
    find_suspects,
    gross,
    gumbel_scale,
    largest_scale,
    normal_scores,
    standing_out,
    tail,
)
from calibration.looked import FrameLook, Levels, MapLevels
from models.bundle import TrainingReference


def levels(local: float = 1.0, globally: float = 0.5, q90: float = 0.3) -> dict[str, MapLevels]:
    """A scale whose maps have these maxima."""
    return {
        "whole": MapLevels(Levels(0.1, 0.1, q90, 0.4, local), Levels(0.1, 0.1, 0.2, 0.3, globally))
    }


def reference(held_out: Sequence[float] = ()) -> TrainingReference:
    return TrainingReference(
        frames=40,
        probabilities=(0.5, 0.9, 0.995, 1.0),
        local={"whole": (0.1, 0.3, 0.4, 1.0)},
        globally={"whole": (0.1, 0.2, 0.3, 0.5)},
        brightness=(0.4, 0.1),
        contrast=(0.4, 0.1),
        sharpness=(0.4, 0.1),
        scores={"whole": tuple(held_out) or (0.1,)},
        separation={},
    )


def looks(scores: Sequence[float]) -> list[FrameLook]:
    """Frames that score so by the reference's ranges."""
    return [
        FrameLook(
            f"{n}", f"{n:064x}", f"{n}", score, levels(0.3 + score, 0.2 + score), 0.5, 0.2, 0.1
        )
        for n, score in enumerate(scores)
    ]


def named(scores: Sequence[float], held_out: Sequence[float] = ()) -> list[str]:
    return [suspect.name for suspect in find_suspects(looks(scores), reference(held_out))]


def good_scores(count: int, seed: int) -> list[float]:
    """Scores whose logarithms, with 0.1 added, are Gumbel; about those of metal nuts."""
    drawn = stats.gumbel_r.rvs(np.log(0.15), 0.1, size=count, random_state=seed)
    return [float(score) for score in np.exp(drawn) - 0.1]


def test_good_sets_seldom_name_any_and_then_few() -> None:
    counts = [len(named(good_scores(50, n), good_scores(30, 999 - n))) for n in range(200)]
    assert np.mean(np.array(counts) > 0) < 0.15  # 0.1, and the scale is only estimated
    assert np.mean(counts) < 0.5


def test_defects_among_good_frames_are_named_the_worst_first() -> None:
    scores = good_scores(45, 1)
    scores[7:7] = [0.9, 0.5, 0.6]
    found = named(scores)
    assert found[:3] == ["7", "9", "8"]
    assert len(found) <= 4


def test_one_alone_must_stand_out_by_more_than_several() -> None:
    rest = np.linspace(0.05, 0.12, 45).tolist()
    level = 0.35
    alone = named([*rest, level])
    while alone:
        level -= 0.005
        alone = named([*rest, level])
    assert len(named([*rest, level, level, level, level, 1.0])) == 5


def test_the_tail_is_that_of_a_gumbel_distribution() -> None:
    far = np.array([0.0, 1.0, 5.0, 20.0])
    median = stats.gumbel_r.median()
    assert tail(far) == pytest.approx(stats.gumbel_r.sf(median + far), rel=1e-6)
    above = above_median(good_scores(200_001, 3))
    assert gumbel_scale(above) == pytest.approx(0.1, rel=0.02)
    highest = [largest_scale(above_median(good_scores(40, seed))) for seed in range(400)]
    assert np.median(highest) == pytest.approx(0.1, rel=0.15)


def test_what_held_out_frames_scored_is_no_suspect() -> None:
    scores = [*good_scores(45, 1), 0.5]
    assert named(scores) == ["45"]
    assert named(scores, good_scores(30, 2)) == ["45"]
    assert named(scores, [*good_scores(30, 2), 0.55]) == []
    frames, held_out = (above_median(x) for x in ([0.1] * 20 + [0.19, 0.21], [0.1] * 999 + [0.2]))
    chances = alone_chances(frames, held_out)
    assert chances[-2] == 1
    assert chances[-1] < 0.01


def test_several_above_all_held_out_frames_are_named_where_none_alone_would_be() -> None:
    """One odd good frame among those held out must not hide the defects of every changeover."""
    good, held_out = good_scores(45, 1), [*good_scores(87, 2), 0.4]
    for defects in ([0.45], [0.45, 0.46]):
        assert named([*good, *defects], held_out) == []
    found = named([*good, 0.45, 0.46, 0.47, 0.48, 0.35], held_out)
    assert found[:5] == ["48", "47", "46", "45", "49"]
    assert len(found) <= 6


def test_the_chance_of_so_many_is_that_of_the_highest_all_being_new() -> None:
    held_out = np.linspace(0, 1, 10)
    assert chance_of_so_many(np.zeros(5), held_out) == 1
    assert chance_of_so_many(np.array([0, 0, 0, 2, 3.0]), held_out) == pytest.approx(
        5 / 15 * 4 / 14
    )
    drawn = np.random.default_rng(0).standard_normal((4000, 138))
    rare = [chance_of_so_many(row[:50], row[50:]) <= 0.05 for row in drawn]
    assert np.mean(rare) == pytest.approx(0.0457, abs=0.008)  # three or more


def test_defects_do_not_hide_each_other_by_widening_the_range() -> None:
    """The frames' own scores, by a range that the defects made, are not what is looked at."""
    frames = [replace(one, score=0.1) for one in looks([*good_scores(45, 1), 0.9, 0.8, 0.7])]
    assert {suspect.name for suspect in find_suspects(frames, reference())} >= {"45", "46", "47"}
    scores = normal_scores(frames, reference(), "whole")
    assert scores[-3:] == pytest.approx([0.9, 0.8, 0.7])


def test_light_that_raised_all_maps_names_none() -> None:
    good = good_scores(45, 1)
    risen = [
        replace(one, levels=levels(2 * (0.3 + score), 0.2 + score, q90=0.6))
        for one, score in zip(looks(good), good, strict=True)
    ]
    assert normal_scores(risen, reference(), "whole") == pytest.approx(good)


def test_sets_of_good_frames_stand_out_as_seldom_as_said() -> None:
    counts = [
        len(standing_out(good_scores(50, n), good_scores(88, 5000 + n), 0.1)) for n in range(400)
    ]
    assert np.mean(np.array(counts) > 0) < 0.13


@pytest.mark.parametrize("scores", [[0.1] * 20, [0.0] * 20, [-0.05] * 20])
def test_equal_scores_name_none(scores: list[float]) -> None:
    assert named(scores) == []
    assert named([*scores[:-1], 2.0]) == ["19"]


def test_few_frames_name_none() -> None:
    assert named([0.1] * (FEWEST - 2) + [5.0]) == []


@given(st.lists(st.floats(-0.1, 10), min_size=8, max_size=40), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_a_higher_score_is_no_less_suspect(scores, random):  # type: ignore[no-untyped-def]
    order = list(range(len(scores)))
    random.shuffle(order)
    direct = sorted(s.score for s in find_suspects(looks(scores), reference()))
    shuffled = sorted(
        s.score for s in find_suspects(looks([scores[n] for n in order]), reference())
    )
    assert direct == shuffled
    if direct:
        kept = [score for score in scores if score > direct[0]]
        assert len([score for score in direct if score > direct[0]]) == len(kept)


def test_gross_defects_are_told_by_their_cells_however_they_scored() -> None:
    frames = looks([0.1] * 20)
    frames[3] = replace(frames[3], levels=levels(local=5.0))
    frames[4] = replace(frames[4], levels=levels(globally=3.0))
    frames[5] = replace(frames[5], levels=levels(local=3.9))
    assert gross(frames, reference()) == {3: pytest.approx(5.0), 4: pytest.approx(6.0)}
    told = {suspect.name: suspect.says for suspect in find_suspects(frames, reference())}
    assert [n for n, says in told.items() if "times as high" in says] == ["3", "4"]


def test_maps_that_rose_as_a_whole_are_no_gross_defects() -> None:
    risen = [replace(f, levels=levels(local=6.0, q90=0.9)) for f in looks([0.1] * 20)]
    assert gross(risen, reference()) == {}
