"""Scenarios driven many times over: generated as videos and episodes, and searched for those that go wrong."""
