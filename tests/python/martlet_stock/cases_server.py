"""Starting bytes for what a REPLICATE server is told by whoever reaches its port, a test each."""
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case


@case('attacked', (), suites=('attacked',), beats='D2')
def attacked(w):
    """The database that the messages are addressed to."""
    w.triplet(w.rows(2, 'a'))


def victim(w):
    """A database that no message is addressed to."""
    w.triplet(w.rows(3, w.title))


for title in ('by-dots', 'by-path', 'merged-by-dots', 'merged-by-path'):
    case(title, (), suites=('attacked',), beats='D2')(victim)


@case('empty', (), suites=('told-the-future',), beats='D3')
def empty(w):
    w.triplet()


@case('haunted', (), types=('container',), suites=('haunted',), beats='D3')
def haunted(w):
    """One replica's clock was far ahead when it was deleted."""
    brokers = w.triplet()
    w.stat(brokers[1], delete_timestamp='9999999999.00000')
