"""The dynamics transformer and its state heads."""
