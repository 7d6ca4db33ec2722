"""The autoencoder alone (thesis table 5.6)."""

from torch import Tensor

from models.detector import Detector


class TeacherAgainstAutoencoder(Detector):
    """A detector whose global map is the teacher against the autoencoder.

    What coeff_stae = 0 leaves: the student's second half was never trained then.
    """

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        teacher = self.teacher(images)
        follows_teacher, _ = self.student(images).float().chunk(2, dim=1)
        return (teacher - follows_teacher).square().mean(dim=1), teacher


def against_teacher(detector: Detector) -> Detector:
    """Give a detector of the same networks with that global map."""
    other = TeacherAgainstAutoencoder(detector.teacher, detector.student, detector.autoencoder)
    return other.eval().requires_grad_(False)
