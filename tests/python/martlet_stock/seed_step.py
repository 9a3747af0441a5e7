"""The decorator that says which features a step of drawing a case may use."""


def step(*features):
    """Register the features by which `--without` can switch parts of the step off."""
    def register(function):
        function.features = features
        return function
    return register
