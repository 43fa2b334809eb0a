"JupyterLab, as the course starts it, listens on this machine alone and asks for its token."
import re

import pytest
from project import ROOT

WIDE = {"ip", "allow_origin", "allow_origin_pat", "allow_remote_access", "disable_check_xsrf", "token", "password",
        "allow_unauthenticated_access", "allow_credentials", "trust_xheaders", "local_hostnames"}


@pytest.fixture(scope="module")
def config():
    loader = pytest.importorskip("traitlets.config.loader")
    return loader.PyFileConfigLoader("jupyter_server_config.py", path=str(ROOT / "jupyter")).load_config()


def test_no_setting_opens_it(config):
    for name, settings in config.items():
        assert not WIDE & set(settings), f"{name} would be open to others"
    for path in (ROOT / "jupyter").rglob("*"):
        if path.is_file():
            assert not re.search(r"0\.0\.0\.0|allow_origin|disable_check_xsrf", path.read_text(encoding="utf8"))


def test_what_is_not_set_is_closed(config):
    serverapp = pytest.importorskip("jupyter_server.serverapp")
    app = serverapp.ServerApp(config=config)
    assert app.ip in ("localhost", "127.0.0.1", "::1")
    assert not app.allow_remote_access and not app.disable_check_xsrf and app.allow_origin == ""
    from jupyter_server.auth.identity import PasswordIdentityProvider
    assert len(PasswordIdentityProvider(parent=app).token) >= 32


def test_no_command_of_the_project_opens_it():
    "The address with the token, on the machine itself, is looked for by tests/browser/lab.py, which starts it."
    for path in [ROOT / "Makefile", *(ROOT / "fastcourse").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        words = path.read_text(encoding="utf8")
        assert not re.search(r"--ip|ServerApp\.(ip|token|password)|IdentityProvider|--no-browser.*token", words), path
