"""Race-car telemetry: the log of raw CAN frames is the truth, everything else is a replay."""

__version__ = "0.1.0"
