"""GPS loggers' files in, frames of the bus `gps` out: .vbo, NMEA, RaceChrono's and AiM's CSV, .dovex."""
