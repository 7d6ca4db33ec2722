"""Images that are kept, with their maps and verdicts, so that a verdict can be looked at again."""

from daemon.archive.archive import Archive
from daemon.archive.kept import ArchiveCounts, ArchivePlan, Kept, Loss, plan_of

__all__ = ["Archive", "ArchiveCounts", "ArchivePlan", "Kept", "Loss", "plan_of"]
