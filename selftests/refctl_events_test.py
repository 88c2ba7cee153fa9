#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl's verbs for events, payloads and edges; see refctl_test.py, whose runner and helpers this uses."""

import json
import os
import signal
import subprocess
import sys

import refctl_test as base
from refctl_test import Failure, Hold, bad, contains, create, doc, environment, equal, good, objects, \
    run, the_object, true

base.tests.clear()
test = base.test


class Tool:
    """refctl in the background, of whose output a line at a time is read."""

    def __init__(self, *args, env=None, **more):
        self.tool = subprocess.Popen([base.refctl, *map(str, args)], env=environment(**(env or {})),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True, process_group=0, **more)
        self.pid = self.tool.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.tool.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.tool.wait()
        self.tool.stdout.close()
        self.tool.stderr.close()

    def line(self, *expected):
        line = self.tool.stdout.readline().rstrip('\n')
        if expected and line not in expected:
            raise Failure(f'refctl said {line!r} instead of {expected!r}; stderr: '
                          + (self.tool.stderr.read() if not line else ''))
        return line

    def event(self):
        """The next line of watch -J, without what differs from run to run."""
        document = json.loads(self.line())
        equal(1, document['version'], 'version')
        return document['event']

    def brief(self):
        """The object, the event, the state and the users of the next line of watch -J."""
        event = self.event()
        return tuple(event[key] for key in ('object', 'event', 'state', 'users'))

    def end(self, status=0, stderr=''):
        """What is left of the output, after the end."""
        equal((status, stderr), (self.tool.wait(), self.tool.stderr.read()), 'status and stderr')
        return self.tool.stdout.read()


def write(name, text):
    path = os.path.join(base.scratch, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def given(text, *args, **more):
    """The result of a call with this standard input."""
    return subprocess.run([base.refctl, *args], env=environment(), input=text, text=True, capture_output=True,
                          check=False, **more)


# ---- watch

@test
def watch_json():
    create('a')
    with Tool('watch', '-J', 'a') as watch:
        event = watch.event()
        number = the_object('a')['id']
        true(event.pop('time') > 0 and event.pop('object_seq') >= 0, 'numbers')
        equal({'object': 'a', 'event': 'snapshot', 'state': 'idle', 'users': 0, 'cause': None, 'pid': None,
               'count': None, 'id': number, 'seq': 1}, event)
        with Hold('a', '-n', 3) as hold:
            for name in ('activated', 'ready'):
                event = watch.event()
                equal((name, 'ready', 3, 'acquire', hold.pid),
                      tuple(event[key] for key in ('event', 'state', 'users', 'cause', 'pid')))
            equal(3, event['seq'])
            hold.end()
        event = watch.event()
        equal(('deactivated', 'idle', 0, 'release', hold.pid),
              tuple(event[key] for key in ('event', 'state', 'users', 'cause', 'pid')))
        good('rm', 'a')
        event = watch.event()
        equal(('destroyed', 'dead', 'destroy'), (event['event'], event['state'], event['cause']))
        equal('', watch.end(), 'it ends when all is dead')


@test
def watch_text():
    create('two words')
    with Tool('watch') as watch:
        equal('TIME OBJECT EVENT STATE USERS CAUSE PID'.split(), watch.line().split())
        equal(['two', 'words', 'snapshot', 'idle', '0', '-', '-'], watch.line().split()[1:])
        with Hold('two words') as hold:
            equal(['activated', 'ready', '1', 'acquire', str(hold.pid)], watch.line().split()[3:])
    with Tool('watch', '-r', '-o', 'object,event,cause') as watch:
        equal('OBJECT EVENT CAUSE', watch.line())
        equal('two\\x20words snapshot -', watch.line())
    with Tool('watch', '--noheadings', '-o', 'event', 'two words') as watch:
        equal('snapshot', watch.line())


@test
def watch_a_death():
    create('a')
    with Tool('watch', '-J', 'a') as watch:
        equal(('a', 'snapshot', 'idle', 0), watch.brief())
        with Hold('a') as last, Hold('a', '-n', 4) as first:
            equal(['activated', 'ready'], [watch.event()['event'] for _ in range(2)])
            first.signal(signal.SIGKILL)
            event = watch.event()
            equal(('holder-died', 'signal 9', first.pid, 4, 1),
                  tuple(event[key] for key in ('event', 'cause', 'pid', 'count', 'users')))
            last.signal(signal.SIGKILL)
            equal(['holder-died', 'deactivated'], [watch.event()['event'] for _ in range(2)])


@test
def watch_counts_events():
    create('a')
    with Tool('watch', '-J', '-n', 3, 'a') as watch:
        equal(('a', 'snapshot', 'idle', 0), watch.brief())
        for _ in range(2):
            good('hold', 'a', '--', 'true')
        equal(['activated', 'ready', 'deactivated'], [watch.event()['event'] for _ in range(3)])
        equal('', watch.end())


@test
def watch_counts_of_users():
    create('a')
    with Tool('watch', '-J', '--counts', 'a') as watch:
        equal(('a', 'snapshot', 'idle', 0), watch.brief())
        with Hold('a', '-n', 5):
            equal([('a', 'activated', 'ready', 5), ('a', 'ready', 'ready', 5), ('a', 'count', 'ready', 5)],
                  [watch.brief() for _ in range(3)])
            with Hold('a', '-n', 2):
                equal(('a', 'count', 'ready', 7), watch.brief())


@test
def watch_times_out():
    create('a')
    equal(['snapshot'], good('watch', '--timeout', '0.01', '--noheadings', '-o', 'event', 'a').split())
    result = run('watch', '--timeout', 0, '-n', 1, 'a')
    equal((2, ''), (result.returncode, result.stderr))
    equal(2, len(result.stdout.splitlines()))


@test
def watch_of_nothing():
    equal('', good('watch'))
    contains('refctl ls', bad(1, 'watch', '-n', 1))
    contains('nosuch: no such object', bad(1, 'watch', 'nosuch'))
    create('a')
    result = run('watch', '--timeout', 0, '--noheadings', '-o', 'object', 'nosuch', 'a')
    equal((1, 'a\n'), (result.returncode, result.stdout))
    contains('nosuch: no such object', result.stderr)
    for option in (('-n', 0), ('-n', 'x'), ('--timeout', 'x'), ('--timeout', '-1'), ('--timeout', '1.x'),
                   ('--timeout', '.'), ('--timeout', '')):
        contains('bad ', bad(3, 'watch', *option), f'{option}')


@test
def watch_tells_of_losses_and_goes_on():
    create('a')
    with open(base.PARAMETERS + '/max_events', 'r+', encoding='ascii') as file:
        before = file.read()
        file.seek(0)
        file.write('16')
        file.flush()
        try:
            with Tool('watch', '-J', 'a') as watch:
                equal(('a', 'snapshot', 'idle', 0), watch.brief())
                watch.tool.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, watch.pid, os.WSTOPPED)
                for _ in range(10):
                    good('hold', 'a', '--', 'true')
                watch.tool.send_signal(signal.SIGCONT)
                events = [watch.event() for _ in range(18)]
                equal(['activated', 'ready', 'deactivated'] * 5 + ['activated', 'lost', 'snapshot'],
                      [e['event'] for e in events])
                equal((None, 14), (events[16]['object'], events[16]['count']))
                equal(('a', 'idle'), (events[17]['object'], events[17]['state']))
        finally:
            file.seek(0)
            file.write(before)


@test
def watch_more_than_the_queue_holds():
    create(*(f'n{i}' for i in range(1200)))
    lines = good('watch', '--timeout', 0.1, '--noheadings', '-r', '-o', 'object,event').splitlines()
    equal([f'n{i} snapshot' for i in range(1200)], lines)


@test
def watch_without_permission():
    create('secret')
    contains(('secret', 'permission denied', 'owner'), bad(1, 'watch', 'secret', **base.as_nobody()))


# ---- wait

@test
def wait_that_holds_already():
    create('a')
    for condition in (('--idle',), ('--users', 0), ('--users', 5)):
        equal('', good('wait', 'a', *condition, '--timeout', 0))
    with Hold('a', '-n', 2):
        for condition in (('--active',), ('--ready',), ('--users', 2)):
            equal('', good('wait', 'a', *condition))
        for condition in (('--idle',), ('--dead',), ('--users', 1)):
            contains(('a: the time is over', 'ready', '2 users', 'refctl holders'),
                     bad(2, 'wait', 'a', *condition, '--timeout', '0.01'), f'{condition}')
    number = the_object('a')['id']
    good('rm', 'a')
    for name in ('a', f'id={number}'):
        good('wait', name, '--dead')
        good('wait', name, '--idle')
    contains(('a: no such object', 'refctl ls'), bad(1, 'wait', 'a', '--ready'))
    contains('has died', bad(1, 'wait', f'id={number}', '--ready'))
    contains('no such object', bad(1, 'wait', f'id={number + 1000}', '--dead'))
    contains('bad number of users', bad(3, 'wait', 'a', '--users', 'x'))


class Wait(Tool):
    """refctl wait, when it is about to sleep."""

    def __init__(self, *args):
        before = base.debugfs_stats()['waits']
        super().__init__('wait', *args)
        while base.debugfs_stats()['waits'] == before:
            equal(None, self.tool.poll(), 'it must not end')


@test
def wait_until_it_happens():
    create('a')
    with Hold('a') as hold, Wait('a', '--idle') as wait:
        hold.end()
        equal('', wait.end())
    with Wait('a', '--dead') as wait:
        # a stop and continue changes nothing
        wait.tool.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, wait.pid, os.WSTOPPED)
        wait.tool.send_signal(signal.SIGCONT)
        good('rm', 'a')
        equal('', wait.end())


@test
def wait_does_not_keep_alive():
    with Hold('a') as hold, Wait('a', '--dead') as wait:
        hold.end()
        equal('', wait.end())
    equal([], objects())


# ---- values

@test
def set_and_cat():
    create('a')
    with Hold('a'):
        contains(('neither a value nor a file', 'refctl set'), bad(1, 'cat', 'a'))
        contains(('no value', 'refctl set'), bad(1, 'cat', '--value', 'a'))
        contains(('no file', 'refctl publish'), bad(1, 'cat', '--file', 'a'))
        equal('', good('set', 'a', 'hello'))
        equal('hello', good('cat', 'a'))
        equal((5, 1), tuple(the_object('a')[key] for key in ('value', 'version')))
        equal((0, ''), ((result := given('from input\n', 'set', 'a')).returncode, result.stderr))
        equal('from input\n', good('cat', 'a'))
        equal(0, given('again', 'set', 'a', '-').returncode)
        equal('againagain', good('cat', 'a', 'a'))
        good('set', 'a', '')
        contains('neither', bad(1, 'cat', 'a'))
        equal(1, the_object('a')['users'], 'what was borrowed is given back')
    equal('idle', the_object('a')['state'])


@test
def set_binary_and_long_values():
    create('a')
    with Hold('a'):
        value = bytes(range(256)) * 16
        for data in (value, b'\0'):
            result = subprocess.run([base.refctl, 'set', 'a'], input=data, env=environment(), check=False)
            equal(0, result.returncode)
            equal(data, run('cat', 'a', text=False).stdout)
        result = subprocess.run([base.refctl, 'set', 'a'], input=value + b'x', env=environment(), check=False,
                                capture_output=True)
        equal(1, result.returncode)
        contains(('at most 4096 bytes', 'refctl publish'), result.stderr.decode())
        equal(b'\0', run('cat', 'a', text=False).stdout)


@test
def set_if_version():
    create('a')
    with Hold('a'):
        good('set', 'a', 'one', '--if-version', 0)
        contains(('not 0 any more', 'refctl cat'), bad(1, 'set', 'a', 'two', '--if-version', 0))
        equal('one', good('cat', 'a'))
        good('set', '--if-version', the_object('a')['version'], 'a', 'two')
        equal('two', good('cat', 'a'))
        contains('bad version', bad(2, 'set', 'a', 'x', '--if-version', 'x'))


@test
def values_of_what_nobody_uses():
    create('a')
    contains(('a: nobody uses the object', 'forgotten', 'refctl hold'), bad(1, 'set', 'a', 'x'))
    contains(('a: nobody uses the object',), bad(1, 'cat', 'a'))
    equal((0, 0), tuple(the_object('a')[key] for key in ('activations', 'version')), 'it was left alone')
    with Hold('a'):
        good('set', 'a', 'x')
    with Hold('a'):
        contains('neither', bad(1, 'cat', 'a'), 'it is forgotten')
    contains('no such object', bad(1, 'set', 'nosuch', 'x'))
    contains('no such object', bad(1, 'cat', 'nosuch'))


@test
def values_without_permission():
    with Hold('a', '--mode', '0644'):
        good('set', 'a', 'x')
        equal('x', good('cat', 'a', **base.as_nobody()))
        contains(('permission denied', 'mode 0644'), bad(1, 'set', 'a', 'y', **base.as_nobody()))
        equal('x', good('cat', 'a'))


@test
def cat_goes_on_after_a_missing_one():
    with Hold('a'):
        good('set', 'a', 'x')
        result = run('cat', 'nosuch', 'a')
        equal((1, 'x'), (result.returncode, result.stdout))
        contains('nosuch: no such object', result.stderr)


# ---- files

@test
def publish_and_get():
    path = write('file', 'from a file\n')
    with Hold('a'):
        contains(('a: the object has no file', 'refctl publish'), bad(125, 'get', 'a', '--', 'cat', '{}'))
        equal(False, the_object('a')['file'])
        equal('', good('publish', 'a', path))
        equal(True, the_object('a')['file'])
        equal('from a file\n', good('cat', 'a'))
        good('set', 'a', 'value')
        equal('value', good('cat', 'a'), 'the value comes first')
        equal('from a file\n', good('cat', '--file', 'a'))
        os.unlink(path)
        equal('from a file\n', good('get', 'a', '--', 'cat', '{}'))
        equal('<from a file>\n', good('get', 'a', '--', 'sh', '-c', 'echo "<$(cat {})>"'))
        result = run('get', 'a', '--', 'sh', '-c', 'test "$1" = "x$2"x && exit 7', 'sh', 'x{}x', '{}')
        equal(7, result.returncode, 'every {} is replaced, and the status is passed on')
        good('publish', 'a', write('other', 'other\n'))
        equal('other\n', good('cat', '--file', 'a'))
        equal(1, the_object('a')['users'])


@test
def publish_what_cannot_be():
    path = write('file', 'x')
    create('a')
    contains(('nobody uses', 'refctl hold'), bad(1, 'publish', 'a', path))
    contains('no such object', bad(1, 'publish', 'nosuch', path))
    with Hold('a'):
        contains(('/no/file', 'No such file'), bad(1, 'publish', 'a', '/no/file'))
        contains('not a regular file', bad(1, 'publish', 'a', '/dev/null'))
        contains('not a regular file', bad(1, 'publish', 'a', '/'))
        contains(('a', 'permission denied'), bad(1, 'publish', 'a', path, **base.as_nobody()))


@test
def publish_makes_ready():
    good('create', 'a', '--build')
    equal(['persistent', 'build'], the_object('a')['flags'])
    with Hold('a'), Tool('wait', 'a', '--ready') as wait:
        equal(('building', None), tuple(the_object('a')[key] for key in ('state', 'builder')))
        contains('not ready', bad(125, 'get', 'a', '--timeout', '0.01', 'cat', '{}'))
        good('publish', 'a', write('file', 'x'))
        equal('', wait.end())
        equal('ready', the_object('a')['state'])
        equal('x', good('get', 'a', 'cat', '{}'))


@test
def get_passes_the_exit_status():
    with Hold('a'):
        good('publish', 'a', write('file', 'x'))
        equal(9, run('get', 'a', '--', 'sh', '-c', 'exit 9', '{}').returncode)
        equal(128 + 15, run('get', 'a', '--', 'sh', '-c', 'kill $$', '{}').returncode)
        equal(127, run('get', 'a', '--', '/no/such/{}').returncode)
    contains('no such object', bad(125, 'get', 'a', '--', 'cat', '{}'))
    create('idle')
    contains('nobody uses the object', bad(125, 'get', 'idle', '--', 'cat', '{}'))


@test
def get_holds_while_the_command_runs():
    with Tool('get', 'a', '--build', 'echo text', '--type', 'blob', '--mode', '0640', '--linger', 7, '--',
              'sh', '-c', 'cat {}; kill -STOP $$', '{}') as get:
        get.line('text')
        o = the_object('a')
        equal(('ready', 1, 'blob', '0640', 7, True), tuple(o[key] for key in
                                                          ('state', 'users', 'type', 'mode', 'linger', 'file')))
        h, = doc('holders', 'a')['holders']
        equal(get.pid, h['pid'])
        contains('sh -c cat', h['why'])
        contains('another type', bad(125, 'get', 'a', '-t', 'x', 'cat', '{}'))
        contains('another type', bad(125, 'get', 'a', '-t', 'x', '--build', 'true', 'cat', '{}'))
        equal('text\n', good('get', 'a', '-t', 'blob', 'cat', '{}'))
        os.killpg(get.pid, signal.SIGKILL)


@test
def build_once_for_all():
    # each builder writes a line of its own into a file that all share
    log = write('log', '')
    with Tool('hold', 'a', '--build', f'echo built; echo x >>{log}', '--', 'sh', '-c', 'echo up; exec sleep 1000') \
            as hold:
        hold.line('up')
        for _ in range(3):
            equal('built\n', good('get', 'a', '--build', f'echo again; echo x >>{log}', '--', 'cat', '{}'))
        with open(log, encoding='ascii') as file:
            equal('x\n', file.read())
    good('wait', 'a', '--dead')


@test
def build_is_sealed():
    script = 'import sys\ntry: open(sys.argv[1], "r+b", buffering=0).write(b"x")\nexcept PermissionError: sys.exit(3)'
    equal(3, run('get', 'a', '--build', 'echo x', '--', 'python3', '-c', script, '{}').returncode)


@test
def build_that_fails():
    contains(('a: the command that builds it failed with status 3', 'exit 3'),
             bad(125, 'get', 'a', '--build', 'echo no; exit 3', '--', 'cat', '{}'))
    contains('failed with status 3', bad(125, 'hold', 'a', '--build', 'exit 3', '--', 'true'))
    equal([], objects())


@test
def build_is_taken_over():
    """The builder is killed while it builds; one that waits builds in its place."""
    with Tool('get', 'a', '--build', 'echo first >&2; exec sleep 1000', '--', 'cat', '{}') as first:
        equal('first\n', first.tool.stderr.readline())
        with Tool('get', 'a', '--build', 'echo second', '--', 'cat', '{}') as second:
            good('wait', 'a', '--active')
            while the_object('a')['users'] < 2:
                pass
            equal(first.pid, the_object('a')['builder'])
            contains((f'pid {first.pid} is building',), bad(1, 'publish', 'a', write('file', 'x')))
            os.killpg(first.pid, signal.SIGKILL)
            equal('second\n', second.end())
    good('wait', 'a', '--dead')


# ---- edges

@test
def link_and_unlink():
    create('dog', 'owner')
    equal('owner now needs dog\n', good('link', 'owner', 'dog'))
    equal(1, the_object('owner')['edges'])
    contains(('owner', 'dog already', 'refctl tree'), bad(1, 'link', 'owner', 'dog'))
    contains(('dog', 'itself'), bad(1, 'link', 'dog', 'owner'))
    contains('itself', bad(1, 'link', 'dog', 'dog'))
    contains('nosuch: no such object', bad(1, 'link', 'owner', 'nosuch'))
    contains('nosuch: no such object', bad(1, 'unlink', 'nosuch', 'dog'))
    with Hold('owner'):
        equal(('ready', 1), tuple(the_object('dog')[key] for key in ('state', 'users')))
        h, = doc('holders', 'dog')['holders']
        equal(('object', None, None, the_object('owner')['id'], 'needed by owner', None),
              tuple(h[key] for key in ('kind', 'pid', 'session', 'needed_by', 'why', 'start')))
        contains(('1 user', 'object owner'), bad(1, 'rm', 'dog'))
        equal('owner no longer needs dog\n', good('unlink', 'owner', 'dog'))
        equal('idle', the_object('dog')['state'])
    contains(('owner', 'does not need dog'), bad(1, 'unlink', 'owner', 'dog'))


@test
def link_without_permission():
    create('dog', mode=0o644)
    create('owner', mode=0o644)
    contains('permission denied', bad(1, 'link', 'owner', 'dog', **base.as_nobody()))


def shape(rows):
    """What is under what, of a tree in JSON."""
    return [(row['name'] or row['kind'], shape(row['children'])) for row in rows]


@test
def tree_json():
    create('cart', 'horse', 'hay', 'alone')
    good('link', 'cart', 'horse')
    good('link', 'horse', 'hay')
    good('link', 'cart', 'hay')
    equal([('cart', [('horse', [('hay', [])]), ('hay', [])]), ('alone', [])], shape(doc('tree')['tree']),
          'while it is idle')
    with Hold('cart', '-n', 3, '--why', 'a ride') as hold:
        tree = doc('tree')['tree']
        equal([('cart', [('session', []), ('horse', [('hay', [])]), ('hay', [])]), ('alone', [])], shape(tree))
        holder = tree[0]['children'][0]
        equal((hold.pid, 'refctl', 3, 'a ride'), tuple(holder[key] for key in ('pid', 'comm', 'count', 'why')))
        equal(('object', 'ready', 3), tuple(tree[0][key] for key in ('kind', 'state', 'users')))
        equal([('horse', [('hay', [])])], shape(doc('tree', 'horse')['tree']))
    contains('nosuch: no such object', run('tree', 'nosuch').stderr)


@test
def tree_text():
    create('owner', 'dog')
    good('link', 'owner', 'dog')
    with Hold('owner', '--why', 'walks') as hold:
        lines = good('tree', '-n', env={'LC_ALL': 'C.UTF-8'}).splitlines()
        equal([['owner', 'ready', '1', '-', '-'], ['├─pid', str(hold.pid), '(refctl)', '-', '-', '1', 'walks'],
               ['└─dog', 'ready', '1', '-', '-']], [line.split() for line in lines])
    contains('dog (not held)', good('tree'))
    equal('', good('rm', 'owner', 'dog') and good('tree'))


@test
def tree_of_a_long_chain():
    names = [f'n{i}' for i in range(300)]
    create(*names)
    with base.Session() as session:
        ids = {o['name']: o['id'] for o in objects()}
        for one, other in zip(names, names[1:]):
            session.call(1, 0x12, '=IIQQ', 0, ids[one], ids[other])
        with Hold(names[0]):
            equal(301, len(good('tree', '-n', '-o', 'state').split()))


# ---- new columns

@test
def linger_of_create_and_hold():
    good('create', 'a', '--linger', 12345)
    equal(12345, the_object('a')['linger'])
    good('hold', 'b', '--linger', 86400000, '--', 'true')
    equal(('lingering', 0), tuple(the_object('b')[key] for key in ('state', 'users')))
    good('rm', 'b')
    for verb, status in (('create', 2), ('hold', 125)):
        for bad_time in ('x', '-1', '86400001', ''):
            contains('milliseconds', bad(status, verb, '--linger', bad_time, 'c', 'true'), bad_time)


@test
def watches_are_shown():
    create('a')
    with Tool('watch', '-J', 'a') as one, Tool('watch', '-J', 'a') as two:
        one.event()
        two.event()
        equal(2, the_object('a')['watches'])


# ---- on-demand

class OnDemand(Tool):
    """refctl on-demand whose commands write lines into a pipe that is read here."""

    def __init__(self, name, start, stop=None, *args):
        self.read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        say = f'exec 3>&{write_end} {write_end}>&-; say() {{ echo "$*" >&3; }};'
        options = ['--start', say + start] + (['--stop', say + stop] if stop else [])
        super().__init__('on-demand', name, *options, *args, close_fds=False)
        os.close(write_end)
        self.said = os.fdopen(self.read_end, encoding='ascii')
        self.line(f'watching {name}')

    def __exit__(self, *_):
        if self.tool.returncode is None:
            self.tool.terminate()
            self.tool.wait()
        self.said.close()
        super().__exit__()

    def say(self, expected):
        equal(expected, self.said.readline().rstrip('\n'), 'the commands said')

    def finish(self, stderr=''):
        """SIGTERM: what is left of the output; whoever could still speak has gone."""
        self.tool.terminate()
        output = self.end(stderr=stderr)
        equal('', self.said.read(), 'a last word of the commands')
        return output


@test
def on_demand_starts_and_stops():
    with OnDemand('a', 'say start $REFOBJ_NAME', 'say stop $REFOBJ_NAME') as service:
        equal((['persistent'], 'idle', 1), tuple(the_object('a')[key] for key in ('flags', 'state', 'watches')))
        for _ in range(2):
            with Hold('a') as one:
                service.line('started a')
                service.say('start a')
                with Hold('a') as two:
                    two.end()
                one.end()
            service.line('stopped a')
            service.say('stop a')
        equal('', service.finish())
    equal([], objects())


@test
def on_demand_command_that_goes_on():
    """It gets SIGTERM after the stop command, with all that it has started."""
    start = 'trap "say term; exit 0" TERM; sleep 1000 & say start; wait'
    with OnDemand('a', start, 'say stop') as service:
        with Hold('a'):
            service.line('started a')
            service.say('start')
        service.say('stop')
        service.say('term')
        service.line('stopped a')
        with Hold('a'):
            service.line('started a')
            service.say('start')
            # without an end of the use; the object stays then
            service.tool.terminate()
            service.say('stop')
            service.say('term')
            equal('stopped a\n', service.end(stderr='refctl: on-demand: a: it is in use, so it stays: '
                                             'remove it later: refctl rm\n'))
            equal('', service.said.read())
            equal('ready', the_object('a')['state'])


@test
def on_demand_without_stop():
    with OnDemand('a', 'sleep 1000 & say start') as service:
        with Hold('a'):
            service.line('started a')
            service.say('start')
        service.line('stopped a')
        equal('', service.finish())


@test
def on_demand_survives_its_commands():
    with OnDemand('a', 'say start; kill -SEGV $$', 'say stop; exit 5') as service:
        for _ in range(2):
            with Hold('a'):
                service.line('started a')
                service.say('start')
                contains(('a: killed by signal 11',), service.tool.stderr.readline())
            service.say('stop')
            contains(('a: failed with status 5',), service.tool.stderr.readline())
            service.line('stopped a')
        equal('', service.finish())


@test
def on_demand_of_what_is_in_use():
    create('a')
    with Hold('a'), OnDemand('a', 'say start', 'say stop') as service:
        service.line('started a')
        service.say('start')
        service.tool.terminate()
        service.say('stop')
        equal('stopped a\n', service.end())
    equal('idle', the_object('a')['state'], 'what it did not create it does not remove')


@test
def on_demand_lingers():
    """F8: closed and opened again within the time to linger: started once."""
    with OnDemand('a', 'say start', 'say stop', '--linger', 60000) as service:
        for _ in range(3):
            with Hold('a'):
                pass
            equal('lingering', the_object('a')['state'])
        service.line('started a')
        service.say('start')
        equal(1, the_object('a')['activations'])
        good('rm', 'a')
        service.say('stop')
        service.line('stopped a')
        equal('', service.end(1, 'refctl: on-demand: a: the object was removed\n'))
        equal('', service.said.read())


@test
def on_demand_restarts_for_each_activation():
    """Come, gone and come again while the stop command runs: stopped once and started again."""
    fifo = os.path.join(base.scratch, 'fifo')
    os.mkfifo(fifo)
    with OnDemand('a', 'say start', f'say stop; read x <{fifo}') as service:
        with Hold('a'):
            service.say('start')
        service.say('stop')
        for _ in range(2):
            good('hold', 'a', '--', 'true')
        with Hold('a'):
            with open(fifo, 'w', encoding='ascii') as file:
                file.write('\n')
            service.say('start')
            equal(['started a', 'stopped a', 'started a'], [service.line() for _ in range(3)])
        service.say('stop')
        with open(fifo, 'w', encoding='ascii') as file:
            file.write('\n')
        service.line('stopped a')
        equal('', service.finish())
    os.unlink(fifo)


@test
def on_demand_told_twice_kills():
    with OnDemand('a', 'trap "" TERM; say start; while :; do sleep 1000; done') as service:
        with Hold('a'):
            service.say('start')
        service.tool.terminate()
        # it has been told to go: now there are two signals to be told
        while 'SigPnd' in (pending := open(f'/proc/{service.pid}/status', encoding='ascii').read()) and \
                int(pending.split('ShdPnd:')[1].split()[0], 16):
            pass
        service.tool.terminate()
        service.end()
        equal('', service.said.read())


@test
def on_demand_that_cannot_be():
    create('a', tag='video')
    with Hold('t'):
        contains(('t', 'last user', 'persistent'), bad(1, 'on-demand', 't', '--start', 'true'))
    contains(('a', 'another type'), bad(1, 'on-demand', 'a', '--start', 'true', '-t', 'audio'))
    contains(('a', 'lingers for 0 ms'), bad(1, 'on-demand', 'a', '--start', 'true', '--linger', 5))
    contains('no such object', bad(1, 'on-demand', 'id=9999999', '--start', 'true'))
    contains('milliseconds', bad(2, 'on-demand', 'a', '--start', 'true', '--linger', 'x'))
    equal(1, len(objects()))


if __name__ == '__main__':
    sys.exit(base.main())
