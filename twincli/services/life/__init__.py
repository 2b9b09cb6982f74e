"""The life of a twin: what happened to it, the states it goes through, the stages it passes."""
