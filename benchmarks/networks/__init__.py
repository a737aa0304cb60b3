"""Standard networks as ONNX, written layer by layer from the papers."""
