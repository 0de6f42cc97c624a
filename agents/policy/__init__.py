"""Learned drivers: what they see, their networks, and their files."""
