"""Proof and measurement: the program checker, exactness against onnxruntime, accuracy on data."""
