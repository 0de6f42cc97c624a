"""A learned driving world: episodes, tokenizer, dynamics, rollout engine, training and evaluation."""
