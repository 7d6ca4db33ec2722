"""effad's own subscriber and requester: what a SCADA, or a test, talks to the daemon with."""

from daemon.client.follower import Follower, Gone, Position
from daemon.client.requester import Requester
from daemon.client.seq import SeqCheck
from daemon.client.subscriber import Subscriber

__all__ = ["Follower", "Gone", "Position", "Requester", "SeqCheck", "Subscriber"]
