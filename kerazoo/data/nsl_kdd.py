"""NSL-KDD, records of network connections (Tavallaee et al., 2009): its files, its attacks and their classes."""

import io
from dataclasses import replace

import numpy as np

from kerazoo.data.named_files import named_text
from kerazoo.data.tables import table_of
from kerazoo.extras import need

ADDRESS = "https://raw.githubusercontent.com/defcom17/NSL_KDD/master/"
# Part -> file, its address there, bytes, sha256.
FILES = {
    "train": (
        "KDDTrain+_20Percent.txt",
        "KDDTrain%2B_20Percent.txt",
        3_822_033,
        "7ea86479faab5ca2190b7f18b4982fb058ce5bf2b46e0e1017d0d9ef90f9c16e",
    ),
    "KDDTest+": (
        "KDDTest+.txt",
        "KDDTest%2B.txt",
        3_441_513,
        "fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84",
    ),
    "KDDTest-21": (
        "KDDTest-21.txt",
        "KDDTest-21.txt",
        1_814_092,
        "746993ac9e25868827cacf09eab450050a2a1056e1ce48a1ad39f5dc801d531d",
    ),
}
COLUMNS = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins "
    "logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files "
    "num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate "
    "srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count "
    "dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate "
    "dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate attack difficulty"
)
# The classes of KDD Cup 99. Authors differ over two of the test's attacks: httptunnel (here r2l) and worm (here dos).
ATTACKS = {
    "normal": "normal",
    "dos": "apache2 back land mailbomb neptune pod processtable smurf teardrop udpstorm worm",
    "probe": "ipsweep mscan nmap portsweep saint satan",
    "r2l": "ftp_write guess_passwd httptunnel imap multihop named phf sendmail snmpgetattack snmpguess spy warezclient "
    "warezmaster xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl ps rootkit sqlattack xterm",
}
CLASS_OF = {attack: name for name, attacks in ATTACKS.items() for attack in attacks.split()}


def nsl_kdd(*, binary=False):
    """NSL-KDD: 25,192 connections to train on, two tests with attacks that the training part does not have.

    Args:
        binary: two classes, normal and attack, in place of five.

    Returns:
        `(training table, {"KDDTest+": table, "KDDTest-21": table})`; their group "attack" has the attacks' names.

    Raises:
        ValueError: a damaged file, or an attack whose class is not known.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.
        ImportError: without pandas.
    """
    need("pandas")
    import pandas

    parts = {}
    for part, (file, there, size, sha256) in FILES.items():
        text = named_text(
            "nsl_kdd.zip", file, folder="nsl_kdd", file=file, address=ADDRESS + there, sha256=sha256, size=size
        )
        parts[part] = pandas.read_csv(io.StringIO(text), names=COLUMNS.split(), dtype=str, keep_default_na=False)
    cells = pandas.concat(parts.values(), ignore_index=True)  # Together, for one reading of each column's kind.
    unknown = sorted(set(cells["attack"]) - set(CLASS_OF))
    if unknown:
        raise ValueError(f"NSL-KDD's attacks must be among {sorted(CLASS_OF)}. Received: {unknown}.")
    cells["class"] = cells["attack"].map(CLASS_OF)
    if binary:
        cells["class"] = np.where(cells["class"] == "normal", "normal", "attack")
    # The difficulty is how many of 21 classifiers got a record right: no connection carries it.
    table = table_of(
        cells,
        where="NSL-KDD",
        target="class",
        positive="attack" if binary else None,
        drop=("attack", "difficulty"),
        groups=("attack",),
        most_categories=100,
    )
    table = replace(
        table,
        name="nsl_kdd_binary" if binary else "nsl_kdd",
        source="NSL-KDD: KDDTrain+_20Percent, KDDTest+ and KDDTest-21 of the University of New Brunswick",
        terms="research",
    )
    ends = np.cumsum([len(part) for part in parts.values()])
    pieces = [table.take(np.arange(end - len(part), end)) for end, part in zip(ends, parts.values())]
    return pieces[0], dict(zip(list(parts)[1:], pieces[1:]))
