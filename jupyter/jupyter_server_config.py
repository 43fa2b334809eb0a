"JupyterLab for the course; read where the variable JUPYTER_CONFIG_PATH names this folder. Jupyter provides `c`."
# ruff: noqa: F821
import sys
from pathlib import Path

project = Path(__file__).resolve().parent.parent

# A notebook that a learner saved shows its static figures wherever it is opened. By name, because Jupyter reads this
# file more than once and warns of a second function.
sys.path.insert(0, str(project / "scripts"))
c.ContentsManager.pre_save_hook = "clean_notebooks.strip_before_saving"

# The whole project, so that lessons can show ../images; what opens is the first page of the course.
c.ServerApp.root_dir = str(project)
c.LabApp.default_url = "/lab/tree/nbs/index.ipynb"
# Containers work as root. Nobody else is affected.
c.ServerApp.allow_root = True
# Nothing on the terminal but warnings and the address.
c.Application.log_level = "WARN"

# The course is complete without a network: no catalogue of extensions. (labconfig turns off news and update checks.)
c.LabApp.extension_manager = "readonly"
