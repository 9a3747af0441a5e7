"""Stock's replicator as a program, on a swift.conf that is not in /etc/swift.

    python stock_replicator.py SWIFT_DIR account|container CONF [once]

Its own entry points do the same, but read swift.conf where it always is.
"""
import importlib
import sys

from swift.common import utils

if __name__ == '__main__':
    utils.set_swift_dir(sys.argv.pop(1))
    importlib.import_module('swift.%s.replicator' % sys.argv.pop(1)).main()
