"""Nothing takes for granted that there is one device alone."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOME = (
    "asking/test_voices.py",
    "contracts/test_every_task.py::test_saved_and_loaded_it_gives_the_same_answer",
    "model/test_linker.py",
    "tasks/test_generation.py::test_a_project_writes_and_says_how_well",
    "training/test_transfer.py",
)
"""What goes the whole way: training, going on, saving, answering, asking, writing."""

HEADER = Path(sysconfig.get_paths()["include"]) / "Python.h"


@pytest.mark.skipif(
    not (shutil.which("c++") and HEADER.exists()),
    reason="needs a C++ compiler and the headers of Python",
)
def test_on_a_second_device_all_goes_as_on_the_first(tmp_path):
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # where ninja lies
    settings = {"PYTHONPATH": str(HERE), "PATH": os.pathsep.join(paths)}
    tests = [str(HERE / one) for one in SOME]
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "second_device", "-p",
               "no:cacheprovider", "--basetemp", str(tmp_path / "nested"), *tests]  # fmt: skip
    done = subprocess.run(
        command, cwd=HERE.parent, env={**os.environ, **settings}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
