"""report.json and its views: everything that was measured or computed, and where each figure comes from."""
