"""From ONNX files to Graph and back: the only place that touches onnx's graph API."""
