"""The options of every application on tables, and what must be right about them before time is spent."""

from pathlib import Path

import kerazoo
from kerazoo.applications import reading, running

DEFAULTS = {"epochs": 100, "batch_size": 32, "patience": 15, "folds": 5}
# What decides the outcome of every training on a table.
SETTINGS = (
    f"{reading.SETTINGS} "
    "dataset data target positive drop time groups model option scaling weighting folds epochs batch_size "
    "learning_rate patience precision seed"
)


def add_options(parser, *, datasets, model="tab_resnet", weighting="none", scaling="standard"):
    """The options of data, model and training; returns their two groups for an application's own."""
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=datasets, help=f"default {datasets[0]}")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet with a column to predict")
    data.add_argument("--target", help="the column to predict, with --data")
    data.add_argument("--positive", help="the class that is looked for, with --data; by default the rarer one")
    data.add_argument("--time", help="with --data, the column that says when a row came: later rows are the test")
    reading.add_options(data, dates=True)
    data.add_argument("--drop", help="columns to leave out, with commas")
    data.set_defaults(groups=None)
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default=model, help="one of `kerazoo list --task tabular`")
    running.add_model_option(training)
    training.add_argument(
        "--scaling", choices=("standard", "quantile"), default=scaling, help="of numbers; quantile for long tails"
    )
    training.add_argument(
        "--weighting",
        choices=("none", "balanced"),
        default=weighting,
        help="balanced: rare classes weigh as much as common ones in training; the answers are put right again",
    )
    training.add_argument("--folds", type=int, help="of the comparison; 0 leaves it out")
    running.add_training(training, precision="float32")
    return data, training


def add_miss(group, *, default):
    """--miss: what a miss costs, in false alarms; it sets the threshold."""
    group.add_argument("--miss", type=float, default=default, help="what a miss costs, in false alarms")


def settle(arguments, task, *, dataset, recipe=None):
    """Fills in what the recipe decides; checks what can be wrong before time is spent.

    Args:
        task: the application's.
        dataset: the one that is read where none is named.
        recipe: the application's own values of `DEFAULTS`, or None.
    """
    facts = kerazoo.info(arguments.model)
    if facts["task"] != "tabular":
        raise ValueError(f"`--model` must be one for tables. Received: {arguments.model!r}, for {facts['task']}.")
    reading.check(arguments)
    if arguments.data and not arguments.target:
        raise ValueError("`--data` needs `--target`, the column to predict. Received: none.")
    given = {name: getattr(arguments, name) for name in ("target", "positive", "time", "groups")}
    for name, value in given.items():
        if value and not arguments.data:
            raise ValueError(f"`--{name}` goes with `--data`; a named table has its own. Received: {value!r}.")
    arguments.dataset = None if arguments.data else arguments.dataset or dataset
    running.fill_in(arguments, DEFAULTS | (recipe or {}) | {"learning_rate": facts["arguments"].get("learning_rate")})
    running.check_positive(arguments, "epochs", "batch_size", "patience")
    if arguments.folds < 0 or arguments.folds == 1:
        raise ValueError(f"`--folds` must be 0 or at least 2. Received: {arguments.folds}.")
    if getattr(arguments, "miss", 1) <= 0:
        raise ValueError(f"`--miss` must be positive. Received: {arguments.miss}.")
    arguments.option = running.options(arguments.option)
    arguments.drop = arguments.drop.split(",") if arguments.drop else []
    arguments.groups = arguments.groups.split(",") if arguments.groups else []
