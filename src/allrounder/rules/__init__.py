"""Rules over what a model answers: one small language, decoded, tested, analysed."""
