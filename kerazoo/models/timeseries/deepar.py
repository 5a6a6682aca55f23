"""DeepAR (Salinas et al., 2017, https://arxiv.org/abs/1704.04110): a recurrent network that answers a distribution.

Trained by the likelihood of each value given all true ones before it. At inference the network goes on alone, fed
its own mean (`model(x)`) or its own draws (`model.draw_paths`). As in the paper, the network sees the value before
and what is known of each step, and the negative binomial is for counts; Student's t is what its successors take for
real numbers. Differs from the paper: a series is divided by its mean size over the past, without the one that the
paper adds for counts; windows count alike, whatever the size of their series; there is no embedding of which series
it is.
"""

import keras
from keras import ops

from kerazoo.layers.autoregression import Autoregression
from kerazoo.layers.distribution import check_distribution
from kerazoo.losses.likelihood import NegativeLogLikelihood
from kerazoo.models.timeseries.forecaster import NO_INT8, check_sizes, past_input, sample_of
from kerazoo.registry import register

SMOKE = {"lookback": 24, "horizon": 8, "channels": 2, "units": 32, "depth": 2, "known": 2, "dropout": 0.0}
_waves = sample_of(lookback=24, horizon=8, channels=2)


def _sample(rng, batch):
    """Random (inputs, future) that fit SMOKE."""
    past, future = _waves(rng, batch)
    return {"past": past, "known": rng.normal(size=(batch, 32, 2)).astype("float32")}, future


@keras.saving.register_keras_serializable(package="kerazoo")
class DeepAR(keras.Model):
    """A functional model around `Autoregression`, whose loss is taken where each step is fed the true value before.

    Args:
        lookback, horizon, channels, known: sizes, as in `deepar`.
        network: (configuration of) the `Autoregression`.
        name: the model's name.
    """

    def __init__(self, *, lookback, horizon, channels, known, network, name="deepar", **options):
        if isinstance(network, dict):
            network = keras.saving.deserialize_keras_object(network)
        inputs = {"past": past_input(lookback, channels)}
        if known:
            inputs["known"] = keras.Input((lookback + horizon, known), name="known", dtype="float32")
        parameters = network(inputs["past"], inputs.get("known"))
        parameters = keras.layers.Identity(dtype="float32", name="distribution")(parameters)
        super().__init__(inputs if known else inputs["past"], parameters, name=name, **options)
        self.sizes = {"lookback": lookback, "horizon": horizon, "channels": channels, "known": known}
        self.network = network

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The likelihood of the future, in training of the past too, each value given the true ones before it."""
        past, known = self._past_and_known(x)
        y = ops.cast(y, "float32")
        parameters = self.network(past, known, future=y, training=training)
        if training:
            y = ops.concatenate([ops.cast(past[:, 1:], "float32"), y], axis=1)
        else:
            parameters = parameters[:, self.sizes["lookback"] - 1 :]
        return super().compute_loss(x, y, parameters, sample_weight, training)

    def draw_paths(self, inputs, *, paths=100, seed=0):
        """Random futures, each step drawn from the distribution that follows on the draws before it.

        Args:
            inputs: as the model takes them.
            paths: futures for each example; their quantiles are the forecast's.
            seed: of the draws.

        Shapes: -> (B, paths, horizon, channels), float32.
        """
        return self.network.draw_paths(*self._past_and_known(inputs), paths=paths, seed=seed)

    def _past_and_known(self, x):
        x = x if isinstance(x, dict) else {"past": x}
        return ops.convert_to_tensor(x["past"]), x.get("known")

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return self.sizes | {"network": network, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@register(domain="timeseries", task="forecasting", smoke=SMOKE, sample=_sample, unsupported=NO_INT8)
def deepar(
    *,
    distribution="student_t",
    units=40,
    depth=3,
    dropout=0.1,
    known=0,
    lookback=168,
    horizon=24,
    channels=1,
    learning_rate=1e-3,
    name="deepar",
):
    """DeepAR, compiled with Adam and the negative log-likelihood; gradients are cut at a norm of 10.

    Args:
        distribution: "student_t" or "gaussian" for real numbers, "negative_binomial" for counts.
        units: of each LSTM.
        depth: LSTMs, one on the other.
        dropout: between LSTMs.
        known: variables known for the past and the future, for instance of the calendar.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window; each is forecast by itself, weights are shared by all.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels); with covariates a dict of "past" and "known" (B, lookback + horizon, known)
        -> the distributions of each step when every step before is at its mean, (B, horizon, channels, parameters),
        float32; the mean stands first, the others as in `kerazoo.layers.distribution.DISTRIBUTIONS`.

    Raises:
        ValueError: a size that is no positive integer, or no such distribution.

    Example:

    >>> import kerazoo, numpy
    >>> model = kerazoo.build("deepar", lookback=48, horizon=12, channels=2)
    >>> model.output_shape
    (None, 12, 2, 3)
    >>> model.draw_paths(numpy.ones((1, 48, 2), "float32"), paths=5).shape
    TensorShape([1, 5, 12, 2])
    """
    check_sizes(units=units, depth=depth, lookback=lookback, horizon=horizon, channels=channels)
    network = Autoregression(horizon, units, depth, dropout, check_distribution(distribution), name="autoregression")
    model = DeepAR(lookback=lookback, horizon=horizon, channels=channels, known=known, network=network, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, clipnorm=10.0), loss=NegativeLogLikelihood(distribution)
    )
    return model
