"Packaging: everything comes from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOT = Path(__file__).parent
config = ConfigParser()
config.read(ROOT / "settings.ini", encoding="utf8")
settings = config["DEFAULT"]

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(ROOT / "README.md").read_text(encoding="utf8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    license=settings["license"],
    keywords=settings["keywords"].split(),
    packages=find_namespace_packages(include=[f"{settings['lib_path']}*"], exclude=["*.__pycache__", "*.egg-info"]),
    # Exercises, questions and settings, scripts of pages; the models that come with the package.
    package_data={"": ["*.toml", "*.js"], "fastcourse.pretrained": ["*/*"]},
    python_requires=f">={settings['min_python']}",
    install_requires=settings["requirements"].split(),
    extras_require={extra: settings[f"{extra}_requirements"].split()
                    for extra in ("lab", "scale", "subword", "parquet", "hub", "site", "dev")},
    entry_points={"console_scripts": settings["console_scripts"].split()},
    classifiers=["Programming Language :: Python :: 3", "Intended Audience :: Education"],
    zip_safe=False,
)
