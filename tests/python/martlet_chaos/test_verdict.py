"""That the verdict finds fault with what is not as it was acknowledged, and with nothing else."""
import copy
import json
import unittest

from chaos_verdict import judge_account, judge_container
from martlet_chaos.client import model_of
from martlet_chaos.disks import unequal


def operation(op, status, key_of_object=None, key=None, value=None):
    return json.dumps({'account': 'a', 'container': 'c', 'object': key_of_object, 'op': op, 'key': key,
                       'value': value, 'status': status})


def content(rows=(), put='2', delete='0', metadata=None):
    listed = [{'name': name, 'size': value[0], 'etag': value[1], 'content_type': value[2], 'deleted': 0}
              for name, value in rows]
    return {'rows': listed, 'stat': {
        'put_timestamp': put, 'delete_timestamp': delete, 'object_count': len(listed),
        'bytes_used': sum(row['size'] for row in listed), 'metadata': metadata or {}}}


def faults(lines, found):
    return list(judge_container('c', model_of(lines)[0]['a', 'c'], found))


MADE = operation('put_container', 201)
OLD, NEW = [1, 'e1', 't1'], [2, 'e2', 't2']


class TestObjects(unittest.TestCase):
    def test_an_acknowledged_put_has_to_be_listed(self):
        lines = [MADE, operation('put_object', 201, 'o', value=OLD)]
        self.assertEqual(faults(lines, content([('o', OLD)])), [])
        self.assertEqual(len(faults(lines, content())), 1)
        self.assertEqual(len(faults(lines, content([('o', NEW)]))), 1)

    def test_an_unknown_put_may_have_happened(self):
        lines = [MADE, operation('put_object', 201, 'o', value=OLD), operation('put_object', 503, 'o', value=NEW)]
        self.assertEqual(faults(lines, content([('o', OLD)])), [])
        self.assertEqual(faults(lines, content([('o', NEW)])), [])
        self.assertEqual(len(faults(lines, content())), 1)

    def test_an_acknowledged_delete_settles_what_was_unknown(self):
        lines = [MADE, operation('put_object', 0, 'o', value=OLD), operation('delete_object', 204, 'o')]
        self.assertEqual(faults(lines, content()), [])
        self.assertEqual(len(faults(lines, content([('o', OLD)]))), 1)

    def test_a_post_changes_the_type_of_what_is_there(self):
        lines = [MADE, operation('put_object', 201, 'o', value=OLD), operation('post_object', 202, 'o', value='t9')]
        self.assertEqual(faults(lines, content([('o', [1, 'e1', 't9'])])), [])
        self.assertEqual(len(faults(lines, content([('o', OLD)]))), 1)

    def test_what_nobody_put_is_found(self):
        self.assertEqual(len(faults([MADE], content([('o', OLD)]))), 1)


class TestContainers(unittest.TestCase):
    def test_a_container_that_was_made_is_there(self):
        self.assertEqual(faults([MADE], content()), [])
        self.assertEqual(len(faults([MADE], content(delete='3'))), 1)
        self.assertEqual(len(faults([MADE], None)), 1)

    def test_a_deleted_one_is_not(self):
        lines = [MADE, operation('delete_container', 204)]
        self.assertEqual(faults(lines, content(delete='3')), [])
        self.assertEqual(len(faults(lines, content())), 1)

    def test_the_last_acknowledged_metadata_wins(self):
        lines = [MADE, operation('post_container', 204, key='K', value='1'),
                 operation('post_container', 204, key='K', value='2')]
        self.assertEqual(faults(lines, content(metadata={'X-Container-Meta-K': ['2', 'when']})), [])
        self.assertEqual(len(faults(lines, content(metadata={'X-Container-Meta-K': ['1', 'when']}))), 1)
        self.assertEqual(len(faults(lines, content())), 1)


class TestAccounts(unittest.TestCase):
    def judge(self, rows, containers):
        stat = {'metadata': {}}
        listed = [{'name': name, 'object_count': count, 'bytes_used': used, 'deleted': 0}
                  for name, count, used in rows]
        return list(judge_account('a', {}, {'rows': listed, 'stat': stat}, containers))

    def test_it_lists_what_there_is_with_its_counts(self):
        containers = {'c': content([('o', OLD)]), 'gone': content(delete='3'), 'never': None}
        self.assertEqual(self.judge([('c', 1, 1)], containers), [])
        self.assertEqual(len(self.judge([('c', 1, 2)], containers)), 1)
        self.assertEqual(len(self.judge([], containers)), 1)
        self.assertEqual(len(self.judge([('c', 1, 1), ('gone', 0, 0)], containers)), 1)


class TestReplicas(unittest.TestCase):
    def test_replicas_that_differ_are_named_with_what_differs(self):
        one, other = content([('o', OLD)]), content([('o', OLD)], put='3')
        self.assertEqual(list(unequal('c', {'d1': one, 'd2': copy.deepcopy(one)})), [])
        fault, = unequal('c', {'d1': one, 'd2': other})
        self.assertIn("d1 has {'put_timestamp': '2'}, d2 has {'put_timestamp': '3'}", fault)


if __name__ == '__main__':
    unittest.main()
