"""How a bundle runs on a device: from a frame to the raw maps of each scale."""

import platform

import torch
from torch import Tensor

from models.bundle import Bundle, Input
from models.calibration import RawMaps
from models.errors import InputError
from models.geometry import Box
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb, upload
from models.precision import TOLERANCE, Precision, autocast


class Engine:
    """A bundle on one device. Used by one thread at a time.

    ``fingerprint`` names all that must be equal for scores to be equal bit for bit. Raises
    ``InputError`` if the region of interest leaves the frame, or without a thread.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "cpu",
        precision: Precision = Precision.FP32,
        threads: int = 1,
        region: Box | None = None,
    ) -> None:
        if region is not None:
            _check_region(region, bundle.manifest.input)
        if threads < 1:
            raise InputError(f"threads = {threads}: must be 1 or more")
        self._bundle = bundle
        self.device = torch.device(device)
        self._precision = precision
        self._threads = threads
        self._region = region
        self._detectors = {
            name: detector.to(self.device).to(memory_format=torch.channels_last)
            for name, detector in bundle.detectors.items()
        }
        self.fingerprint = self._name()

    def look(self, frame: RawFrame, pixel_format: PixelFormat) -> dict[str, RawMaps]:
        """Give the raw maps of each scale for a frame, shaped as its pixel format says.

        It goes to the device as it is, and becomes RGB there.
        """
        return self.look_at(to_rgb(upload(frame, self.device), pixel_format))

    def look_at(self, rgb: Tensor) -> dict[str, RawMaps]:
        """Give the raw maps of each scale, on the CPU, for (3, H, W) float32 in [0, 1]."""
        top, left = 0, 0
        if (box := self._region) is not None:
            rgb = rgb[:, box.y : box.y + box.height, box.x : box.x + box.width]
            top, left = box.y, box.x
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        rgb = rgb.to(self.device)
        found = {}
        bf16 = self._precision is Precision.BF16
        with torch.inference_mode(), autocast(self.device.type, enabled=bf16):
            for name, detector in self._detectors.items():
                cutting = self._bundle.cutting(name, *rgb.shape[-2:])
                # One tile a pass: beyond that the activations leave a CPU's cache.
                maps = [
                    detector(tile[None].contiguous(memory_format=torch.channels_last))
                    for tile in cutting.cut(rgb)
                ]
                local = cutting.join(torch.cat([m.local for m in maps])).cpu()
                globally = cutting.join(torch.cat([m.globally for m in maps])).cpu()
                found[name] = RawMaps(local, globally, cutting.placement.shifted(top, left))
        return found

    def verify(self) -> float:
        """Hold this engine against the bundle's fp32 reference maps; give the largest difference.

        A share of the reference map's largest value. Raises ``InputError`` beyond the tolerance.
        """
        region, self._region = self._region, None
        try:
            found = self.look_at(self._bundle.reference)
        finally:
            self._region = region
        shares = [
            (mine - its).abs().max() / its.abs().max()
            for name, reference in self._bundle.reference_maps.items()
            for mine, its in zip(found[name][:2], reference, strict=True)
        ]
        worst = float(torch.stack(shares).max())  # NaN where one is, unlike Python's max
        if not worst <= TOLERANCE[self._precision]:
            raise InputError(
                f"engine {self.fingerprint}: differs from the bundle's reference maps by"
                f" {worst:.2%} of their maximum; {TOLERANCE[self._precision]:.2%} is allowed."
                " Set precision to fp32, and report this processor"
            )
        return worst

    def _name(self) -> str:
        if self.device.type == "cuda":
            where = torch.cuda.get_device_name(self.device).replace(" ", "-")
        else:
            where = f"{platform.machine()}-{torch.backends.cpu.get_cpu_capability()}"
        return (
            f"torch-{torch.__version__}/{self.device.type}/{where}"
            f"/{self._precision}/threads-{self._threads}/tile"
        )


def _check_region(box: Box, frame: Input) -> None:
    if box.x + box.width > frame.width or box.y + box.height > frame.height:
        raise InputError(
            f"region_of_interest {box.width} x {box.height} at ({box.x}, {box.y}) leaves the frame"
            f" of {frame.width} x {frame.height} pixels; correct it in the recipe"
        )
