"""Sessions as Foxglove's tools see them: topics with JSON schemas, over their WebSocket protocol or in MCAP files."""
