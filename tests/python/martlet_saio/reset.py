"""`resetswift`: what upstream's script of this name does, for folders in place of file systems."""
import glob
import json
import os
import shutil
import socket

from swift.common.manager import Manager


def main():
    Manager(['all']).kill()
    with open(os.path.join(os.environ['MARTLET_SAIO'], 'reset.json')) as file:
        settings = json.load(file)
    for device in settings['devices']:
        shutil.rmtree(device, ignore_errors=True)
        # A test may have pulled the drive.
        shutil.rmtree(device + 'X', ignore_errors=True)
        os.makedirs(device)
    for folder in settings['recon']:
        for recon in glob.glob(os.path.join(folder, '*.recon')):
            os.remove(recon)
    forget_all(settings['memcached'])


def forget_all(address):
    with socket.create_connection(address, timeout=10) as memcached:
        memcached.sendall(b'flush_all\r\n')
        answer = memcached.recv(64)
    if answer != b'OK\r\n':
        raise SystemExit('memcached answers %r to flush_all' % answer)
