"""Where the shipped data lies, in a checkout and in an installed environment."""

from __future__ import annotations

import sysconfig
from pathlib import Path


def dataset_path(name: str) -> Path:
    """The path of a shipped dataset file such as `taxonomy.yaml`.

    Looks beside the packages first (a checkout or an editable install), then under the
    environment's data folder (a wheel). Raises FileNotFoundError naming both places.
    """
    places = (
        Path(__file__).resolve().parent.parent / "datasets" / name,
        Path(sysconfig.get_path("data")) / "share" / "zhixu" / "datasets" / name,
    )
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(f"dataset {name!r} is in neither {places[0]} nor {places[1]}; reinstall zhixu")
