"""Named data sets of texts with a class: from KERAZOO_DATA_DIR or the network, in that order."""

import numpy as np

from kerazoo.data.labelled_texts import LabelledTexts, TextData
from kerazoo.data.named_files import named_text
from kerazoo.registry import unknown_choice

# By the split's own name: (bytes, sha256).
SST2 = {
    "train": (720_259, "ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920"),
    "dev": (92_057, "eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359"),
    "test": (188_749, "831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7"),
}
SST2_ADDRESS = "https://raw.githubusercontent.com/clairett/pytorch-sentiment-classification/master/data/SST2/"
TWEETS_ADDRESS = "https://raw.githubusercontent.com/cardiffnlp/tweeteval/main/datasets/"
# Classes in the order of the labels; macro-F1 of RoBERTa-base in the benchmark's paper, whose 0.597 for irony is the F1
# of the class "ironic" alone and stands beside no macro-F1.
TWEETS = {
    "emotion": {
        "classes": ("anger", "joy", "optimism", "sadness"),
        "published": [{"score": 0.761}],
        "train_text": (306_630, "2c62f67aeb3eac1aea0e5a9c3d0f4bc337992581f3f858061786a1fb4d79d95e"),
        "train_labels": (6_514, "987e767d8679e18abdf7de37a6d2bcd0a40a296ddd704e8d515cf0e3033c8d9c"),
        "val_text": (34_556, "e2e30c86b8cbb97944d6543aedc06eace3bb275cb2f381aba787b838b4f23ca5"),
        "val_labels": (748, "313730630160b7e0a6b4235b800c76683f4aeeb72d094eb69646630cd5cfe338"),
        "test_text": (132_523, "7e1070f5d3e3fcece5bc73680bff9981e90d8f7b2f1009bfe7a01d059d1c6091"),
        "test_labels": (2_842, "245072348c711961785be6d395997f97cf7fcda3effeae7805664171dc75f913"),
    },
    "irony": {
        "classes": ("not ironic", "ironic"),
        "published": [],
        "train_text": (231_594, "a888125a44f7dfaa25b026318748d0e62cc9a300d20f66eafd62011a19eaea23"),
        "train_labels": (5_724, "fc69e6106c0f1f433a91536e08f83c71a391d7b219f7684d42f243a8089af77d"),
        "val_text": (76_760, "8806cf3793e300a485cfae34892fc3a0a2f9a183deb06c750c6531515c83051e"),
        "val_labels": (1_910, "ccf429f63b4e8d0e7f425ca09445f7c31f7cea8a1b7c283b015b117c4002fd07"),
        "test_text": (68_057, "53103da934a7308eee82f05f2a9781a8ea3e88604fdc1e02d3101108505c64be"),
        "test_labels": (1_568, "08e2095e1725e74907a380614c220204e356bb46e3e8c93deb74e83e5b15ab38"),
    },
    "offensive": {
        "classes": ("not offensive", "offensive"),
        "published": [{"score": 0.795}],
        "train_text": (1_529_074, "78a7a32e38b10af7d8970b008bf17f661c8d0a90dad145fa0fa6a944669650db"),
        "train_labels": (23_832, "c0b7d6ebdaa4ebcf6fc557ef1e775d92eda160218a0e3b1dd48eb8234dc892a6"),
        "val_text": (179_188, "816f36d180c35f15a5104838cb73856a0bef42043482fe738f3481b06242a55c"),
        "val_labels": (2_648, "ed2deb776bd1c52fb8221fadd3360e32d9dfe46842d78053528126e46363a258"),
        "test_text": (126_921, "25b08c3333c26190f1023961c4508ec9aab24d4722b1a3ea7a6040724c120547"),
        "test_labels": (1_720, "41d05a7aa0b01f5dafab21b95adb4f979cb4226c046ff315702774d10dac1605"),
    },
}
NAMES = ("sst2", *(f"tweet_{task}" for task in TWEETS))


def load_texts(name):
    """Loads a named set with its own three parts.

    Args:
        name: one of `NAMES`.

    Returns:
        A `TextData`.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.

    Example:

    >>> len(load_texts("sst2").train)  # doctest: +SKIP
    6920
    """
    if name not in NAMES:
        raise ValueError(unknown_choice("set of texts", name, NAMES))
    return sst2() if name == "sst2" else tweets(name.removeprefix("tweet_"))


def sst2():
    """Sentences of film reviews, praise or not (Socher et al., 2013): whole sentences, the neutral ones left out."""
    parts = {}
    for part, (size, sha256) in SST2.items():
        file = f"{part}.tsv"
        text = named_text(
            "sst2.zip", file, folder="sst2", file=file, address=SST2_ADDRESS + file, sha256=sha256, size=size
        )
        rows = [line.rsplit("\t", 1) for line in text.splitlines()]
        parts[part] = LabelledTexts(
            tuple(words for words, _ in rows), np.array([int(label) for _, label in rows], "int32")
        )
    return TextData(
        "sst2",
        ("negative", "positive"),
        parts["train"],
        parts["dev"],
        parts["test"],
        split="the treebank's own three parts, whole sentences",
        source="Stanford Sentiment Treebank, https://nlp.stanford.edu/sentiment, two classes",
        terms="for research; the authors ask to cite Socher et al. (2013) and state no licence",
        published=[
            {"of": "CNN, vectors learned from scratch, phrases too (Kim, 2014)", "score": 0.827},
            {"of": "CNN, word2vec, phrases too (Kim, 2014)", "score": 0.872},
            {"of": "BiLSTM, GloVe, phrases too (Tai et al., 2015)", "score": 0.875},
        ],
    )


def tweets(task):
    """Tweets of TweetEval (Barbieri et al., 2020): emotion, irony or offensive language, users' names taken out."""
    facts = TWEETS[task]

    def read(part, kind):
        size, sha256 = facts[f"{part}_{kind}"]
        there = f"{task}/{part}_{kind}.txt"
        text = named_text(
            "tweeteval.zip",
            there,
            folder=f"tweeteval/{task}",
            file=f"{part}_{kind}.txt",
            address=TWEETS_ADDRESS + there,
            sha256=sha256,
            size=size,
        )
        return text.rstrip("\n").split("\n")

    parts = []
    for part in ("train", "val", "test"):
        labels = np.array([int(label) for label in read(part, "labels")], "int32")
        parts.append(LabelledTexts(tuple(read(part, "text")), labels))
    return TextData(
        f"tweet_{task}",
        facts["classes"],
        *parts,
        split="the benchmark's own three parts",
        source=f"TweetEval, {task}, https://github.com/cardiffnlp/tweeteval",
        terms="for research; the tweets are their authors', shared under the platform's terms",
        metric="macro_f1",
        published=[{"of": "RoBERTa-base (Barbieri et al., 2020)", **score} for score in facts["published"]],
    )
