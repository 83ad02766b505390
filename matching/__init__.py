"""The exchange: which resource meets which need, or an honest "nothing fits"."""
