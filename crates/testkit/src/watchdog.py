"""Runs a Python module as a service that cannot outlive the test process that started it.

usage: python -c <this file> FOLDER MODULE [ARGUMENT...]

The test process holds the other end of our standard input and never writes to it. When that
process ends in whatever way, SIGKILL included, the pipe reaches its end: we remove FOLDER and
end our whole process group, so nothing that the service started survives either.
"""

import os
import runpy
import shutil
import signal
import sys
import threading


def end_with_parent(folder):
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


folder, module, *arguments = sys.argv[1:]
threading.Thread(target=end_with_parent, args=(folder,), daemon=True).start()
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
