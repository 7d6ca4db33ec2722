"""What the new normal may differ from the training reference by, all in one place.

A difference fails a check if it is real, more than the few frames on both sides explain, and
matters, so that more frames make no check stricter than is of use.
"""

#: Two-sided probability that frames like those of training fail one check of light by chance.
CHANCE = 0.001
#: A mean of light this many deviations of single frames from training's matters: only 1 good frame
#: of 6 was that far off on this side.
SHIFT = 1.0
#: Shares of the reference that no engineer calls a change: what an exposure repeats to. Sharpness
#: is a variance, the square of what the eye sees.
LEAST = {"brightness": 0.05, "contrast": 0.05, "sharpness": 0.1}

#: Maps this many times as high, or as low, as at training: a defect must be so many times as strong
#: to be found as it had to be then.
MOVED = 1.5
FAR = 2.0
#: Where maps are held against the reference. Above this a handful of cells decides.
JUDGED = (0.5, 0.9, 0.995)

#: Share of the way from chance (an AUROC of 0.5) to the reference's that must be left: else defects
#: are harder to tell, which a light explains; and below the second, no light does.
KEPT = 0.75
LOST = 0.5
#: Share of the synthetic defects found at training that must be found at the new threshold.
FOUND = 0.5
#: Probability of an AUROC, or a share found, as low by chance alone.
SEPARATION_CHANCE = 0.01

#: Probability that a set of good frames names a suspect.
SET = 0.1
#: Share of good ones among the frames that are named as suspects, on average: of six two may be.
FALSE = 0.3
#: A cell so many times as high as any of the held-out frames is a gross defect's. A few frames of
#: the kind move the normal range; good frames with an odd mark reach half of that.
GROSS = 4.0
#: Frames of which none can stand out.
FEWEST = 8
