"""The API and the page, over projections and the live picture: HTTP in, JSON and server-sent events out. It only reads.

`server.serve` runs it; `pitwall.live.run` joins it to the projector that makes the picture.
"""
