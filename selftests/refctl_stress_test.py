#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl stress: what it says of a good module, and of one that does something else than the model.

For that the module need not be bad: the model does not know of a quota that is smaller than usual. See
refctl_test.py, whose runner and helpers this uses.
"""

import os
import sys

import refctl_test as base
from refctl_test import as_nobody, bad, contains, equal, good, on_terminal, parsed, run, table, test, true

base.tests.clear()

QUOTA = '/sys/module/refobj/parameters/max_objects'


class small_quota:
    """Nobody but root may have more than two objects."""

    def __enter__(self):
        with open(QUOTA, 'r+', encoding='ascii') as file:
            self.before = file.read()
            file.write('2')

    def __exit__(self, *_):
        with open(QUOTA, 'w', encoding='ascii') as file:
            file.write(self.before)


def stressed(*args, status=0):
    result = run('stress', '-J', *args)
    equal((status, ''), (result.returncode, result.stderr), f'status and stderr of {args}')
    rows = parsed(result.stdout)['stress']
    equal(1, len(rows), 'rows')
    return rows[0]


@test
def a_good_module():
    row = stressed('--seconds', '2', '--seed', '7')
    equal('ok', row['result'], 'result')
    equal(7, row['seed'], 'seed')
    equal(None, row['what'], 'what')
    equal(None, row['sequence'], 'sequence')
    for key in ('seeds', 'ops', 'objects', 'rate'):
        true(row[key] > 0, f'{key}: {row}')
    true(row['ms'] >= 2000, f'ended early: {row}')


@test
def as_text():
    rows = table(good('stress', '--seconds', '1', '--ops', '50'))
    equal(['RESULT', 'SEED', 'SEEDS', 'OPS', 'KILLS', 'OBJECTS', 'MS', 'RATE'], list(rows[0]), 'columns')
    equal('ok', rows[0]['RESULT'], 'result')


@test
def share_of_kills():
    equal(0, stressed('--seconds', '2', '--seed', '1', '--kills', '0')['kills'], 'kills')
    row = stressed('--seconds', '2', '--seed', '1', '--kills', '40', '--actors', '3')
    true(row['kills'] * 10 >= row['ops'], f'few kills: {row}')


@test
def one_actor_and_one_object():
    row = stressed('--seconds', '2', '--seed', '3', '--actors', '1', '--objects', '1')
    equal('ok', row['result'], 'result')
    true(row['ops'] > 50, f'{row}')


@test
def what_fails_is_reduced_and_can_be_repeated():
    saved = os.path.join(base.scratch, 'saved')
    with small_quota():
        result = run('stress', '--seed', '1', '--seconds', '60', '--save', saved)
        equal(1, result.returncode, 'status')
        text = result.stdout
        contains(['failed', 'EDQUOT', f'for --replay: {saved}', 'reduced to'], text)
        with open(saved, encoding='ascii') as file:
            lines = file.read().splitlines()
        true(1 <= len(lines) <= 12, f'not reduced: {lines}')
        for line in lines:
            contains([f'  {line}\n'], text)
        again = stressed('--replay', saved, status=1)
        equal('failed', again['result'], 'result')
        contains(['EDQUOT'], again['what'])
        equal(lines, again['sequence'], 'sequence')
        equal(None, again['seed'], 'seed')
    row = stressed('--replay', saved)
    equal('ok', row['result'], 'result')
    equal(len(lines), row['ops'], 'operations')


@test
def progress_on_a_terminal():
    status, text = on_terminal('stress', '--seconds', '1', '--ops', '20')
    equal(0, status, 'status')
    contains(['operations, ', ' kills, ', ' s left'], text)


@test
def wrong_usage():
    contains(["bad number of actors '7'", 'from 1 to 6'], bad(2, 'stress', '--actors', '7'))
    contains(["bad number of objects '0'"], bad(2, 'stress', '--objects', '0'))
    contains(["bad share of kills '101'"], bad(2, 'stress', '--kills', '101'))
    contains(["unexpected 'x'"], bad(2, 'stress', 'x'))
    contains(['needs no --seed'], bad(2, 'stress', '--replay', '/dev/null', '--seed', '3'))
    contains(['/none: No such file'], bad(2, 'stress', '--replay', '/none'))
    path = os.path.join(base.scratch, 'operations')
    with open(path, 'w', encoding='ascii') as file:
        file.write('# from a log\nspawn w0 s0 o0 n0 f0 g0\nspawn w9 s0 o0 n0 f0 g0\n')
    contains([f"{path}:3: expected an operation as a failed run prints it, got 'spawn w9"],
             bad(2, 'stress', '--replay', path))
    contains(['expected the operations that a failed run prints, got none'],
             bad(2, 'stress', '--replay', '/dev/null'))


@test
def without_permission_nothing_is_done():
    contains(['nothing was done: not root'], bad(4, 'stress', **as_nobody()))


if __name__ == '__main__':
    sys.exit(base.main())
