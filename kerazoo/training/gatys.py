"""Neural style: an image changed until a network sees one image's content and another's style in it.

Gatys et al. (2016, https://www.cv-foundation.org/openaccess/content_cvpr_2016/html/Gatys_Image_Style_Transfer_CVPR_2016_paper.html).
It is no model of the registry: what is learnt is the one picture, so there is nothing to feed, to batch or to export.
"""

import contextlib

import numpy as np

from kerazoo.extras import need

METHODS = ("lbfgs", "adam")


def stylize(content, loss, *, start=None, method="lbfgs", steps=120, learning_rate=4.0, progress=None):
    """The image that minimises a perceptual loss, from the content image on.

    Args:
        content: the content image, pixels in [0, 255], (H, W, 3).
        loss: a `kerazoo.losses.perceptual.Perceptual` for images of this size.
        start: the image to start from, pixels in [0, 255]; None takes the content.
        method: "lbfgs" (scipy's L-BFGS-B, which the paper's authors advise) or "adam".
        steps: evaluations of the loss.
        learning_rate: of Adam, in pixel values; it falls to a tenth in a straight line.
        progress: called with (steps done, the loss) after each.

    Returns:
        `(image, history)`: pixels in [0, 255], uint8, of the lowest loss; and the loss with its weighted terms at
        each step, {"loss": [...], "content": [...], ...}.

    Raises:
        ImportError: "lbfgs" without scipy.
        ValueError: an unknown method, no steps, or a loss that is not finite at the first one; at a later one the
            descent stops.

    Example:

    >>> image, history = stylize(content, loss, steps=100)  # doctest: +SKIP
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {METHODS}. Received: {method!r}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1. Received: {steps!r}.")
    shape = np.shape(content)
    image = np.asarray(content if start is None else start, "float32")
    descent = _Descent(content, loss, steps=steps, progress=progress)
    if method == "lbfgs":
        need("scipy")
        from scipy.optimize import minimize

        # L-BFGS first tries a step of length one: in this unit it moves every value by about two.
        unit = 2.0 * np.sqrt(image.size)

        def scaled(x):
            value, gradient = descent((unit * x).reshape(shape))
            return value, unit * gradient

        # One line search may evaluate several times: the count of evaluations ends it, not that of iterations.
        with contextlib.suppress(_Enough):
            minimize(
                scaled,
                image.ravel().astype("float64") / unit,
                jac=True,
                method="L-BFGS-B",
                bounds=[(0.0, 255.0 / unit)] * image.size,
                options={"maxiter": steps, "maxfun": steps, "maxcor": 20, "ftol": 0.0, "gtol": 0.0},
            )
    else:
        with contextlib.suppress(_Enough):
            _adam(image, descent, steps=steps, learning_rate=learning_rate)
    return np.clip(np.round(descent.best[1]), 0, 255).astype("uint8"), descent.history


class _Enough(Exception):
    """All steps are made, or one that is not finite."""


class _Descent:
    """The loss and its gradient; remembers every loss and the best image."""

    def __init__(self, content, loss, *, steps, progress):
        import tensorflow as tf

        self.steps, self.progress = steps, progress
        self.history, self.best = {}, (np.inf, None)
        content = tf.constant(content, "float32")[None]

        @tf.function
        def evaluate(image):
            with tf.GradientTape() as tape:
                tape.watch(image)
                terms = {name: loss.weights[name] * term[0] for name, term in loss.terms(content, image[None]).items()}
                total = tf.add_n(list(terms.values()))
            return total, terms, tape.gradient(total, image)

        self.evaluate = evaluate

    def __call__(self, image):
        """(loss, gradient as a float64 row)."""
        done = len(self.history.get("loss", ()))
        if done >= self.steps:
            raise _Enough
        total, terms, gradient = self.evaluate(np.asarray(image, "float32"))
        total = float(total)
        for name, value in {"loss": total, **terms}.items():
            self.history.setdefault(name, []).append(float(value))
        if not np.isfinite(total):
            self._stop(done + 1)
        if total < self.best[0]:
            self.best = total, np.array(image)
        if self.progress:
            self.progress(done + 1, total)
        return total, gradient.numpy().astype("float64").ravel()

    def _stop(self, step):
        name, value = next((n, v[-1]) for n, v in self.history.items() if not np.isfinite(v[-1]))
        reason = f"{name} was {value} at step {step}"
        if self.best[1] is None:
            raise ValueError(f"There is no best image: {reason}. A smaller learning rate may help.")
        print(f"\nThe descent stops: {reason}. The best image before it stands.")
        raise _Enough


def _adam(image, descent, *, steps, learning_rate):
    mean, square = np.zeros_like(image), np.zeros_like(image)
    for step in range(1, steps + 1):
        _, gradient = descent(image)
        gradient = gradient.reshape(image.shape).astype("float32")
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        rate = learning_rate * (1 - 0.9 * step / steps)
        change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-12)
        image = np.clip(image - rate * change, 0, 255)
