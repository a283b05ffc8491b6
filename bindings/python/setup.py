"""What pyproject.toml cannot say: the version, which is meson's, and the package's parts. make-wheel runs it."""
import pathlib
import re

from setuptools import setup

HERE = pathlib.Path(__file__).resolve().parent
PARTS = {"sealstream": "sealstream", "sealstream.spark": "../spark/sealstream/spark"}
present = {name: path for name, path in PARTS.items() if (HERE / path).is_dir()}

setup(
    version=re.search(r"version: '([0-9.]+)'", (HERE.parents[1] / "meson.build").read_text())[1],
    packages=list(present),
    package_dir=present,
    package_data={"sealstream": ["py.typed"]},
    cffi_modules=["build_native.py:for_wheel"],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
