"Packaging: everything comes from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
config = ConfigParser()
config.read(ROOT / "settings.ini", encoding="utf8")
settings = config["DEFAULT"]


class BuildWithLessons(build_py):
    "A distribution holds the lessons, with what they and JupyterLab need; a checkout reads them where they are."
    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self.lessons():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))

    def lessons(self):
        "Pairs of paths: in the project, and where it is built."
        parts = {"nbs": "*.ipynb", "images": "**/*.*", "jupyter": "**/*.*", "scripts": "clean_notebooks.py"}
        found = [path for folder, pattern in parts.items() for path in sorted((ROOT / folder).glob(pattern))]
        home = Path(self.build_lib, settings["lib_path"], "lessons")
        return [(path, home / path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]

    def get_outputs(self, include_bytecode=1):
        built = [] if self.editable_mode else [str(target) for _, target in self.lessons()]
        return super().get_outputs(include_bytecode) + built


setup(
    cmdclass={"build_py": BuildWithLessons},
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
