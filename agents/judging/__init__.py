"""Who drives how well: seeded scenarios, batched playing, scores with intervals, scripted yardsticks and probes."""
