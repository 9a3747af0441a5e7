"""What of stock's replicators, and of its servers as replicators meet them, can be seen from outside, read off stock's own code.

    python -m martlet_stock.surface    prints one JSON object: kind → sorted names
"""
import ast
import inspect
import json
import sys

from swift.account import replicator as account_replicator, server as account_server
from swift.common import base_storage_server, daemon, db, db_replicator, statsd_client, storage_policy, utils, wsgi
from swift.common.utils import libc, logs
from swift.container import backend, replicator as container_replicator, server as container_server

from martlet_stock import cases_schema, schemas

REPLICATORS = (db_replicator, account_replicator, container_replicator)
CONF_READERS = REPLICATORS + (daemon, logs, libc, statsd_client)
SERVERS = (account_server, container_server)
SERVER_CONF_READERS = SERVERS + (base_storage_server, wsgi)
LOGGERS = ('logger', 'db_logger')
# What an operator may grep for; debug lines are nobody's contract.
LEVELS = ('info', 'warning', 'error', 'exception', 'notice')
# Modules that replicators share with all of Swift, and of their lines those that a replicator comes to.
SHARED = (db, utils, libc, backend)
SHARED_LINES = ('Invalid pending entry', 'Exception dumping recon cache', 'Unable to modify nice', 'Unable to modify ionice',
                'Unexpected db files', 'Unable to perform fsync() on directory', 'Unable to locate fallocate',
                'Broker error trying to rollback locked connection')
COUNTERS = ('increment', 'timing_since', 'update_stats', 'timing')


def nodes(modules, kind):
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, kind):
                yield node


def text(node):
    """A constant text, also the constant beginning of one that is put together; None for others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp):
        return text(node.left)
    if isinstance(node, ast.IfExp):
        return text(node.body)
    return None


def called_on(call, names, methods):
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in methods:
        return False
    owner = function.value
    return getattr(owner, 'attr', getattr(owner, 'id', None)) in names


def conf_keys(readers):
    for call in nodes(readers, ast.Call):
        if called_on(call, ('conf',), ('get',)) and text(call.args[0]):
            yield text(call.args[0])
    for subscript in nodes(readers, ast.Subscript):
        owner = getattr(subscript.value, 'attr', getattr(subscript.value, 'id', None))
        # The others are paste's.
        if owner == 'conf' and not (text(subscript.slice) or '__').startswith('__'):
            yield text(subscript.slice)


def swift_conf_keys():
    """What is read of swift.conf by whoever has to find databases and to know policies."""
    for call in nodes((utils,), ast.Call):
        if called_on(call, ('hash_conf',), ('get',)) and text(call.args[0]) == 'swift-hash':
            yield text(call.args[1])
    for policy in (storage_policy.StoragePolicy, storage_policy.ECStoragePolicy):
        yield from policy._config_options_map()


def log_lines():
    for call in nodes(REPLICATORS + (daemon,), ast.Call):
        if called_on(call, LOGGERS, LEVELS):
            yield from filter(None, map(text, call.args[:2]))
    for call in nodes(SHARED, ast.Call):
        if called_on(call, ('logging', 'logger', 'self'), LEVELS) and (text(call.args[0]) or '').startswith(SHARED_LINES):
            yield text(call.args[0])
    for told in nodes((db,), ast.Assign):
        # What is logged, and raised as well.
        if getattr(told.targets[0], 'id', None) == 'detail' and text(told.value):
            yield text(told.value)
    for call in nodes(SERVERS, ast.Call):
        # Of REPLICATE as of any other request; the other lines are of those.
        if called_on(call, ('logger',), LEVELS) and (text(call.args[0]) or '').startswith('ERROR __call__'):
            yield text(call.args[0]).strip()


def statsd_names():
    for call in nodes(REPLICATORS, ast.Call):
        if called_on(call, ('logger',), COUNTERS) and text(call.args[0]):
            yield text(call.args[0])
    for choice in nodes(REPLICATORS, ast.IfExp):
        if str(text(choice.orelse)).startswith('reconciler_db_'):
            yield text(choice.orelse)


def server_statsd_names():
    """What timing_stats() sends of REPLICATE, with the rate if the server names one."""
    ends = []
    for function in nodes((base_storage_server,), ast.FunctionDef):
        if function.name == 'timing_stats':
            ends = [text(call.args[0].right) for call in ast.walk(function)
                    if isinstance(call, ast.Call) and called_on(call, ('logger',), COUNTERS)]
    for server in SERVERS:
        name = server.__name__.split('.')[1] + '-server'
        for function in nodes((server,), ast.FunctionDef):
            for call in function.decorator_list if function.name == 'REPLICATE' else ():
                if isinstance(call, ast.Call) and call.func.id == 'timing_stats':
                    rate = ''.join('|@%s' % keyword.value.value for keyword in call.keywords)
                    yield from ('%s.REPLICATE%s%s' % (name, end, rate) for end in ends)


def recon_keys():
    for call in nodes(REPLICATORS, ast.Call):
        if getattr(call.func, 'id', None) == 'dump_recon_cache':
            yield from map(text, call.args[0].keys)
    for function in nodes(REPLICATORS, ast.FunctionDef):
        if function.name == '_zero_stats':
            for found in ast.walk(function):
                if isinstance(found, ast.Dict):
                    yield from ('replication_stats.' + text(key) for key in found.keys)


def rpc_ops():
    """dispatch() handles two by name and looks the others up: methods of a broker and arguments."""
    yield from ('complete_rsync', 'rsync_then_merge')
    for owner in (db_replicator.ReplicatorRpc, container_replicator.ContainerReplicatorRpc):
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            if not name.startswith('_') and list(inspect.signature(method).parameters)[1:] == ['broker', 'args']:
                yield name


def schema_generations():
    """Those that the interop tests build."""
    for server_type, generations in (('account', schemas.ACCOUNT_GENERATIONS),
                                     ('container', schemas.CONTAINER_GENERATIONS)):
        for generation in generations:
            yield '%s %s' % (server_type, generation)
    for generation in cases_schema.SHARD_COLUMNS:
        yield 'container ' + generation


def options():
    for call in nodes(REPLICATORS + (sys.modules['swift.common.utils'],), ast.Call):
        if called_on(call, ('parser',), ('add_option',)):
            names = ', '.join(filter(None, map(text, call.args)))
            # Options of other programs that share parse_options are added by these.
            if names:
                yield names


def main():
    kinds = {'conf': conf_keys(CONF_READERS), 'server': conf_keys(SERVER_CONF_READERS),
             'swift_conf': swift_conf_keys(), 'log': log_lines(), 'statsd': statsd_names(),
             'server_statsd': server_statsd_names(), 'recon': recon_keys(),
             'rpc': rpc_ops(), 'option': options(), 'schema': schema_generations()}
    json.dump({kind: sorted(set(names)) for kind, names in kinds.items()}, sys.stdout, indent=1)


if __name__ == '__main__':
    main()
