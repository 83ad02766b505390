"""What is learned: encoder, features, heads, calibration and artifacts; Identifier puts them together."""
