"""``worldsim demo``: a policy learns inside the shipped world, drives outside it, and both worlds are shown."""
