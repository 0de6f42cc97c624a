"""Real logs as episodes: one module for each kind of log, and what they share."""
