"""What a placed program costs on a target: pure functions from what is counted and what components take."""
