"""What the daemon says of itself: state, alarms and heartbeats."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from daemon import log, notify
from daemon.channel import Closed
from daemon.messages import Alarm, AlarmCode, Counts, Heartbeat, State, StateChange
from daemon.publisher import Outgoing


class Herald:
    """Every method may be called from any thread."""

    def __init__(
        self,
        epoch: int,
        publish: Callable[[Outgoing], None],
        keep: Callable[[Alarm], None],
    ) -> None:
        """Take the epoch, who publishes, and who keeps alarms."""
        self.epoch = epoch
        self._publish = publish
        self._keep = keep
        self._lock = threading.Lock()
        self._state = State.PREOPERATIONAL
        self._violated = False
        self.alarms: Counter[AlarmCode] = Counter()
        self._log = log.get("effad")

    @property
    def state(self) -> State:
        return self._state

    @property
    def violated(self) -> bool:
        """Whether the account did not add up in this run."""
        return self._violated

    def change(self, state: State, text: str) -> None:
        """Say that the state has changed. After a violation it stays Error until the end."""
        with self._lock:
            if self._violated and state is not State.ERROR:
                self._log.warning("state stays Error", wanted=state.value, text=text)
                return
            self._state = state
        self._log.info("state", state=state.value, text=text)
        notify.status(text)
        change = StateChange(epoch=self.epoch, time_ns=time.time_ns(), state=state, text=text)
        try:
            self._publish(Outgoing(change))
        except Closed:
            self._log.debug("nobody publishes this state any more", state=state.value)

    def alarm(
        self,
        code: AlarmCode,
        text: str,
        *,
        station: str | None = None,
        camera: str | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> None:
        """Raise an alarm; the bounds of an interval are ns of the Unix epoch."""
        alarm = Alarm(
            epoch=self.epoch,
            time_ns=time.time_ns(),
            code=code,
            station=station,
            camera=camera,
            text=text,
            since_ns=since_ns,
            until_ns=until_ns,
        )
        self.alarms[code] += 1
        self._keep(alarm)
        self._publish(Outgoing(alarm))

    def violate(self, station: str, text: str) -> None:
        """Say that a station's account does not add up: nobody may trust this run any more."""
        with self._lock:
            self._violated = True
        self._log.error("invariant violated", station=station, text=text)
        self.alarm(AlarmCode.INVARIANT, text, station=station)
        self.change(State.ERROR, f"station {station}: {text}")

    def heartbeat(self, seq: Mapping[str, int], counts: Mapping[str, Counts]) -> None:
        """Say that the daemon lives, and which verdict of each station was the last."""
        self._publish(
            Outgoing(
                Heartbeat(
                    epoch=self.epoch,
                    time_ns=time.time_ns(),
                    state=self._state,
                    seq=dict(seq),
                    counts=dict(counts),
                )
            )
        )
