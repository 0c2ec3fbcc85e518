"""A classifier as one ONNX file for pipelines that have no Telperion: raw rows in, calibrated probabilities out."""
