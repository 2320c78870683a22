"""The door between laboratory and runtime: one ONNX file with its specification inside."""
