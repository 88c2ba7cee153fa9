#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl's verbs that ask the netlink family, and what all verbs print as JSON; see refctl_test.py, whose runner and
helpers this uses."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import xml.etree.ElementTree

import refctl_test as base
from refctl_events_test import Tool, shape, write
from refctl_test import Hold, Session, Skip, bad, contains, create, doc, equal, good, objects, run, the_object, true

base.tests.clear()
test = base.test

GROUPS = 3      # in /proc/net/netlink


def listening(pid):
    """Wait until this process has joined a group of generic netlink's: from then on it hears all."""
    while True:
        with open('/proc/net/netlink', encoding='ascii') as file:
            for line in list(file)[1:]:
                words = line.split()
                # the socket's number is that of the process, if it has one socket, and else is made up
                if words[1] == '16' and int(words[GROUPS], 16):
                    return
        true(os.waitpid(pid, os.WNOHANG) == (0, 0), 'it ended')
        time.sleep(0.01)


def monitor(*args):
    tool = Tool('monitor', '-J', *args)
    listening(tool.pid)
    return tool


# ---- monitor

@test
def monitor_tells_of_all():
    create('old')
    with monitor('-n', 8) as tool:
        with Hold('new', '-n', 2) as new:
            equal([('new', 'activated', 'ready', 2), ('new', 'ready', 'ready', 2)], [tool.brief() for _ in range(2)])
            with Hold('old') as old:
                equal([('old', 'activated', 'ready', 1), ('old', 'ready', 'ready', 1)],
                      [tool.brief() for _ in range(2)])
                old.end()
            equal(('old', 'deactivated', 'idle', 0), tool.brief())
            new.signal(signal.SIGKILL)
            event = tool.event()
            equal(('new', 'holder-died', 'signal 9', None, 2),
                  tuple(event[key] for key in ('object', 'event', 'cause', 'pid', 'count')))
            equal([('new', 'deactivated', 'idle', 0), ('new', 'destroyed', 'dead', 0)],
                  [tool.brief() for _ in range(2)])
        equal('', tool.end())


@test
def monitor_knows_the_name_of_what_is_gone():
    """An object that was there before keeps its name to its end, and its number is not another's."""
    create('a')
    number = the_object('a')['id']
    with monitor('-n', 1) as tool:
        good('rm', 'a')
        event = tool.event()
        equal(('a', 'destroyed', number), tuple(event[key] for key in ('object', 'event', 'id')))
        tool.end()


@test
def monitor_matches():
    create('cat', 'dog', 'catfish')
    with monitor('-n', 2, '--match', 'cat*') as tool:
        good('rm', 'dog')
        good('rm', 'catfish')
        good('rm', 'cat')
        equal(['catfish', 'cat'], [tool.event()['object'] for _ in range(2)])
        equal('', tool.end())


@test
def monitor_text_and_ends():
    create('two words')
    with Tool('monitor', '-n', 1) as tool:
        listening(tool.pid)
        good('rm', 'two words')
        equal('TIME OBJECT EVENT STATE USERS CAUSE PID'.split(), tool.line().split())
        equal(['two', 'words', 'destroyed', 'dead', '0', 'destroy'], tool.line().split()[1:-1])
        tool.end()
    result = run('monitor', '--timeout', '0.01')
    equal((0, '', ''), (result.returncode, result.stdout, result.stderr), 'the time is over')
    equal(2, run('monitor', '--timeout', '0.01', '-n', 1).returncode, 'status of a time-out')
    contains("'cat'", bad(3, 'monitor', 'cat'))
    contains('bad number', bad(3, 'monitor', '-n', 0))
    contains(('CAP_NET_ADMIN', 'refctl watch'), bad(1, 'monitor', **base.as_nobody()))


@test
def monitor_survives_a_flood():
    """It is stopped until its socket has overrun: it says so, how many it missed, how things stand, and goes on."""
    create('a', 'b')
    rounds = 34000 // int(os.environ.get('REFOBJ_SLOW', 1))
    with monitor() as tool, Hold('b', '-n', 4):
        equal(['activated', 'ready'], [tool.event()['event'] for _ in range(2)])
        tool.tool.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, tool.pid, os.WSTOPPED | os.WNOWAIT)
        number = the_object('a')['id']
        with Session() as session:
            acquire = bytearray(struct.pack('=IIQII', 24, 0, number, 1, 0))
            for _ in range(rounds):
                fcntl.ioctl(session.fd, 1 << 30 | 24 << 16 | 0xbb04, acquire)
                fcntl.ioctl(session.fd, 1 << 30 | 24 << 16 | 0xbb05, acquire)
        tool.tool.send_signal(signal.SIGCONT)
        told = lost = 0
        snapshots = []
        while (event := tool.event())['event'] != 'destroyed':
            if event['event'] == 'lost':
                lost += event['count'] or 0
            elif event['event'] == 'snapshot':
                snapshots.append(tuple(event[key] for key in ('object', 'state', 'users')))
                if len(snapshots) == 2:     # all has been read
                    good('rm', 'a')
            else:
                told += 1
        equal([('a', 'idle', 0), ('b', 'ready', 4)], snapshots)
        true(lost, 'nothing was lost')
        equal(3 * rounds, told + lost, f'{told} told, {lost} lost')
        tool.tool.terminate()
        tool.end(-signal.SIGTERM)


# ---- top

def documents(file):
    """The JSON documents of a stream, each as soon as it is whole."""
    text = ''
    for line in file:
        text += line
        if line == '}\n':
            yield base.parsed(text)
            text = ''


@test
def top_in_batches():
    create('idle', 'busy')
    with Hold('used', '-n', 7), Tool('top', '-J', '-d', 1, '-n', 2) as tool:
        rounds = documents(tool.tool.stdout)
        first = next(rounds)['top']
        equal([('used', 7, 0), ('idle', 0, 0), ('busy', 0, 0)],
              [tuple(row[key] for key in ('name', 'users', 'rate')) for row in first], 'the most used first')
        with Session() as session:
            for _ in range(50):
                session.hold('busy')
                session.call(1, 0x05, '=IIQII', 0, first[2]['id'], 1, 0)
        second = next(rounds)['top']
        equal(['busy', 'used', 'idle'], [row['name'] for row in second], 'the busiest first')
        equal(50, second[0]['activations'])
        true(0 < second[0]['rate'] <= 50, f'rate {second[0]["rate"]}')
        equal('', tool.end())
    equal(['idle', 'busy'], good('top', '-b', '-n', 1, '--noheadings', '-o', 'name').split())
    equal(['busy', 'idle'], good('top', '-b', '-n', 1, '--noheadings', '-o', 'name', '-s', 'name').split())
    contains('use --batch', bad(1, 'top'))
    contains('bad number', bad(2, 'top', '-b', '-n', 0))


class Screen:
    """refctl top on a terminal of this size: what it shows is followed as far as it moves the cursor and writes."""

    def __init__(self, rows, columns, *args):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.tool = subprocess.Popen([base.refctl, 'top', *map(str, args)], env=base.environment(LC_ALL='C'),
                                     stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tool.kill()
        self.tool.wait()
        os.close(self.master)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
        self.size = rows, columns
        self.text = ''

    def shows(self, *words):
        """Until all of them have come; never is the cursor put outside."""
        while not all(word in self.text for word in words):
            self.text += os.read(self.master, 4096).decode()
        for row, column in re.findall('\x1b\\[([0-9]+);([0-9]+)H', self.text):
            true(int(row) <= self.size[0] and int(column) <= self.size[1], f'cursor at {row},{column}')

    def key(self, key):
        self.text = ''
        os.write(self.master, key)


@test
def top_on_a_terminal():
    create(*(f'object{i}' for i in range(60)))
    with Hold('used', '-n', 7), Screen(24, 80, '-d', 60) as screen:
        screen.shows('61 objects, 7 users', 'by rate', 'ID NAME', 'HOLDERS', 'used', 'object0', 'object19')
        true('object20' not in screen.text, '20 lines are left for objects')
        screen.key(b'u')
        screen.shows('users')
        screen.resize(10, 40)
        screen.shows('61 objects', 'used', 'object5')
        true('object6' not in screen.text and 'HOLDERS' not in screen.text, 'less on a smaller terminal')
        screen.resize(3, 8)
        screen.resize(24, 80)
        screen.shows('object19', 'HOLDERS')
        screen.key(b'q')
        equal(0, screen.tool.wait(), 'status')


# ---- leaks

def leaks(*args):
    return doc('leaks', '--older', 0, *args)['leaks']


@test
def leaks_says_who_and_why():
    create('owner', 'dep')
    good('link', 'owner', 'dep')
    with Hold('blob', '-n', 3, '--why', 'model weights') as first, Hold('owner', '--why', 'walks') as second:
        rows = leaks()
        equal(['blob', 'owner', 'dep'], [row['object'] for row in rows], 'the longest first')
        equal([('session', first.pid, 3, 'model weights', None), ('session', second.pid, 1, 'walks', None),
               ('object', None, 1, 'needed by owner', the_object('owner')['id'])],
              [tuple(row[key] for key in ('kind', 'pid', 'count', 'why', 'needed_by')) for row in rows])
        chain = rows[0]['processes']
        equal([{'pid': first.pid, 'comm': 'refctl'}, {'pid': os.getpid(), 'comm': chain[1]['comm']}], chain[:2])
        equal(1, chain[-1]['pid'], 'up to the first')
        equal(None, rows[2]['processes'])
        equal(['owner'], [row['object'] for row in leaks('own')])
        contains(f'refctl({first.pid}) < ', good('leaks', '--older', '0s'))
        equal([], doc('leaks')['leaks'], 'a minute has not passed')
        equal([], doc('leaks', '--older', '1d')['leaks'])
    equal([], leaks())


@test
def leaks_of_a_process_that_is_gone():
    """A descriptor that a child keeps: the number of who exported it tells of no process any more."""
    with Hold('a', '--why', 'kept') as hold:
        equal('kept', leaks()[0]['why'])
        hold.signal(signal.SIGKILL)
        hold.tool.wait()
    equal([], leaks())


@test
def descriptors_of_holders():
    """FD is that of the session in the process, as its fdinfo has it; not for another's eyes."""
    with Hold('a') as hold:
        row, = doc('holders', 'a')['holders']
        with open(f'/proc/{hold.pid}/fdinfo/{row["fd"]}', encoding='ascii') as file:
            contains(f'refobj-session:\t{row["session"]}\n', file.read())
        create('b', mode=0o666)
        with Hold('b'):
            seen, = base.parsed(good('-J', 'holders', 'b', **base.as_nobody()))['holders']
            equal(None, seen['fd'])


@test
def leaks_usage():
    for time_ in ('x', '', '5w', '-1', '1.5', 's'):
        contains('bad time', bad(2, 'leaks', '--older', time_))


# ---- ls

def names(*args):
    return [o['name'] for o in objects(*args)]


@test
def ls_filters():
    create('a', tag='video')
    create('b', 'c')
    with Hold('c'):
        equal(['a'], names('--type', 'video'))
        equal(['b', 'c'], names('--type', ''))
        equal(['c'], names('--state', 'ready'))
        equal(['a', 'b'], names('--state', 'idle'))
        equal(['a', 'b'], names('--unused'))
        equal(['b'], names('-u', '--type', '', '--state', 'idle'))
        equal(['a', 'b', 'c'], names('--uid', 'root'))
        equal([], names('--uid', base.NOBODY))
        equal(['b'], names('--unused', 'b', 'c'))
    contains("unknown state 'busy'", bad(2, 'ls', '--state', 'busy'))
    contains("unknown user 'nosuchuser'", bad(2, 'ls', '--uid', 'nosuchuser'))


@test
def sorting():
    create('b', 'c', 'a')
    with Hold('c', '-n', 10), Hold('a', '-n', 9):
        equal(['a', 'b', 'c'], names('--sort', 'name'))
        equal(['c', 'b', 'a'], names('-s', '-NAME'))
        equal(['b', 'a', 'c'], names('-s', 'users'), 'as numbers')
        equal(['b', 'c', 'a'], names('-s', 'uid'), 'equal ones as they were')
        equal(['c', 'a', 'b'], good('ls', '-s', '-users', '-n', '-o', 'name').split(), 'text')
        equal([10, 9], [row['count'] for row in doc('holders', '-s', '-count')['holders']])
    contains("unknown column 'size'", bad(2, 'ls', '-s', 'size'))
    contains('no table', bad(2, '-s', 'name', 'link', 'a', 'b'))


@test
def ls_again_and_again():
    create('a')
    with Tool('ls', '-n', '-o', 'name,users', '--watch', '0.05') as tool:
        equal(['a', '0'], tool.line().split())
        with Hold('a'):
            while tool.line().split() != ['a', '1']:
                pass
        tool.tool.terminate()


# ---- tree and graph

@test
def tree_of_the_idle_and_the_hidden():
    create('cart', 'horse', mode=0o666)
    create('secret')
    good('link', 'cart', 'horse')
    good('link', 'cart', 'secret')
    rows = doc('tree', 'cart')['tree']
    equal([('cart', [('horse', []), ('secret', [])])], shape(rows))
    equal([False, False], [row['held'] for row in rows[0]['children']])
    contains(('horse (not held)', 'secret (not held)'), good('tree'))
    seen = base.parsed(good('tree', '-J', **base.as_nobody()))['tree']
    equal([('cart', [('hidden', []), ('horse', [])])], [(row['name'], sorted(shape(row['children']))) for row in seen])
    contains('1 more that you may not see', good('tree', **base.as_nobody()))
    with Hold('cart'):
        equal([None, True, True], [row['held'] for row in doc('tree', 'cart')['tree'][0]['children']])


@test
def graph():
    create('own"er', 'dep', 'other')
    good('link', 'own"er', 'dep')
    number, other = the_object('own"er')['id'], the_object('dep')['id']
    text = good('graph')
    contains((f'object{number} [label="own\\"er\\nidle, 0 users"];', f'object{number} -> object{other} [style=dashed];',
              'label="other\\n'), text)
    with Hold('own"er', '-n', 2, '--why', 'walks') as hold:
        text = good('graph', 'own"er')
        contains((f'label="refctl ({hold.pid})"', 'label="2: walks"', f'object{number} -> object{other};'), text)
        true('other' not in text, 'only what was asked for')
        picture = os.path.join(base.scratch, 'graph.svg')
        contains('install graphviz', bad(1, 'graph', '--svg', picture, env={'PATH': '/nowhere'}))
        if not shutil.which('dot'):
            raise Skip('graphviz is not installed')
        good('graph', '--svg', picture)
        texts = [e.text for e in xml.etree.ElementTree.parse(picture).getroot().iter() if e.tag.endswith('}text')]
        contains(('own"er', 'dep', '2: walks'), texts)


# ---- JSON

def schema():
    folder = os.path.dirname(base.refctl)
    for path in (os.path.join(folder, '../../userspace/refctl/schema.json'),
                 os.path.join(folder, '../share/refobj/refctl.schema.json')):
        if os.path.exists(path):
            with open(path, encoding='utf-8') as file:
                return json.load(file)
    raise Skip('the schema is not beside the tool')


@test
def all_json_fits_the_schema():
    """And all that the schema has is printed: no key can come or go without it."""
    try:
        import jsonschema
    except ImportError:
        raise Skip('python3-jsonschema is not installed') from None
    rules = schema()
    jsonschema.Draft202012Validator.check_schema(rules)
    validator = jsonschema.Draft202012Validator(rules)
    create('a', 'b')
    good('link', 'a', 'b')
    scenario = write('s.scn', 'scenario "one" {\n\ta: create x persistent\n\ta: destroy x\n}\n')
    calls = {'ls': ('object', ('ls',)), 'create': (None, ('create', 'c')),
             'show': (None, ('show', 'a', 'b')), 'holders': ('holder', ('holders',)),
             'leaks': ('leak', ('leaks', '--older', 0)), 'sessions': ('session', ('sessions',)),
             'top': ('top', ('top', '-n', 1)),
             'tree': ('tree', ('tree',)), 'watch': ('event', ('watch', '--timeout', 0, 'a')),
             'doctor': ('check', ('doctor',)), 'rm': ('removed', ('rm', '--dry-run', 'b')), 'stats': (None, ('stats',)),
             'run': (None, ('run', scenario)), 'lab': ('call', ()),
             'stress': ('stress', ('stress', '--ops', 20, '--seconds', 1))}
    tables = {verb for verb in base.VERBS if '--list-columns' in good(verb, '--help')}
    equal(set(), tables - set(calls) - {'monitor'}, 'verbs that the schema does not know')
    with Hold('a', '--why', 'so'):
        for verb, (name, args) in calls.items():
            if name:
                columns = {line.split()[0].lower() for line in good(verb, '-H', '--noheadings').splitlines()}
                if verb == 'tree':
                    columns.add('children')
                if verb == 'ls':
                    columns.add('held_by')      # show's
                equal(columns, set(rules['$defs'][name]['properties']), f'columns of {verb}')
            for line in run('-J', *args).stdout.split('\n{') if args else ():
                document = json.loads(line if line.startswith('{') else '{' + line)
                problems = [f'{verb}: {"/".join(map(str, e.absolute_path))}: {e.message[:200]}'
                            for e in validator.iter_errors(document)]
                equal([], problems)
                true(len(document) > 1, f'{verb}: no rows')


if __name__ == '__main__':
    sys.exit(base.main())
