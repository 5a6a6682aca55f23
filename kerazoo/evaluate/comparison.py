"""Whether a network beats the best of its baselines, in one sentence for terminal and report."""


def verdict(own, baselines, *, unit="points", scale=100, digits=1, lower=False, name="The network"):
    """Who is ahead and by how much; level where the difference as it is written would be nought.

    Args:
        own: the network's figure; None where it could not be measured.
        baselines: {name: figure}, likewise.
        unit: of the difference.
        scale: what figures are multiplied by to be in that unit; 100 for points of a share.
        digits: behind the point of the difference.
        lower: whether less is better.
        name: of the network, the first words of the sentence.

    Example:

    >>> from kerazoo.evaluate.comparison import verdict
    >>> verdict(0.731, {"most frequent class": 0.4, "logistic regression": 0.7})
    'The network beats the best baseline (logistic regression) by 3.1 points.'
    >>> verdict(0.7001, {"logistic regression": 0.7004})
    'The network does not beat the best baseline: logistic regression is level with it.'
    """
    baselines = {baseline: figure for baseline, figure in baselines.items() if figure is not None}
    if own is None or not baselines:
        return "There are no two figures to compare."
    best = (min if lower else max)(baselines, key=baselines.get)
    gain = (baselines[best] - own if lower else own - baselines[best]) * scale
    size = f"{abs(gain):.{digits}f}"
    if float(size) == 0:
        return f"{name} does not beat the best baseline: {best} is level with it."
    if gain > 0:
        return f"{name} beats the best baseline ({best}) by {size} {unit}."
    return f"{name} does not beat the best baseline: {best} is ahead by {size} {unit}."
