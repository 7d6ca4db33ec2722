"""The settings of the metrics' HTTP address."""

import ipaddress

from pydantic import Field, field_validator

from daemon.settings.station import NOT_ALLOWED, Table, allowed


class MetricsSettings(Table):
    """Metrics for Prometheus, over HTTP."""

    address: str = Field(
        default="127.0.0.1",
        description="Address of this machine where metrics are read. Whoever reaches it reads"
        " numbers and names, and can command nothing; there are no keys to it.",
        json_schema_extra=allowed("an IPv4 or IPv6 address; 0.0.0.0 and :: for all there are"),
    )
    port: int = Field(
        default=9556, ge=0, le=65535, description="Its port; 0: metrics are not served."
    )

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise NOT_ALLOWED from None
        return address
