"""Topics and messages in, an MCAP file out, piece by piece: it needs no more memory than one of its chunks.

The format is https://mcap.dev/spec; its writer is the `mcap` package's. Log times are ns since 1970, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Final

from pitwall import __version__
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.serve.foxglove.messages import Message
    from pitwall.serve.foxglove.topics import Topic

CHUNK_BYTES: Final = 1 << 20
"""What a reader takes in at once; and what is held until it is compressed."""

MEDIA: Final = "application/mcap"


def check() -> None:
    """UsageError: there is nothing to write MCAP with."""
    if find_spec("mcap") is None:
        what = "MCAP files are written by the package mcap, which is not installed"
        raise UsageError(what, hint="pip install 'pitwall[mcap]'")


class McapFile:
    """An MCAP file on its way into `out`, which needs `write` alone.  One session's, of these topics."""

    def __init__(self, out: IO[bytes], topics: Sequence[Topic], *, session: str, car: str, started_at_ns: int) -> None:
        check()
        from mcap.writer import CompressionType, Writer

        self._started_at_ns = started_at_ns
        self._writer = Writer(out, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(profile="", library=f"pitwall {__version__}")
        self._writer.add_metadata("pitwall", {"session": session, "car": car, "started_at_ns": str(started_at_ns)})
        self._channels = []
        self._counts = [0] * len(topics)
        for topic in topics:
            schema = self._writer.register_schema(topic.schema_name, "jsonschema", topic.schema_text())
            units = {channel.name: channel.unit for channel in topic.channels if channel.unit}
            self._channels.append(self._writer.register_channel(topic.name, "json", schema, units))

    def write(self, messages: Iterable[Message]) -> int:
        """The next messages, none before those that were written; how many they were."""
        count = 0
        for t, topic, data in messages:
            at = self._started_at_ns + t
            self._writer.add_message(self._channels[topic], at, data, at, self._counts[topic])
            self._counts[topic] += 1
            count += 1
        return count

    def finish(self) -> None:
        """Writes what is left, and the index."""
        self._writer.finish()  # type: ignore[no-untyped-call]
