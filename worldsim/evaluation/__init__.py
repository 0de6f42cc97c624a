"""Measures of frames, rollouts and state heads, and estimators that judge pictures without knowing who drew them."""
