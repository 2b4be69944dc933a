"""Runs pip with one change: a partly downloaded wheel is kept and continued by the next run.

    python -I pip_resume.py PARTS_FOLDER PIP_ARGUMENT...

pip continues a download when the connection drops, but starts over when it was killed itself, which for a wheel of
half a gigabyte on a slow line means never to arrive. Here the file is written to PARTS_FOLDER, and whatever an earlier
run left there is not asked for again (HTTP Range). Index, proxy, certificates, credentials and the check of the
wheel's hash stay pip's own. The change touches pip's internals; with a pip that looks different, pip runs unchanged.
"""

import hashlib
import os
import shutil
import sys


def continue_downloads(parts):
    from pip._internal.exceptions import NetworkConnectionError
    from pip._internal.network import download as pip

    plain_call = pip.Downloader.__call__
    needed = (
        pip.HEADERS,
        pip._FileDownload.is_incomplete,
        pip._get_http_response_filename,
        pip.Downloader._http_get,
        pip.Downloader._process_response,
        pip.Downloader._attempt_resumes_or_redownloads,
    )
    assert all(needed)

    def call(self, link, location):
        if not link.has_hash:  # without a hash nothing would notice that two halves do not belong together
            return plain_call(self, link, location)
        name = hashlib.sha256(f"{link.url_without_fragment}#{link.hash}".encode()).hexdigest()[:32]
        part = os.path.join(parts, name)
        have = os.path.getsize(part) if os.path.exists(part) else 0
        try:
            headers = {**pip.HEADERS, "Range": f"bytes={have}-"} if have else pip.HEADERS
            response = self._http_get(link, headers)
        except NetworkConnectionError as error:
            if not have or error.response is None or error.response.status_code != 416:
                raise
            if is_whole(part, link):  # killed between the last byte and the move
                path = os.path.join(location, link.filename)
                shutil.move(part, path)
                return path, ""
            have = 0
            response = self._http_get(link)
        if response.status_code != 206:
            have = 0
        length = response.headers.get("content-length")
        print(f"File {link.filename} from {have}", flush=True)
        with open(part, "ab" if have else "wb") as file:
            size = have + int(length) if length else None
            download = pip._FileDownload(link, file, size, bytes_received=have)
            self._process_response(download, response)
            if download.is_incomplete():
                self._attempt_resumes_or_redownloads(download, response)
        print(f"Received {os.path.getsize(part) - have} bytes", flush=True)
        path = os.path.join(location, pip._get_http_response_filename(response, link))
        shutil.move(part, path)
        return path, response.headers.get("Content-Type", "")

    pip.Downloader.__call__ = call


def is_whole(part, link):
    if link.hash_name not in hashlib.algorithms_guaranteed:
        return False
    digest = hashlib.new(link.hash_name)
    with open(part, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest() == link.hash


def main():
    parts, *arguments = sys.argv[1:]
    os.makedirs(parts, exist_ok=True)
    try:
        continue_downloads(parts)
    except (ImportError, AttributeError, AssertionError) as error:
        print(f"this pip cannot continue downloads ({error!r})", flush=True)
    sys.argv = ["pip", *arguments]
    from pip._internal.cli.main import main as pip_main

    return pip_main(arguments)


if __name__ == "__main__":
    sys.exit(main())
