"""How a bundle runs on a device: from a frame to the raw maps of each scale."""

import copy
import platform
from dataclasses import replace
from importlib.metadata import version

import torch
from torch import Tensor

from models.backend import Backend, check_backend
from models.bundle import Bundle
from models.calibration import RawMaps
from models.detector import Networks, off_by
from models.errors import InputError
from models.geometry import STRIDE
from models.mode import Mode, mode_for
from models.openvino_networks import OpenVinoNetworks
from models.passes import AT_ONCE, laid
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb, upload
from models.precision import TOLERANCE, Precision, autocast
from models.scope import Asks, Layout, Scope
from models.tiling import tile_maps


class Engine:
    """A bundle on one device. Used by one thread at a time.

    ``fingerprint`` names all that must be equal for scores to be equal bit for bit, but for what
    the recipe decides. Out of memory, passes become half as large, for good.

    Raises ``InputError`` if the region of interest leaves the frame, if nothing is left to
    inspect, if the bundle lacks a scale of the mode, or without a thread.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "cpu",
        precision: Precision = Precision.FP32,
        threads: int = 1,
        scope: Scope | None = None,
        backend: Backend = Backend.TORCH,
        at_once: int | None = None,
    ) -> None:
        """``at_once``: tiles a pass, by default as many as suit the device."""
        scope = scope or Scope()
        scope.check(bundle.manifest.input.height, bundle.manifest.input.width)
        if threads < 1:
            raise InputError(f"threads = {threads}: must be 1 or more")
        self._bundle = bundle
        self.device = torch.device(device)
        self._precision = precision
        self._threads = threads
        check_backend(backend, self.device.type)
        self._backend = backend
        self._at_once = at_once or AT_ONCE[self.device.type]
        self.mode = mode_for(bundle.detectors, scope.mode, bundle.path)
        self._networks = {
            name: self._of(name).to(self.device).to(memory_format=torch.channels_last)
            for name in self.mode.scales
        }
        self._look_through(scope)
        self._name = self._named()

    @property
    def fingerprint(self) -> str:
        """What decides the bits of its maps. It changes when a pass gets smaller."""
        tiles = "tile" if self._at_once == 1 else f"{self._at_once}-tiles"
        stride = self.scope.tile_stride
        return f"{self._name}/{tiles}" + ("" if stride == STRIDE else f"-stride-{stride}")

    def asking(self, asks: Asks) -> "Engine":
        """Give this engine, in mode adaptive, with what decides which tiles are computed."""
        other = copy.copy(self)
        other._look_through(replace(self.scope, asks=asks))
        return other

    def prepare(self) -> None:
        """Compile what looks at frames will need, so that the first does not wait for it."""
        for name, networks in self._networks.items():
            networks.prepare(overlapping=name == "tiles" and self.scope.tile_stride != STRIDE)

    def on_threads(self, threads: int) -> "Engine":
        """Give this engine on other threads, with the same networks and layouts: to try it beside
        others that are at work.
        """
        other = copy.copy(self)
        other._threads = threads
        other._networks = {name: n.on_threads(threads) for name, n in self._networks.items()}
        return other

    def _of(self, scale: str) -> Networks:
        """Give a scale's networks: reduced, but for the reference."""
        networks: Networks = self._bundle.detectors[scale]
        if self._precision is not Precision.FP32:
            networks = self._bundle.reduced.get(scale, networks)
        if self._backend is Backend.OPENVINO:
            return OpenVinoNetworks(networks, self._precision, self._threads)
        return networks

    def _look_through(self, scope: Scope) -> None:
        self.scope = scope
        self._layouts: dict[tuple[int, int], Layout] = {}

    def look(self, frame: RawFrame, pixel_format: PixelFormat) -> dict[str, RawMaps]:
        """Give the raw maps of each scale for a frame, shaped as its pixel format says.

        It goes to the device as it is, and becomes RGB there.
        """
        return self.look_at(to_rgb(upload(frame, self.device), pixel_format))

    def look_at(self, rgb: Tensor) -> dict[str, RawMaps]:
        """Give the raw maps of each scale, on the CPU, for (3, H, W) float32 in [0, 1].

        Raises ``torch.OutOfMemoryError`` where not even one tile a pass fits.
        """
        top, left = 0, 0
        if (box := self.scope.region) is not None:
            rgb = rgb[:, box.y : box.y + box.height, box.x : box.x + box.width]
            top, left = box.y, box.x
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        rgb = rgb.to(self.device)
        bf16 = self._precision is Precision.BF16 and self._backend is Backend.TORCH
        with torch.inference_mode(), autocast(self.device.type, enabled=bf16):
            while (found := self._fitting(rgb)) is None:
                self._at_once //= 2
        return {
            name: raw._replace(placement=raw.placement.shifted(top, left))
            for name, raw in found.items()
        }

    def _fitting(self, rgb: Tensor) -> dict[str, RawMaps] | None:
        """Give the maps of each scale; None if a smaller pass has to be tried."""
        try:
            return self._scales(rgb)
        except torch.OutOfMemoryError:
            if self._at_once == 1:
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # pieces that fit no pass of the new size
        return None

    def _scales(self, rgb: Tensor) -> dict[str, RawMaps]:
        layout = self._layout(rgb.shape[-2], rgb.shape[-1])
        found: dict[str, RawMaps] = {}
        if (networks := self._networks.get("whole")) is not None:
            maps = networks(laid(layout.whole.cut(rgb)))
            local, globally = (layout.whole.join(m).cpu() for m in maps)
            found["whole"] = RawMaps(
                local, globally, layout.whole.placement, ignored=layout.ignored_whole
            )
        if (networks := self._networks.get("tiles")) is not None:
            plan = layout.everything
            if self.mode is Mode.ADAPTIVE and self.scope.asks is not None:
                plan = layout.plan(self.scope.asks(found["whole"], layout.base, layout.kept))
            local, globally = tile_maps(networks, rgb, layout, plan, self._at_once)
            found["tiles"] = RawMaps(
                local.cpu(),
                globally.cpu(),
                layout.base.placement,
                computed=plan.computed,
                ignored=layout.ignored_base,
            )
        return found

    def _layout(self, height: int, width: int) -> Layout:
        if (height, width) not in self._layouts:
            self._layouts[height, width] = self.scope.lay(height, width)
        return self._layouts[height, width]

    def verify(self) -> float:
        """Hold this engine against the bundle's fp32 reference maps; give the largest difference.

        A share of the reference map's largest value, over the scales that it looks at: of the
        whole frame, and of tiles that abut. Raises ``InputError`` beyond the tolerance.
        """
        mine = copy.copy(self)
        mine._look_through(Scope())
        found = mine.look_at(self._bundle.reference)
        worst = off_by(
            (seen for raw in found.values() for seen in raw[:2]),
            (its for name in found for its in self._bundle.reference_maps[name]),
        )
        if not worst <= TOLERANCE[self._precision]:
            raise InputError(
                f"engine {self.fingerprint}: differs from the bundle's reference maps by"
                f" {worst:.2%} of their maximum; {TOLERANCE[self._precision]:.2%} is allowed."
                " Set precision to fp32, and report this processor"
            )
        return worst

    def _named(self) -> str:
        if self.device.type == "cuda":
            where = torch.cuda.get_device_name(self.device).replace(" ", "-")
        else:
            where = f"{platform.machine()}-{torch.backends.cpu.get_cpu_capability()}"
        # torch's own version names its CUDA as well, and what it is built for decides bits.
        torchs = self._backend is Backend.TORCH
        library = torch.__version__ if torchs else version(self._backend)
        return (
            f"{self._backend}-{library}/{self.device.type}/{where}"
            f"/{self._precision}/threads-{self._threads}"
        )
