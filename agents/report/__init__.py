"""The truth report: how far a learned world can be trusted, measured beside the reference world."""
