"""Pictures of a face network's answers: error trade-off, scores of both kinds of pairs, a map of embeddings."""

import numpy as np

from kerazoo.evaluate.charts import BLUE, GREEN, INK, MUTED, ORANGE, RED, figure_and_axes, picture, shorten, svg


def trade_off(curves, *, highlight=()):
    """ROC with the strangers' share on a logarithmic scale, as an SVG.

    Args:
        curves: {name: (far, tar)}.
        highlight: names drawn in the strong colour.
    """
    figure, axis = figure_and_axes(6.4, 4.2)
    others = iter((ORANGE, GREEN, RED, MUTED, INK))
    for name, (far, tar) in curves.items():
        strong = name in highlight
        color = BLUE if strong else next(others)
        seen = far > 0  # A logarithm has no zero.
        axis.step(far[seen], tar[seen], where="post", color=color, linewidth=2.4 if strong else 1.4, label=name)
    axis.set(xscale="log", ylim=(0, 1.02), xlabel="strangers accepted (FAR)", ylabel="true pairs accepted (TAR)")
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    return svg(figure)


def score_histograms(groups, *, threshold):
    """Scores of pairs of one person and of two, one chart for each form of embedding, as an SVG.

    Args:
        groups: {name: (scores, same)}.
        threshold: {name: score}, drawn as a line where there is one.
    """
    figure, axes = figure_and_axes(4.8 * len(groups), 3.3, columns=len(groups))
    for axis, (name, (scores, same)) in zip(np.atleast_1d(axes), groups.items()):
        edges = np.linspace(min(scores.min(), -0.2), 1, 50)
        for chosen, color, label in ((~same, RED, "two people"), (same, GREEN, "one person")):
            # Shares, because there are many more pairs of two people.
            weights = np.full(chosen.sum(), 1 / chosen.sum())
            axis.hist(scores[chosen], edges, weights=weights, color=color, alpha=0.6, label=label)
        if name in threshold:
            axis.axvline(threshold[name], color=INK, linewidth=1, linestyle=(0, (4, 3)), label="threshold")
        axis.set_title(shorten(name, 40), loc="left", fontweight="bold", fontsize=11)
        axis.set(xlabel="cosine", ylabel="share of the pairs")
        axis.legend(frameon=False, fontsize=9)
    return svg(figure)


def embedding_map(embeddings, labels, people, *, seed=0):
    """Embeddings in the plane by t-SNE (van der Maaten and Hinton, 2008), a colour and a number for each person.

    Args:
        embeddings: (N, D).
        labels: (N,).
        people: names.
        seed: of the map.

    Raises:
        ImportError: without scikit-learn.
    """
    from sklearn.manifold import TSNE

    perplexity = min(10, (len(embeddings) - 1) / 3)
    places = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=seed).fit_transform(embeddings)
    figure, axis = figure_and_axes(7.2, 5.4)
    from matplotlib import colormaps

    colours = colormaps["tab10"].colors
    for label, person in enumerate(people):
        x, y = places[np.asarray(labels) == label].T
        colour = colours[label % len(colours)]
        axis.scatter(x, y, s=36, color=colour, edgecolor="white", linewidth=0.6)
        axis.text(np.median(x), np.median(y), shorten(person, 12), fontsize=9, color=INK, ha="center", va="center")
    axis.set_xticks([])
    axis.set_yticks([])
    return svg(figure)


def pair_picture(first, second):
    """Two faces side by side, as PNG text: uint8, (H, W, 3) each."""
    gap = np.full((first.shape[0], 2, 3), 255, "uint8")
    return picture(np.concatenate([first, gap, second], axis=1), side=160)
