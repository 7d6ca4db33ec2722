"""Where frames come from, on the command line of each verb that is shown some."""

import argparse
from pathlib import Path
from typing import Literal

from calibration.shown import FrameSource
from calibration.sources.camera import CameraSource
from calibration.sources.daemon import Daemon, DaemonSource
from calibration.sources.images import ImageSource
from daemon import settings
from daemon.security.keys import ClientKeys
from models.recipe import Recipe

CONTROL = "tcp://127.0.0.1:5555"


def add_source(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the three kinds of source, of which one is to be given, or none unless required."""
    group = parser.add_argument_group("frames, from one of these")
    one = group.add_mutually_exclusive_group(required=required)
    one.add_argument("--images", type=Path, metavar="FOLDER", help="images of a folder")
    one.add_argument(
        "--daemon",
        nargs="?",
        const=CONTROL,
        metavar="ENDPOINT",
        help=f"the running daemon, which goes on inspecting; its sockets.control [{CONTROL}]",
    )
    one.add_argument(
        "--camera",
        type=Path,
        metavar="SETTINGS",
        help="the station's cameras, of a daemon that is stopped: its settings file",
    )
    add_reach(parser)
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long the next part may take to come [%(default)g]",
    )


def add_reach(parser: argparse.ArgumentParser) -> None:
    """Add how a daemon is reached, beside its endpoint."""
    add = parser.add_argument_group("with --daemon or --camera").add_argument
    add("--station", metavar="NAME", help="where there are several")
    add("--server-key", type=Path, metavar="FILE", help="effad's public key, where it has keys")
    add("--key", type=Path, metavar="FILE", help="with --server-key: one's own, .key_secret")


def daemon_of(args: argparse.Namespace) -> Daemon:
    """Give the daemon that was named; raises ``InputError`` if a key's file is wrong."""
    return Daemon(args.daemon, ClientKeys.given(args.server_key, args.key), args.station)


def source_of(
    args: argparse.Namespace,
    parts: int,
    which: Literal["good", "all"],
    *,
    recipe: Recipe | None = None,
    trigger: bool = False,
) -> FrameSource:
    """Give the source that was asked for; raises ``InputError``.

    ``which`` and ``trigger`` are the daemon's, ``recipe``'s parameters are set on a camera.
    """
    if args.images is not None:
        return ImageSource(args.images, parts)
    if args.daemon is not None:
        daemon = daemon_of(args)
        return DaemonSource(daemon, parts, which, trigger=trigger, patience_s=args.patience)
    return CameraSource(
        settings.read(args.camera),
        parts,
        station=args.station,
        recipe=recipe,
        patience_s=args.patience,
    )
