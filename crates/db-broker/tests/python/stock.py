"""What every part of the oracle needs of stock Swift."""
import json
import logging

from swift.account.backend import AccountBroker
from swift.common.utils.timestamp import NormalTimestamp
from swift.container.backend import ContainerBroker

BROKERS = {'account': AccountBroker, 'container': ContainerBroker}
LOGGER = logging.getLogger('oracle')
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False


def open_broker(kind, file, **options):
    return BROKERS[kind](file, logger=LOGGER, **options)


def set_now(now):
    """Stock asks the clock when a status changes; the tests say what time it is."""
    NormalTimestamp.now = classmethod(lambda cls, delta=0: cls(now, delta=delta))


def plain(value):
    return json.loads(json.dumps(value))
