"""Events, states and stages of twins."""
