"""Unpacks what a C++ program needs of a wheel, and tells what the wheel needs. Wheels are zip files.

    python -I unpack_wheel.py requires WHEEL             -> JSON {"name", "version", "requires": [...]}
    python -I unpack_wheel.py unpack cpu|cuda WHEEL DIR  -> JSON {"files", "bytes"}

Only libraries, headers, licences and the version are taken: nothing of it is run by Python. `cpu` leaves the CUDA
libraries out as well (half of the default Linux wheel).
"""

import json
import os
import re
import stat
import sys
import zipfile
from email.parser import Parser

CUDA_ONLY = re.compile(r"torch/lib/lib(torch_cuda|c10_cuda|torch_nvshmem|caffe2_nvrtc)[^/]*$")
PYTHON_ONLY = re.compile(r"torch/lib/(libtorch_python|libshm)")
NATIVE = re.compile(r"(^|/)(lib|include|[^/]+\.libs)/|\.so(\.\d+)*$")


def wanted(name, kind):
    if name.endswith("/") or name.startswith(("/", "..")) or "/../" in name:
        return False
    if name == "torch/version.py" or re.search(r"\.dist-info/(METADATA|RECORD|.*LICENSE|.*NOTICE)", name):
        return True
    if PYTHON_ONLY.match(name) or (kind == "cpu" and CUDA_ONLY.match(name)):
        return False
    return bool(NATIVE.search(name)) and not name.endswith((".py", ".pyi", ".pyc", ".a"))


def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        return Parser().parsestr(archive.read(name).decode())


def unpack(kind, wheel, folder):
    files = total = 0
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if not wanted(entry.filename, kind):
                continue
            path = archive.extract(entry, folder)  # checks the CRC of every file
            mode = entry.external_attr >> 16
            if mode & stat.S_IXUSR:
                os.chmod(path, 0o755)
            files += 1
            total += entry.file_size
    return {"files": files, "bytes": total}


def main():
    action, *rest = sys.argv[1:]
    if action == "requires":
        found = metadata(*rest)
        answer = {
            "name": found["Name"],
            "version": found["Version"],
            "requires": found.get_all("Requires-Dist") or [],
        }
    else:
        answer = unpack(*rest)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
