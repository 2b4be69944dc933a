"""Prints, as one JSON line, what the set-up must know about this interpreter.

Imports no installed package (torch alone would cost seconds): finding a package is enough, its version is in a file.
"""

import importlib.util
import json
import sys

sys.path.pop(0)  # the folder of this script, which Python puts first
sys.path[:] = [entry for entry in sys.path if entry]

torch = importlib.util.find_spec("torch")
print(
    json.dumps(
        {
            "executable": sys.executable,
            "version": list(sys.version_info[:3]),
            "torch": torch.origin if torch else None,
            "ensurepip": importlib.util.find_spec("ensurepip") is not None,
            "pip": importlib.util.find_spec("pip") is not None,
        }
    )
)
