#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl lab, on the real refcount_t; see refctl_test.py, whose runner and helpers this uses.

What it provokes makes the kernel warn: lab.sh loads refobj_lab.ko, in a boot of its own, and runs this.
"""

import os
import subprocess
import sys

import refctl_test as base
from refctl_test import Skip, as_nobody, bad, contains, doc, equal, good, table, true

base.tests.clear()

DEVICE = '/dev/refobj-lab'
PANIC = '/proc/sys/kernel/panic_on_warn'
MODULE = os.path.join(os.path.dirname(os.environ.get('REFOBJ_KO', '')), 'refobj_lab.ko')
MAX = 0x7fffffff
SATURATED = 0xc0000000
VALUES = (0, 1, 2, MAX - 1, MAX, SATURATED)
MESSAGES = {'ADD_NOT_ZERO_OVF': 'saturated; leaking memory', 'ADD_OVF': 'saturated; leaking memory',
            'ADD_UAF': 'addition on 0; use-after-free', 'SUB_UAF': 'underflow; use-after-free',
            'DEC_LEAK': 'decrement hit 0; leaking memory', 'DEC_NOT_ONE': 'underflow; use-after-free'}
OPERAND = ('set', 'set_release', 'add', 'add_not_zero', 'add_not_zero_acquire', 'add_not_zero_limited_acquire',
           'sub_and_test')
VOID = ('set', 'set_release', 'add', 'inc', 'dec')
HELD = {'dec_and_mutex_lock': 'mutex', 'dec_and_lock': 'spinlock', 'dec_and_lock_irqsave': 'spinlock,irqs'}
RELEASE = tuple(map(int, os.uname().release.replace('-', '.').replace('+', '.').split('.')[:2]))
LACKING = {'set_release': (6, 12), 'add_not_zero_acquire': (6, 12), 'inc_not_zero_acquire': (6, 12),
           'add_not_zero_limited_acquire': (7, 2), 'inc_not_zero_limited_acquire': (7, 2)}
FUNCTIONS = ('set', 'set_release', 'read', 'add', 'inc', 'add_not_zero', 'inc_not_zero', 'add_not_zero_acquire',
             'inc_not_zero_acquire', 'add_not_zero_limited_acquire', 'inc_not_zero_limited_acquire', 'sub_and_test',
             'dec_and_test', 'dec', 'dec_if_one', 'dec_not_one', 'dec_and_mutex_lock', 'dec_and_lock',
             'dec_and_lock_irqsave')


def kmsg(line):
    with open('/dev/kmsg', 'w', encoding='ascii') as file:
        file.write(line)


def test(function):
    """One that may make the kernel warn."""
    def announced():
        if not os.path.exists(DEVICE):
            raise Skip(f'no {DEVICE}: load refobj_lab.ko')
        kmsg('refobj-expect: refcount_t: ')
        try:
            function()
        finally:
            kmsg('refobj-expect-end')
    announced.__name__ = function.__name__
    return base.test(announced)


def there(function):
    return RELEASE >= LACKING.get(function, (0, 0))


def call(*args):
    rows = doc('lab', *args)['lab']
    equal(1, len(rows), 'rows')
    return rows[0]


# What comes of a function, from what its documentation says: result, value after, warning.

def adds(value, n):
    if not value:
        return None, SATURATED, 'ADD_UAF'
    return (None, SATURATED, 'ADD_OVF') if value + n > MAX else (None, value + n, None)


def adds_not_zero(value, n):
    if not value:
        return False, 0, None
    return (True, SATURATED, 'ADD_NOT_ZERO_OVF') if value + n > MAX else (True, value + n, None)


def adds_limited(value, n):
    if RELEASE < (7, 2):
        return adds_not_zero(value, n)
    return (False, value, None) if not value or value + n > MAX else (True, value + n, None)


def subtracts(value, n):
    if value > MAX or value < n:
        return False, SATURATED, 'SUB_UAF'
    return value == n, value - n, None


def decrements(value, _):
    return (None, SATURATED, 'DEC_LEAK') if value <= 1 or value > MAX else (None, value - 1, None)


def decrements_not_one(value, _):
    if not value:
        return True, 0, 'DEC_NOT_ONE'
    return value != 1, value - 1 if 1 < value != SATURATED else value, None


def decrements_and_locks(value, _):
    if not value:
        return False, 0, 'DEC_NOT_ONE'
    return value == 1, value if value == SATURATED else value - 1, None


MODEL = {
    'set': lambda value, n: (None, n, None), 'set_release': lambda value, n: (None, n, None),
    'read': lambda value, n: (value, value, None),
    'add': adds, 'inc': adds, 'add_not_zero': adds_not_zero, 'inc_not_zero': adds_not_zero,
    'add_not_zero_acquire': adds_limited, 'inc_not_zero_acquire': adds_limited,
    'add_not_zero_limited_acquire': adds_limited, 'inc_not_zero_limited_acquire': adds_limited,
    'sub_and_test': subtracts, 'dec_and_test': subtracts, 'dec': decrements,
    'dec_if_one': lambda value, n: (value == 1, 0 if value == 1 else value, None),
    'dec_not_one': decrements_not_one, 'dec_and_mutex_lock': decrements_and_locks,
    'dec_and_lock': decrements_and_locks, 'dec_and_lock_irqsave': decrements_and_locks,
}


@test
def inc_from_max():
    equal({'function': 'inc', 'n': None, 'before': MAX, 'result': None, 'after': SATURATED, 'held': None,
           'warning': 'ADD_OVF', 'message': MESSAGES['ADD_OVF'], 'calls': 1, 'succeeded': None, 'ns': None},
          call('inc', '--from', 'max'))
    lines = good('lab', 'inc', '--from', 'max').splitlines()
    equal(['FUNCTION', 'N', 'BEFORE', 'RESULT', 'AFTER', 'HELD', 'WARNING', 'MESSAGE'], lines[0].split())
    equal('inc - max - saturated - ADD_OVF saturated; leaking memory', ' '.join(lines[1].split()))
    equal(2, len(lines), 'lines')


@test
def names_of_functions_and_values():
    for name in ('dec_and_test', 'refcount_dec_and_test', '__refcount_dec_and_test'):
        row = call(name)
        equal(('dec_and_test', 1, True, 0), (row['function'], row['before'], row['result'], row['after']))
    for text, value in (('0', 0), ('7', 7), ('0x10', 16), ('max', MAX), ('max-0', MAX), ('max-3', MAX - 3),
                        ('saturated', SATURATED), ('4294967295', 0xffffffff)):
        equal((value, value), (call('read', '-f', text)['result'], call('-f', text, 'read')['after']), text)
    for text, value in (('5', 5), ('max', MAX), ('saturated', SATURATED), ('-1', 0xffffffff), ('-0x10', 0xfffffff0),
                        ('-2147483648', 0x80000000)):
        equal(value, call('--', 'set', text)['after'], text)
    # silently to nothing
    equal((True, 0, None, -3), tuple(call('--from', '3', '--', 'add_not_zero', '-3')[key]
                                     for key in ('result', 'after', 'warning', 'n')))
    if there('add_not_zero_limited_acquire'):
        for limit, result in (('4', False), ('5', True), ('max', True), ('0', False)):
            equal(result, call('add_not_zero_limited_acquire', '2', '--from', '3', '--limit', limit)['result'], limit)


@test
def table_of_this_kernel():
    rows = doc('lab', 'table')['lab']
    functions = [f for f in FUNCTIONS if there(f)]
    equal([(f, value) for f in functions for value in VALUES], [(row['function'], row['before']) for row in rows])
    realtime = 'PREEMPT_RT' in os.uname().version
    for row in rows:
        function, what = row['function'], f'{row["function"]} from {row["before"]}'
        n = 2 if function in OPERAND else None
        result, after, warning = MODEL[function](row['before'], n or 1)
        held = HELD.get(function) if result else None
        equal({'function': function, 'n': n, 'before': row['before'], 'result': result, 'after': after,
               'held': held.replace(',irqs', '') if held and realtime else held, 'warning': warning,
               'message': MESSAGES.get(warning), 'calls': 1,
               'succeeded': None if function in VOID or function == 'read' else int(result), 'ns': None}, row, what)


@test
def table_of_some():
    rows = doc('lab', 'table', 'refcount_dec', 'inc')['lab']
    equal(['inc'] * 6 + ['dec'] * 6, [row['function'] for row in rows])
    text = table(good('lab', 'table', 'inc', '-o', 'BEFORE,AFTER,WARNING'))
    equal([('0', 'saturated', 'ADD_UAF'), ('1', '2', '-'), ('2', '3', '-'), ('max-1', 'max', '-'),
           ('max', 'saturated', 'ADD_OVF'), ('saturated', 'saturated', 'ADD_OVF')],
          [(row['BEFORE'], row['AFTER'], row['WARNING']) for row in text])


@test
def shapes_of_the_table():
    equal('inc - 1 - 2 - - -\n', good('lab', 'inc', '-rn'))
    contains('saturated;\\x20leaking\\x20memory', good('lab', '-r', 'inc', '-f', 'max'))
    equal([{'after': 2}], doc('lab', 'inc', '-o', 'after')['lab'])
    columns = [row['column'] for row in doc('lab', '-H')['columns']]
    equal(list(call('inc')), [name.lower() for name in columns])


@test
def many_calls_at_once():
    row = call('dec_and_test', '--from', '4000', '--threads', '4', '--times', '1000')
    equal((4000, 0, 4000, 1, None), tuple(row[key] for key in ('before', 'after', 'calls', 'succeeded', 'result')))
    true(row['ns'] is None or row['ns'] > 0, 'ns')
    contains('true: 1', good('lab', 'dec_and_test', '-f', '4000', '-t', '4', '-c', '1000'))
    row = call('inc', '--from', 'max-1', '-t', '3')
    equal((SATURATED, 3, None), (row['after'], row['calls'], row['succeeded']))
    equal(6, call('inc', '-c', '5')['after'])


@test
def wrong_usage():
    for args, words in (((), 'a function is missing'), (('foo',), "unknown function 'foo'"),
                        (('table', 'foo'), "unknown function 'foo'"), (('inc', '3'), 'inc takes no operand'),
                        (('add',), 'refctl lab add N'), (('add', '1', '2'), 'too many words'),
                        (('add', 'x'), "bad operand 'x'"), (('add', '4294967296'), 'bad operand'),
                        (('--', 'add', '-2147483649'), 'bad operand'), (('inc', '--from', 'maximum'), 'bad value'),
                        (('inc', '--from', '4294967296'), 'bad value'), (('inc', '--limit', '3'), 'takes no limit'),
                        (('inc_not_zero_limited_acquire',), '--limit N'),
                        (('inc_not_zero_limited_acquire', '--limit', 'x'), "bad limit 'x'"),
                        (('inc', '--threads', '65'), '1 to 64'), (('inc', '--threads', '0'), '1 to 64'),
                        (('inc', '--times', '16777217'), '1 to 16777216'),
                        (('inc', '-t', '2', '-c', '16777216'), 'too much'), (('read', '-c', '2'), 'changes nothing'),
                        (('table', '--times', '2'), 'not for table'), (('inc', '-J', '-r'), '--raw')):
        complaint = bad(2, 'lab', *args)
        contains((words, 'refctl lab --help'), complaint, f'{args}')


@test
def function_that_is_missing():
    lacking = [f for f in FUNCTIONS if not there(f)]
    if not lacking:
        raise Skip('this kernel has all functions')
    for function in lacking:
        args = (function, *(('3',) if function in OPERAND else ()), *(('-l', '3') if 'limited' in function else ()))
        contains((function, 'this kernel does not have it'), bad(1, 'lab', *args))
        contains('this kernel does not have it', bad(1, 'lab', *args, '-c', '2'))
        contains('this kernel does not have it', bad(1, 'lab', 'table', function))


@test
def who_may():
    contains((DEVICE, 'permission denied', 'root'), bad(1, 'lab', 'inc', **as_nobody()))


@test
def kernel_that_panics():
    with open(PANIC, 'w', encoding='ascii') as file:
        file.write('1')
    try:
        contains('kernel.panic_on_warn=0', bad(1, 'lab', 'inc', '--from', 'max'))
        contains('kernel.panic_on_warn=0', bad(1, 'lab', 'table'))
    finally:
        with open(PANIC, 'w', encoding='ascii') as file:
            file.write('0')


@test
def module_in_use_and_gone():
    fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    equal(1, subprocess.run(['rmmod', 'refobj_lab'], check=False, stderr=subprocess.DEVNULL).returncode, 'rmmod')
    equal(2, call('inc')['after'])
    os.close(fd)
    subprocess.run(['rmmod', 'refobj_lab'], check=True)
    try:
        contains((DEVICE, 'modprobe refobj_lab', 'insmod'), bad(1, 'lab', 'inc'))
    finally:
        subprocess.run(['insmod', MODULE], check=True)
    equal(2, call('inc')['after'])


if __name__ == '__main__':
    sys.exit(base.main())
