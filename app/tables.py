"""Every table of the product, found by folder."""

import importlib

from app.settings import ROOT


def import_models() -> None:
    """Import every models.py of the tree, so that Base.metadata is whole."""
    for path in sorted((*ROOT.glob("app/**/models.py"), *ROOT.glob("services/**/models.py"))):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
