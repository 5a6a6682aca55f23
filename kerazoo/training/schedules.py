"""Learning-rate schedules that Keras lacks."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A straight climb to the peak, then a straight descent to zero (Smith, 2018, https://arxiv.org/abs/1803.09820).

    Differs from the paper: the momentum stays as it is, and the rate ends at zero.

    Args:
        peak: the highest rate.
        steps: optimizer steps of the whole training.
        warm_up: share of the steps that climb, above 0 and below 1.

    Raises:
        ValueError: no steps, or a share outside (0, 1).

    Example:

    >>> schedule = OneCycle(0.4, steps=100, warm_up=0.25)
    >>> float(schedule(25)), float(schedule(100))
    (0.4000000059604645, 0.0)
    """

    def __init__(self, peak, *, steps, warm_up=0.3):
        super().__init__()
        if steps < 1 or not 0 < warm_up < 1:
            raise ValueError(
                f"`steps` must be at least 1 and `warm_up` between 0 and 1. Received: {steps!r} and {warm_up!r}."
            )
        self.peak, self.steps, self.warm_up = peak, steps, warm_up

    def __call__(self, step):
        done = keras.ops.cast(step, "float32") / self.steps
        climb, descent = done / self.warm_up, (1.0 - done) / (1.0 - self.warm_up)
        return self.peak * keras.ops.clip(keras.ops.minimum(climb, descent), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps, "warm_up": self.warm_up}


@keras.saving.register_keras_serializable(package="kerazoo")
class HoldThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A constant rate for some epochs, then multiplied by a factor after each.

    The schedules of the long-horizon forecasting papers: hold 2, factor 0.5 in Informer's code (Zhou et al., 2021)
    and LTSF-Linear's, hold 3, factor 0.9 in PatchTST's.

    Args:
        rate: of the first epochs.
        steps: optimizer steps of an epoch.
        hold: epochs at `rate`.
        factor: of the rate from one epoch to the next, above 0 and at most 1.

    Raises:
        ValueError: no steps, a negative hold, or a factor outside (0, 1].

    Example:

    >>> schedule = HoldThenDecay(0.1, steps=10, hold=2, factor=0.5)
    >>> [round(float(schedule(step)), 4) for step in (0, 19, 20, 30)]
    [0.1, 0.1, 0.05, 0.025]
    """

    def __init__(self, rate, *, steps, hold, factor):
        super().__init__()
        if steps < 1 or hold < 0 or not 0 < factor <= 1:
            raise ValueError(
                "`steps` must be at least 1, `hold` at least 0, `factor` in (0, 1]. "
                f"Received: {steps!r}, {hold!r} and {factor!r}."
            )
        self.rate, self.steps, self.hold, self.factor = rate, steps, hold, factor

    def __call__(self, step):
        epoch = keras.ops.floor(keras.ops.cast(step, "float32") / self.steps)
        return self.rate * self.factor ** keras.ops.maximum(epoch - self.hold + 1, 0.0)

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps, "hold": self.hold, "factor": self.factor}


@keras.saving.register_keras_serializable(package="kerazoo")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """A straight climb, then a descent with the root of the steps (Vaswani et al., 2017).

    https://arxiv.org/abs/1706.03762, section 5.3.

    Args:
        peak: the rate after `warm_up` steps; the paper's is (width * warm_up) ** -0.5.
        warm_up: steps that climb.

    Raises:
        ValueError: no steps that climb.

    Example:

    >>> schedule = InverseSquareRoot(0.1, warm_up=100)
    >>> [round(float(schedule(step)), 3) for step in (50, 100, 400)]
    [0.05, 0.1, 0.05]
    """

    def __init__(self, peak, *, warm_up):
        super().__init__()
        if warm_up < 1:
            raise ValueError(f"`warm_up` must be at least 1. Received: {warm_up!r}.")
        self.peak, self.warm_up = peak, warm_up

    def __call__(self, step):
        share = keras.ops.maximum(keras.ops.cast(step, "float32"), 1.0) / self.warm_up
        return self.peak * keras.ops.minimum(share, share**-0.5)

    def get_config(self):
        return {"peak": self.peak, "warm_up": self.warm_up}
