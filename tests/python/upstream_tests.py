"""Puts upstream's own tests of the stock Swift that is installed here into a folder.

    python upstream_tests.py VERSION SHA256 FOLDER

They are in the source archive on the package index, not in what pip installs. Only `test` is taken
out of it: the package under test is the installed one.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile


def download(version, folder):
    """The archive; nothing is built of it."""
    subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input',
         '--no-deps', '--no-binary', ':all:', '--dest', folder, 'swift==' + version],
        check=True, stdin=subprocess.DEVNULL)
    return os.path.join(folder, 'swift-%s.tar.gz' % version)


def check(archive, expected):
    with open(archive, 'rb') as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != expected:
        sys.exit('%s has the SHA-256 %s, not %s' % (os.path.basename(archive), found, expected))


def unpack(archive, version, folder):
    top = 'swift-%s/' % version
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name.startswith(top + 'test/') and (member.isfile() or member.isdir()):
                member.name = member.name[len(top):]
                tar.extract(member, folder)


def main():
    version, expected, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        archive = download(version, scratch)
        check(archive, expected)
        fresh = tempfile.mkdtemp(dir=os.path.dirname(folder))
        unpack(archive, version, fresh)
    shutil.rmtree(folder, ignore_errors=True)
    os.chmod(fresh, 0o755)
    os.rename(fresh, folder)


if __name__ == '__main__':
    main()
