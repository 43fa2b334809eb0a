"JupyterLab for the course: `jupyter lab --config=jupyter/jupyter_server_config.py`."
import sys
from pathlib import Path

project = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(project / "scripts"))

from clean_notebooks import strip_live_outputs  # noqa: E402  (the line above makes it importable)


def strip_before_saving(model, **_):
    "A saved notebook shows its static figures wherever it is opened; the rest of its output stays."
    if model["type"] == "notebook" and model["content"]:
        strip_live_outputs(model["content"])


c.ContentsManager.pre_save_hook = strip_before_saving  # noqa: F821  (Jupyter provides c)
