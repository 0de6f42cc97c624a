"""What it takes to prompt a world from outside: words as a scene, drivers as motion, and the commands that do it."""
