"""How numbers meet the hardware: weights as codes, what columns can sum to, ranges and thresholds of converters."""
