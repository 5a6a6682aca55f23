"""The versions of TensorFlow, Keras and NumPy that kerazoo supports. setup.cfg alone states them."""

import configparser
import functools
import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version


@functools.cache
def supported():
    """{distribution: `packaging.specifiers.SpecifierSet`} of the core, from setup.cfg or the installed metadata."""
    source = Path(__file__).parent.parent / "setup.cfg"
    if source.is_file():
        config = configparser.ConfigParser()
        config.read(source, encoding="utf-8")
        lines = config["options"]["install_requires"].split("\n")
    else:
        lines = [line for line in importlib.metadata.requires("kerazoo") if "extra ==" not in line]
    requirements = [Requirement(line) for line in lines if line.strip()]
    return {requirement.name: requirement.specifier for requirement in requirements}


def is_supported(distribution, version) -> bool:
    """Whether a version, also one like "3.15.2rc0", is in the range; False for what is no version at all.

    Example:

    >>> is_supported("keras", "3.15.1rc0"), is_supported("keras", "3.15.99")
    (False, True)
    """
    try:
        return supported()[distribution].contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def require_supported(distribution, why):
    """Raises unless the installed version is in the range.

    Raises:
        RuntimeError: it is not; the message begins with `why`.
    """
    version = importlib.metadata.version(distribution)
    if not is_supported(distribution, version):
        raise RuntimeError(
            f"{why[0].upper()}{why[1:]}, and does so only in the supported versions, "
            f"{distribution}{_text(distribution)}. Received: {distribution} {version}."
        )


def problem(distribution, version) -> str | None:
    """What is wrong with an installed version, or None."""
    if is_supported(distribution, version):
        return None
    reason = {"keras": "; before its floor, loading a .keras file can run code (CVE-2026-1462, -12480, -12479)"}
    return f"{distribution} {version} is not supported, {_text(distribution)} is{reason.get(distribution, '')}"


def _text(distribution):
    return ",".join(sorted(map(str, supported()[distribution]), reverse=True))
