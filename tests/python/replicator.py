"""Stock's replicator as a process of its own: python replicator.py SWIFT_DIR TYPE ARG...

The same as `swift-TYPE-replicator ARG...`, but that swift.conf is read from SWIFT_DIR.
"""
import importlib
import sys

from swift.common import utils

_, swift_dir, server_type, *args = sys.argv
utils.set_swift_dir(swift_dir)
sys.argv = ['swift-%s-replicator' % server_type] + args
importlib.import_module('swift.%s.replicator' % server_type).main()
