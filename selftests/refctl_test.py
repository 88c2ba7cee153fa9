#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl, verb by verb: what it prints is compared with what was done.

Needs root and the module. Each test has a network namespace, so objects, of its own. Processes are ordered by what
they say on pipes. Usage: refctl_test.py [-l] [WORD...]: only the tests whose name has one of these words.
The tool is $REFCTL, else that of the project's build folder, else that in PATH.
"""

import ctypes
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
import tempfile
import termios
import time
import traceback

DEVICE = '/dev/refobj'
DEBUGFS = '/sys/kernel/debug'
PARAMETERS = '/sys/module/refobj/parameters'
NOBODY = 65534
# Seconds after which a test hangs; none depends on it. REFOBJ_SLOW: how much slower than usual this kernel is.
PATIENCE = 120 * int(os.environ.get('REFOBJ_SLOW', 1))
VERBS = ('ls', 'show', 'holders', 'leaks', 'sessions', 'tree', 'graph', 'top', 'stats', 'watch', 'monitor', 'wait',
         'create', 'rm', 'link', 'unlink', 'set', 'publish', 'cat', 'hold', 'get', 'on-demand', 'lab', 'run', 'stress', 'doctor')
# The status of wrong usage, where it is not 2, and the verbs without a table.
USAGE = {'hold': 125, 'get': 125, 'watch': 3, 'monitor': 3, 'wait': 3}
PLAIN = ('graph', 'wait', 'link', 'unlink', 'set', 'publish', 'cat', 'hold', 'get', 'on-demand')
# Verbs that print rows, with arguments that make some if there is an object "a".
TABLES = {'ls': ('ls',), 'show': ('show', 'a'), 'holders': ('holders', 'a'), 'doctor': ('doctor',),
          'rm': ('rm', '--dry-run', 'b')}
AGES = ('created', 'age', 'since', 'start')

libc = ctypes.CDLL(None, use_errno=True)
scratch = None
refctl = None
tests = []


class Failure(Exception):
    """An expectation that was not met."""


class Skip(Exception):
    """A test that cannot be made here."""


def test(function):
    tests.append(function)
    return function


def equal(expected, measured, what=''):
    if expected != measured:
        raise Failure(f'{what}: expected {expected!r}, got {measured!r}')


def true(condition, what):
    if not condition:
        raise Failure(what)


def contains(words, text, what=''):
    for word in (words,) if isinstance(words, str) else words:
        if word not in text:
            raise Failure(f'{what}: {word!r} is missing in {text!r}')


# ---- the tool and its helpers

def environment(**more):
    env = {'PATH': os.environ.get('PATH', '/usr/bin:/bin:/usr/sbin:/sbin'), 'LC_ALL': 'C', 'TERM': 'xterm'}
    # for a tool that is built with sanitizers; how much longer than usual it may take
    env.update((name, value) for name, value in os.environ.items()
               if name.endswith('SAN_OPTIONS') or name == 'REFOBJ_SLOW')
    env.update(more)
    return env


def run(*args, env=None, program=None, text=True, **more):
    """The tool's end: returncode, stdout, stderr."""
    return subprocess.run([program or refctl, *map(str, args)], env=environment(**(env or {})), text=text,
                          stdin=subprocess.DEVNULL, check=False,
                          **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **more})


def good(*args, **more):
    """The output of a call that must succeed and complain of nothing."""
    result = run(*args, **more)
    equal((0, ''), (result.returncode, result.stderr), f'refctl {args}: status and stderr')
    return result.stdout


def bad(status, *args, **more):
    """The complaint of a call that must fail with this status and print nothing else."""
    result = run(*args, **more)
    equal((status, ''), (result.returncode, result.stdout), f'refctl {args}: status and stdout ({result.stderr!r})')
    true(result.stderr.startswith('refctl: '), f'refctl {args} complained {result.stderr!r}')
    return result.stderr


def parsed(text):
    document = json.loads(text)
    equal(1, document['version'], 'version of the JSON')
    true(type(document['version']) is int, 'version is no integer')
    return document


def doc(*args, **more):
    return parsed(good('-J', *args, **more))


def objects(*args, **more):
    return doc('ls', *args, **more)['objects']


def the_object(name, **more):
    found = [o for o in objects(**more) if o['name'] == name]
    equal(1, len(found), f'objects of name {name}')
    return found[0]


def holders(*args):
    return doc('holders', *args)['holders']


def table(text):
    """Lines of words, the first of which are the headings, as dictionaries."""
    lines = [line.split() for line in text.splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def copy_of_tool(name):
    """Where anybody may run it, and under a name of one's own."""
    path = os.path.join(os.fsencode(scratch), os.fsencode(name))
    if not os.path.exists(path):
        shutil.copy(refctl, path)
        os.chmod(path, 0o755)
    return path


def as_nobody(groups=(0,)):
    """For run(): another user, who may open the device through its group."""
    return {'user': NOBODY, 'group': NOBODY, 'extra_groups': groups, 'program': copy_of_tool('refctl')}


def in_mounts(script, *args, env=None):
    """The tool in a mount namespace of its own, after this script."""
    return subprocess.run(['unshare', '-m', '--propagation', 'private', 'sh', '-ec', script + '\nexec "$@"', 'sh',
                           refctl, *args], env=environment(**(env or {})), text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, check=False)


class Hold:
    """refctl hold with a command that says "up" and runs until told to end."""

    def __init__(self, *args, command=('sh', '-c', 'echo up; read x; exit 0'), **more):
        env = environment(**more.pop('env', {}))
        self.tool = subprocess.Popen([more.pop('program', refctl), 'hold', *map(str, args), '--', *command], env=env,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     process_group=0, **more)
        self.pid = self.tool.pid
        self.line('up')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.tool.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        # ends the command if the tool went without it
        self.tool.stdin.close()
        self.tool.stdout.read()
        self.tool.wait()
        self.tool.stdout.close()
        self.tool.stderr.close()

    def line(self, expected):
        line = self.tool.stdout.readline().rstrip('\n')
        if line != expected:
            raise Failure(f'the command said {line!r} instead of {expected!r}; stderr: '
                          + (self.tool.stderr.read() if not line else ''))

    def signal(self, number):
        self.tool.send_signal(number)

    def end(self, status=0):
        self.tool.stdin.close()
        equal(status, self.tool.wait(), 'exit status of hold')


# A command that says which signals it gets, one a line; SIGUSR2 ends it with status 9.
LISTENER = ('python3', '-ISc', '''
import signal as s
wanted = {s.SIGHUP, s.SIGINT, s.SIGQUIT, s.SIGTERM, s.SIGUSR1, s.SIGUSR2, s.SIGALRM, s.SIGWINCH, s.SIGTSTP, s.SIGCONT,
          s.SIGRTMIN}
s.pthread_sigmask(s.SIG_BLOCK, wanted)
print("up", flush=True)
while True:
    got = s.sigwait(wanted)
    print(int(got), flush=True)
    if got == s.SIGUSR2:
        raise SystemExit(9)
''')


class Session:
    """The device used without the tool: objects and holders that the tool is to see."""

    def __init__(self):
        self.fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def call(self, direction, number, layout, *values):
        """One ioctl; the fields of its structure afterwards, without the size."""
        size = struct.calcsize(layout)
        buffer = bytearray(struct.pack(layout, size, *values))
        fcntl.ioctl(self.fd, direction << 30 | size << 16 | 0xbb << 8 | number, buffer)
        return struct.unpack(layout, buffer)[1:]

    def create(self, name, mode=0, tag='', flags=1, initial=0):
        """CREATE, persistent by default; the id."""
        return self.call(3, 0x01, '=IIIIQ64s32s', flags, mode, initial, 0, name.encode(), tag.encode())[3]

    def hold(self, name, count=1, why='', flags=0, tag=''):
        """ATTACH and SET_WHY; the id."""
        number = self.call(3, 0x02, '=IIIIQII64s32s', flags, 0, count, 0, 0, 0, name.encode(), tag.encode())[3]
        if why:
            self.call(1, 0x0a, '=IIQ64s', 0, number, why.encode())
        return number


    def clean_up(self):
        """DESTROY what can be, so that the next test sees no late end of it in the counters."""
        number = 0
        try:
            while True:
                number = self.call(3, 0x07, '=IIQ8I3Q2I64s32s', 1, number, *(0,) * 13, b'', b'')[1]
                try:
                    self.call(1, 0x09, '=IIQ', 0, number)
                except OSError:
                    pass
        except OSError:     # no more
            pass


def create(*names, **more):
    """Persistent objects that nobody uses; the last one's id."""
    with Session() as session:
        for name in names:
            number = session.create(name, **more)
    return number


def debugfs_stats():
    with open(DEBUGFS + '/refobj/stats', encoding='ascii') as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def on_terminal(*args, **env):
    """The tool's status, and its output to a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen([refctl, *args], env=environment(**env), stdin=subprocess.DEVNULL, stdout=slave,
                          stderr=slave) as tool:
        os.close(slave)
        text = b''
        try:
            while chunk := os.read(master, 4096):
                text += chunk
        except OSError:     # the last one has closed it
            pass
        os.close(master)
    return tool.returncode, text.decode()


# ---- what all verbs have

@test
def version():
    for args in (('--version',), ('-V',), ('ls', '--version'), ('hold', '-V')):
        true(re.fullmatch(r'refctl \d+\.\d+\.\d+ \(librefobj \d+\.\d+\.\d+\)\n', good(*args)), f'{args}')


@test
def help_of_the_tool():
    for args in (('--help',), ('-h',)):
        contains(('Usage: refctl', 'Exit codes:', *(f'\n  {verb} ' for verb in VERBS)), good(*args))


@test
def help_of_each_verb():
    for verb in VERBS:
        text = good(verb, '--help')
        contains((f'Usage: refctl {verb} ', 'Options:', '--help', 'Exit codes:'), text, verb)
        equal(verb not in PLAIN, '--json' in text, f'{verb} offers --json')
        true(max(map(len, text.splitlines())) <= 100, f'{verb}: lines of the help')
    equal(good('ls', '--help'), good('ls', '-h'))


@test
def no_verb_and_unknown_verb():
    contains('a verb is missing', bad(2))
    contains("unknown verb 'lss'", bad(2, 'lss'))
    contains("unknown verb 'a\\x1b'", bad(2, 'a\x1b'))


@test
def unknown_options():
    for verb in VERBS:
        contains((f'refctl: {verb}: ', '--no-such-option', f'refctl {verb} --help'),
                 bad(USAGE.get(verb, 2), verb, '--no-such-option'))
    contains('refctl: ', bad(2, '--no-such-option', 'ls'))
    contains('requires an argument', bad(2, 'ls', '-o'))


@test
def missing_and_surplus_arguments():
    contains('which object', bad(2, 'show'))
    contains('a name is missing', bad(2, 'create'))
    contains('which object', bad(2, 'rm'))
    contains('name is missing', bad(125, 'hold'))
    contains("a command is missing after 'a'", bad(125, 'hold', 'a'))
    contains("a command is missing after 'a'", bad(125, 'hold', 'a', '--'))
    contains('one name is wanted, not 2', bad(2, 'create', 'a', 'b'))
    contains('--unused', bad(2, 'rm', '--unused', 'a'))
    contains("'x'", bad(2, 'doctor', 'x'))
    contains('which object', bad(3, 'wait', '--idle'))
    contains('one object is wanted, not 2', bad(3, 'wait', '--idle', 'a', 'b'))
    for args in (('wait', 'a'), ('wait', 'a', '--idle', '--dead')):
        contains('one of --idle', bad(3, *args))
    for verb in ('link', 'unlink'):
        for args in ((), ('a',), ('a', 'b', 'c')):
            contains('two objects', bad(2, verb, *args))
    contains('which object', bad(2, 'set'))
    contains('one value is wanted, not 2', bad(2, 'set', 'a', 'b', 'c'))
    contains('which object', bad(2, 'cat'))
    contains('an object and a file', bad(2, 'publish', 'a'))
    contains('name is missing', bad(125, 'get'))
    contains("a command is missing after 'a'", bad(125, 'get', 'a'))
    contains('{} is missing', bad(125, 'get', 'a', '--', 'cat'))
    contains('name is missing', bad(2, 'on-demand'))
    contains('--start is missing', bad(2, 'on-demand', 'a'))
    contains('one object is wanted, not 2', bad(2, 'on-demand', 'a', 'b', '--start', 'true'))
    equal([], objects())


@test
def no_device_leads_to_the_doctor():
    calls = {'ls': (), 'show': ('a',), 'holders': (), 'create': ('a',), 'rm': ('a',), 'hold': ('a', '--', 'true'),
             'tree': (), 'watch': (), 'wait': ('a', '--idle'), 'link': ('a', 'b'), 'unlink': ('a', 'b'),
             'set': ('a', 'b'), 'publish': ('a', '/etc/passwd'), 'cat': ('a',), 'get': ('a', 'cat', '{}'),
             'on-demand': ('a', '--start', 'true')}
    for verb, args in calls.items():
        status = 125 if verb in ('hold', 'get') else 1
        contains((f'refctl: {verb}: /no/device: ', 'run: refctl doctor'),
                 bad(status, verb, *args, env={'REFOBJ_DEVICE': '/no/device'}))
    contains(('/dev/null', 'not refobj', 'refctl doctor'), bad(1, 'ls', env={'REFOBJ_DEVICE': '/dev/null'}))


@test
def no_permission_leads_to_the_doctor():
    contains((DEVICE, 'no permission', 'refctl doctor'), bad(1, 'ls', **as_nobody(groups=())))


@test
def output_that_cannot_be_written():
    with open('/dev/full', 'w', encoding='ascii') as full:
        result = run('--help', stdout=full)
        equal(1, result.returncode, 'status')
        contains('cannot write the output', result.stderr)


@test
def raw_and_json_exclude_each_other():
    contains(('--json', '--raw'), bad(2, 'ls', '-r', '-J'))


@test
def verbs_without_a_table():
    for verb in PLAIN:
        for option in ('-J', '-r', '-n', '-H', '-oNAME'):
            contains('no table', bad(USAGE.get(verb, 2), option, verb, 'a', '--', 'true'))


# ---- ls

@test
def ls_of_nothing():
    equal('', good('ls'))
    equal({'version': 1, 'objects': []}, doc('ls'))


@test
def ls_json_says_what_was_done():
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    create('a', tag='video', mode=0o664)
    with Session() as session:
        session.hold('b', 3)
        first, second = objects()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        true(0 < first['id'] < second['id'], 'ids rise')
        for o in (first, second):
            created, age = o.pop('created'), o.pop('age')
            true(type(created) is int and before <= created <= after, 'created')
            true(type(age) is int and 0 <= age <= after - before, 'age')
            del o['id']
        untouched = {'linger': 0, 'builder': None, 'watches': 0, 'value': 0, 'version': 0, 'file': False, 'edges': 0}
        equal({'name': 'a', 'type': 'video', 'state': 'idle', 'users': 0, 'holders': 0, 'mode': '0664', 'owner': 'root',
               'peak': 0, 'activations': 0, 'deactivations': 0, 'uid': 0, 'gid': 0, 'flags': ['persistent'],
               'held': 0, **untouched}, first)
        equal({'name': 'b', 'type': None, 'state': 'ready', 'users': 3, 'holders': 1, 'mode': '0600', 'owner': 'root',
               'peak': 3, 'activations': 1, 'deactivations': 0, 'uid': 0, 'gid': 0, 'flags': [], 'held': 0, **untouched},
              second)
        true(all(type(o[k]) is int for o in (first, second) for k in ('users', 'holders', 'peak', 'uid')), 'integers')


@test
def ls_text():
    create('a', tag='video', mode=0o664)
    with Session() as session:
        session.hold('b', 3)
        text = good('ls')
        equal('ID NAME TYPE STATE USERS HOLDERS MODE OWNER'.split(), text.splitlines()[0].split())
        first, second = table(text)
        first.pop('ID')
        equal({'NAME': 'a', 'TYPE': 'video', 'STATE': 'idle', 'USERS': '0', 'HOLDERS': '0', 'MODE': '0664',
               'OWNER': 'root'}, first)
        equal(str(the_object('b')['id']), second.pop('ID'))
        equal({'NAME': 'b', 'TYPE': '-', 'STATE': 'ready', 'USERS': '3', 'HOLDERS': '1', 'MODE': '0600',
               'OWNER': 'root'}, second)


@test
def ls_prefixes():
    create('cam0', 'cam1', 'mic0', 'mouse')
    names = lambda *args: [o['name'] for o in objects(*args)]
    equal(['cam0', 'cam1', 'mic0', 'mouse'], names())
    equal(['cam0', 'cam1'], names('cam'))
    equal(['cam1', 'mic0', 'mouse'], names('m', 'cam1', 'mouse'))
    equal([], names('am'))


@test
def no_headings():
    create('a')
    with_headings = good('ls')
    for args in (('-n', 'ls'), ('ls', '-n'), ('ls', '--noheadings')):
        equal(with_headings.splitlines()[1].split(), good(*args).split(), f'{args}')


@test
def raw_output():
    create('two words')
    line = good('ls', '--raw', '-n', '-o', 'name,type,users').rstrip('\n')
    equal(['two\\x20words', '-', '0'], line.split(' '))
    equal('two\\x20words - 0', good('-r', 'ls', '-n', '-oNAME,TYPE,USERS').strip())


@test
def chosen_columns():
    create('a')
    equal(['USERS', 'NAME', '0', 'a'], good('ls', '-o', 'users,NAME').split())
    equal(['a'], good('ls', '-n', '-o', 'Name').split())
    headings = good('ls', '-o', '+peak,UID').splitlines()[0].split()
    equal('ID NAME TYPE STATE USERS HOLDERS MODE OWNER PEAK UID'.split(), headings)
    equal(headings, good('--output=+peak,UID', 'ls').splitlines()[0].split(), 'before the verb')
    equal([{'users': 0, 'name': 'a'}], objects('-o', 'users,name'), 'JSON with a list')
    equal(set(objects()[0]), set(objects('-o', '+peak')[0]), 'JSON has all with an addition')


@test
def unknown_columns():
    for columns in ('nosuch', 'name,nosuch', '+nosuch', '', 'name,,id', 'nam'):
        contains(('unknown column', '--list-columns'), bad(2, 'ls', '-o', columns), columns)


def rows_of(document):
    return document.get('objects', document.get('holders', document.get('checks')))


@test
def text_and_json_agree_in_all_columns():
    create('b', tag='tag')
    with Session() as session:
        session.hold('a', 2, 'test')
        for verb, args in TABLES.items():
            listed = doc(verb, '-H')['columns']
            true(all(type(c['default']) is bool and c['description'] for c in listed), verb)
            names = [c['column'] for c in listed]
            rows = rows_of(doc(*args))
            equal({name.lower() for name in names}, set(rows[0]) - {'held_by'}, f'{verb}: columns and JSON keys')
            lines = [line.split(' ') for line in good(*args, '-ro', ','.join(names)).splitlines()]
            equal(names, lines.pop(0), f'{verb} -o all')
            equal(len(rows), len(lines), f'{verb}: rows')
            for row, line in zip(rows, lines):
                equal(len(names), len(line), f'{verb}: cells of {line}')
                for name, cell in zip(names, line):
                    value = row[name.lower()]
                    if name.lower() in AGES:
                        true(type(value) is int and re.fullmatch(r'\d+[smhd]', cell), f'{verb} {name}: {cell}')
                        continue
                    if isinstance(value, list):
                        value = ','.join(value) or None
                    elif isinstance(value, bool):
                        value = 'yes' if value else 'no'
                    equal('-' if value is None else str(value).replace(' ', '\\x20'), cell, f'{verb} {name}')


@test
def list_of_columns_in_text():
    listed = doc('ls', '-H')['columns']
    lines = [line.split(None, 2) for line in good('ls', '--list-columns').splitlines()]
    equal(['COLUMN', 'DEFAULT', 'DESCRIPTION'], lines.pop(0))
    equal([[c['column'], 'yes' if c['default'] else 'no', c['description']] for c in listed], lines)
    equal('ID NAME TYPE STATE USERS HOLDERS MODE OWNER'.split(), [c['column'] for c in listed if c['default']])
    equal(listed, doc('create', '-H')['columns'])


@test
def ages_are_the_host_s_in_a_time_namespace():
    create('a')
    unshare = ['unshare', '--time', '--monotonic', '5000000', '--boottime', '5000000', '--fork']
    if subprocess.run([*unshare, 'true'], check=False, capture_output=True).returncode:
        raise Skip('no time namespaces')
    with Session() as session:
        session.hold('a')
        result = subprocess.run([*unshare, refctl, 'ls', '-J'], capture_output=True, check=True, env=environment())
        age = parsed(result.stdout)['objects'][0]['age']
        true(0 < age < 4000000 * 10**9, f'age is {age}')
        result = subprocess.run([*unshare, refctl, 'holders', '-nr', '-o', 'since,start'], capture_output=True,
                                check=True, env=environment(), text=True)
        true(re.fullmatch(r'\d+[sm] \d+[sm]\n', result.stdout), result.stdout)


@test
def ls_shows_what_the_mode_allows():
    create('secret')
    create('public', mode=0o644)
    equal(['public'], [o['name'] for o in objects(**as_nobody())])
    equal(['secret', 'public'], [o['name'] for o in objects()])


@test
def objects_without_a_name():
    number = create('')
    equal([{'id': number, 'name': None}], objects('-o', 'id,name'))
    equal([str(number), '-'], good('ls', '-n', '-o', 'id,name').split())
    with Hold(f'id={number}'):
        equal([(None, number)], [(h['object'], h['id']) for h in holders()])
        equal(f'id={number}', good('holders', '-n', '-o', 'object').strip())
    equal(f'removed id={number} (id {number})\n', good('rm', f'#{number}'))


@test
def names_in_the_locale():
    create('Kamera-ä')
    unicode = {'LC_ALL': 'C.UTF-8'}
    contains('Kamera-ä', good('ls', env=unicode))
    contains('Kamera-\\xc3\\xa4', good('ls'))
    for env in (unicode, {}):
        equal('Kamera-ä', objects(env=env)[0]['name'])
    contains('nö\\x1b', bad(1, 'show', 'nö\x1b', env=unicode))
    contains('n\\xc3\\xb6\\x1b', bad(1, 'show', 'nö\x1b'))


@test
def command_names_cannot_speak_to_the_terminal():
    with Hold('a', program=copy_of_tool(b'x\x1b[31m\xff')):
        result = run('holders', text=False)
        true(b'\x1b' not in result.stdout and b'\xff' not in result.stdout, f'{result.stdout}')
        contains('x\\x1b[31m\\xff', result.stdout.decode())
        equal('x\x1b[31m\ufffd', holders()[0]['comm'])
        equal(b'x\\x1b[31m\\xff', run('holders', '-nro', 'comm', text=False).stdout.strip(), 'raw')
        result = run('rm', 'a', text=False)
        contains('(x\\x1b[31m\\xff)', result.stderr.decode())


# ---- show

@test
def show_json():
    with Session() as one, Session() as two:
        one.hold('a', 2, 'one')
        two.hold('a', 1, 'two')
        shown, = doc('show', 'a')['objects']
        listed = the_object('a')
        true(shown.pop('age') <= listed.pop('age'), 'age grows')
        held_by = shown.pop('held_by')
        equal(listed, shown)
        equal([(2, 'one'), (1, 'two')], [(h['count'], h['why']) for h in held_by])
        for h, expected in zip(held_by, holders('a')):
            equal('a', expected.pop('object'))
            equal(expected, h)
    create('idle')
    equal([], doc('show', 'idle')['objects'][0]['held_by'])


@test
def show_text():
    with Session() as session:
        session.hold('a', 2, 'test', tag='video')
        record, held_by = good('show', 'a').split('held by:\n')
        keys = dict(line.split(':', 1) for line in record.splitlines())
        expected = doc('show', 'a')['objects'][0]
        expected.pop('held_by')
        equal(list(expected), list(keys), 'keys')
        for key in ('id', 'name', 'type', 'state', 'users', 'holders', 'mode', 'owner', 'peak', 'activations', 'uid'):
            equal(str(expected[key]), keys[key].strip(), key)
        row, = table(held_by)
        equal((str(os.getpid()), '2', 'test'), (row['PID'], row['COUNT'], row['WHY']))
        equal(['name: a'], good('show', 'a', '-o', 'name').splitlines()[:1])


@test
def show_by_id():
    create('a')
    number = the_object('a')['id']
    for arg in (f'id={number}', f'#{number}'):
        equal('a', doc('show', arg)['objects'][0]['name'], arg)
    contains((f'id={number + 1000}', 'no such object', 'refctl ls'), bad(1, 'show', f'id={number + 1000}'))
    good('rm', 'a')
    contains('has died', bad(1, 'show', f'id={number}'))
    for arg in ('id=', '#', '#x', f'id={number}x', f'id=-{number}', str(number)):
        contains((arg, 'no such object'), bad(1, 'show', arg), 'a name')


@test
def show_goes_on_after_a_missing_one():
    create('a', 'b')
    result = run('show', '-J', 'a', 'nosuch', 'b')
    equal(1, result.returncode)
    contains('refctl: show: nosuch: no such object', result.stderr)
    equal(['a', 'b'], [o['name'] for o in parsed(result.stdout)['objects']])


@test
def show_without_permission():
    create('secret')
    contains(('secret', 'permission denied', 'owner'), bad(1, 'show', 'secret', **as_nobody()))


# ---- holders

@test
def holders_json():
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    with Hold('a', '-n', 5, '--why', 'because') as hold:
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        number = the_object('a')['id']
        h, = holders('a')
        true(before <= h.pop('since') <= after, 'since')
        true(h.pop('session') > 0, 'session')
        true(h.pop('fd') > 2, 'descriptor')
        with open(f'/proc/{hold.pid}/stat', encoding='ascii') as file:
            ticks = int(file.read().rsplit(')', 1)[1].split()[19])
        equal(ticks, h.pop('start') * os.sysconf('SC_CLK_TCK') // 10**9, 'start')
        equal({'object': 'a', 'pid': hold.pid, 'comm': 'refctl', 'uid': 0, 'count': 5, 'why': 'because',
               'kind': 'session', 'id': number, 'user': 'root', 'needed_by': None}, h)


@test
def holders_text():
    with Hold('a', '-n', 5, '--why', 'because') as hold:
        text = good('holders', 'a')
        equal('OBJECT PID COMM FD UID COUNT SINCE WHY'.split(), text.splitlines()[0].split())
        row, = table(text)
        true(re.fullmatch(r'\d+s', row.pop('SINCE')) and row.pop('FD').isdigit(), text)
        equal({'OBJECT': 'a', 'PID': str(hold.pid), 'COMM': 'refctl', 'UID': '0', 'COUNT': '5', 'WHY': 'because'}, row)


@test
def holders_of_all_and_of_some():
    create('idle')
    pid = os.getpid()
    with Hold('a') as hold, Session() as session:
        session.hold('b')
        session.hold('a', 2)
        equal([('a', hold.pid, 1), ('a', pid, 2), ('b', pid, 1)],
              [(h['object'], h['pid'], h['count']) for h in holders()])
        equal([('b', pid), ('a', hold.pid), ('a', pid)], [(h['object'], h['pid']) for h in holders('b', 'a')])
        equal([], holders('idle'))
        result = run('-J', 'holders', 'nosuch', 'b')
        equal((1, [pid]), (result.returncode, [h['pid'] for h in parsed(result.stdout)['holders']]))
        contains('nosuch: no such object', result.stderr)
    equal([], holders())
    equal('', good('holders'))


@test
def holders_in_another_pid_namespace():
    with Session() as session:
        session.hold('a')
        unshare = ['unshare', '--pid', '--fork', refctl, 'holders']
        result = subprocess.run([*unshare, '-J'], capture_output=True, check=True, env=environment())
        equal([None], [h['pid'] for h in parsed(result.stdout)['holders']])
        result = subprocess.run([*unshare, '-no', 'pid'], capture_output=True, check=True, env=environment())
        equal(b'-', result.stdout.strip())


@test
def holders_of_another_user():
    with Hold('a', '--mode', '0644', '--why', 'mine', user=NOBODY, group=NOBODY, extra_groups=(0,),
              program=copy_of_tool('refctl')) as hold:
        h, = holders('a')
        equal((hold.pid, NOBODY, 'mine'), (h['pid'], h['uid'], h['why']))
        equal(NOBODY, the_object('a')['uid'])


# ---- sessions

@test
def sessions_of_all_and_of_oneself():
    equal([], doc('sessions')['sessions'])
    nobody = {'user': NOBODY, 'group': NOBODY, 'extra_groups': (0,), 'program': copy_of_tool('refctl')}
    with Hold('a', '-n', 5) as hold, Session() as session, Hold('b', **nobody) as other:
        session.hold('a', 2)
        session.hold('c', 1)
        rows = doc('sessions')['sessions']
        equal([(hold.pid, 'refctl', 0, 1, 5), (os.getpid(), rows[1]['comm'], 0, 2, 3), (other.pid, 'refctl', NOBODY, 1, 1)],
              [(r['pid'], r['comm'], r['uid'], r['objects'], r['references']) for r in rows])
        equal([h['session'] for h in holders('a')], [r['session'] for r in rows[:2]])
        equal(holders('a')[0]['start'], rows[0]['start'])
        equal([False] * 3, [r['ended'] for r in rows])
        equal([other.pid], [r['pid'] for r in parsed(good('-J', 'sessions', **nobody))['sessions']])
        rows = table(good('sessions'))
        equal('SESSION PID COMM UID OBJECTS REFERENCES WHY'.split(), list(rows[0]))
        equal(('5', 'refctl'), (rows[0]['REFERENCES'], rows[0]['COMM']))
    equal('', good('sessions'))
    contains("unexpected 'x'", bad(2, 'sessions', 'x'))


# ---- stats

@test
def stats_count_what_was_done():
    before = doc('stats')['stats']
    create('a')
    with Session() as session:
        session.hold('a', 7)
        during = doc('stats')['stats']
        equal(1, during['created'] - before['created'], 'created')
        equal(7, during['references_acquired'] - before['references_acquired'], 'acquired')
        equal(7, during['references'], 'references now')
        true(all(type(value) is int for value in during.values()), 'integers')
        equal(debugfs_stats(), during, 'as debugfs has it')
    good('rm', 'a')
    equal(1, doc('stats')['stats']['destroyed'] - before['destroyed'], 'destroyed')


@test
def stats_text():
    expected = debugfs_stats()
    rows = table(good('stats'))
    equal(expected, {row['NAME']: int(row['VALUE']) for row in rows})
    equal(list(expected), [row['NAME'] for row in rows], 'order')
    equal({n: v for n, v in expected.items() if n.startswith('refused_')}, doc('stats', 'refused_')['stats'])
    equal(str(expected['users_peak']), good('stats', '-n', '-o', 'value', 'users_peak').strip())


@test
def stats_without_permission():
    contains(('permission denied', 'root'), bad(1, 'stats', **as_nobody()))


@test
def stats_without_debugfs():
    result = in_mounts(f'umount -l {DEBUGFS}', 'stats')
    equal((1, ''), (result.returncode, result.stdout))
    contains(('not mounted', 'mount -t debugfs'), result.stderr)


# ---- create

@test
def create_makes_a_persistent_object():
    text = good('create', 'a', '--type', 'video', '--mode', '0644')
    o = the_object('a')
    equal(f'created a (id {o["id"]})\n', text)
    equal(('idle', 'video', '0644', ['persistent'], 0),
          (o['state'], o['type'], o['mode'], o['flags'], o['users']))
    good('create', 'b', '-t', 'x', '-m', '666')
    o = the_object('b')
    equal(('x', '0666'), (o['type'], o['mode']))


@test
def create_json():
    o, = doc('create', 'a', '-t', 'x')['objects']
    equal(('a', 'x', 'idle'), (o['name'], o['type'], o['state']))
    listed = the_object('a')
    true(o.pop('age') <= listed.pop('age'), 'age')
    equal(listed, o)


@test
def create_what_exists():
    good('create', 'a')
    number = the_object('a')['id']
    contains(('refctl: create: a: ', 'exists already'), bad(1, 'create', 'a'))
    equal([number], [o['id'] for o in objects()])


@test
def create_with_bad_values():
    for mode in ('0', '0777', '1000', '9', '-1', '0640x'):
        contains('bad mode', bad(2, 'create', 'a', '--mode', mode), mode)
    for name in ('a/b', '', 'a\tb', 'a\u202eb'):
        contains('does not take this value', bad(1, 'create', name), repr(name))
    contains('too long', bad(1, 'create', 'x' * 64))
    contains('too long', bad(1, 'create', 'a', '--type', 'x' * 32))
    for name in ('id=5', '#5'):
        contains('would be taken for an id', bad(2, 'create', name))
    equal([], objects())
    good('create', 'x' * 63)
    equal('x' * 63, objects()[0]['name'])


@test
def create_beyond_the_quota():
    with open(PARAMETERS + '/max_objects', encoding='ascii') as file:
        old = file.read()
    try:
        with open(PARAMETERS + '/max_objects', 'w', encoding='ascii') as file:
            file.write('1')
        good('create', 'a', **as_nobody())
        contains(('quota', 'refctl doctor'), bad(1, 'create', 'b', **as_nobody()))
        contains('quota', bad(125, 'hold', 'b', '--', 'true', **as_nobody()))
        checks = {c['check']: c for c in doc('doctor', **as_nobody())['checks']}
        equal('warn', checks['quota']['status'])
        contains('objects 1 of 1', checks['quota']['finding'])
        contains('max_objects', checks['quota']['mend'])
    finally:
        with open(PARAMETERS + '/max_objects', 'w', encoding='ascii') as file:
            file.write(old)
    good('rm', 'a', **as_nobody())


# ---- rm

@test
def rm_by_name_and_id():
    create('a', 'b')
    a, b = objects()
    equal(f'removed a (id {a["id"]})\nremoved b (id {b["id"]})\n', good('rm', 'a', f'id={b["id"]}'))
    equal([], objects())


@test
def rm_goes_on_after_a_missing_one():
    create('a')
    a, = objects()
    result = run('rm', 'nosuch', 'a')
    equal((1, f'removed a (id {a["id"]})\n'), (result.returncode, result.stdout))
    contains('refctl: rm: nosuch: no such object', result.stderr)
    equal([], objects())


@test
def rm_of_what_is_used_names_the_holders():
    create('a')
    with Hold('a') as one, Hold('a', '-n', 2) as two:
        contains(('refctl: rm: a: in use', '3 users', f'pid {one.pid} (refctl)', f'pid {two.pid} (refctl)'),
                 bad(1, 'rm', 'a'))
        equal(3, the_object('a')['users'])
        result = run('-J', 'rm', 'a')
        equal(1, result.returncode)
        row, = parsed(result.stdout)['objects']
        equal(('a', False, 'EBUSY'), (row['name'], row['removed'], row['error']))
    good('rm', 'a')


@test
def rm_dry_run_changes_nothing():
    create('a')
    a, = objects()
    equal(f'would remove a (id {a["id"]})\n', good('rm', '--dry-run', 'a'))
    row, = doc('rm', '--dry-run', 'a')['objects']
    equal({'id': a['id'], 'name': 'a', 'removed': False, 'error': None}, row)
    with Session() as session:
        session.hold('a')
        contains(('in use', f'pid {os.getpid()}'), bad(1, 'rm', '--dry-run', 'a'))
    equal([a['id']], [o['id'] for o in objects()])


@test
def rm_unused():
    create('one', 'used', 'two')
    ids = {o['name']: o['id'] for o in objects()}
    with Session() as session:
        session.hold('used')
        session.hold('transient')
        expected = ''.join(f'would remove {n} (id {ids[n]})\n' for n in ('one', 'two'))
        equal(expected, good('rm', '--unused', '--dry-run'))
        equal(4, len(objects()))
        rows = doc('rm', '--unused')['objects']
        equal([('one', ids['one'], True), ('two', ids['two'], True)],
              [(r['name'], r['id'], r['removed']) for r in rows])
        equal(['used', 'transient'], [o['name'] for o in objects()])
        refused = debugfs_stats()['refused_EBUSY']
        equal('', good('rm', '--unused'))
        equal(refused, debugfs_stats()['refused_EBUSY'], 'it does not even try those in use')
    equal(f'removed used (id {ids["used"]})\n', good('rm', '-u'))
    equal([], objects())


@test
def rm_without_permission():
    create('a', mode=0o644)
    contains(('refctl: rm: a: permission denied', 'mode 0644', 'owner root', 'ask its owner'),
             bad(1, 'rm', 'a', **as_nobody()))
    contains('refctl: rm: a: permission denied', bad(1, 'rm', '--unused', **as_nobody()))
    equal(['a'], [o['name'] for o in objects()])


# ---- hold

@test
def hold_passes_the_exit_status():
    for status in (0, 1, 2, 77, 125, 255):
        equal(status, run('hold', 'a', '--', 'sh', '-c', f'exit {status}').returncode)
    equal([], objects())


@test
def hold_passes_a_death_by_signal():
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        result = run('hold', 'a', '--', 'sh', '-c', f'ulimit -c 0; kill -{int(number)} $$')
        equal(128 + number, result.returncode)


@test
def hold_of_a_command_that_cannot_be_run():
    contains(('refctl: hold: a: ', '/no/such'), bad(127, 'hold', 'a', '--', '/no/such'))
    contains('no-such-command', bad(127, 'hold', 'a', '--', 'no-such-command'))
    contains(('/etc/passwd', 'Permission denied'), bad(126, 'hold', 'a', '--', '/etc/passwd'))
    equal([], objects())


@test
def hold_passes_output_and_arguments():
    equal('a  b|-n|--\n', good('hold', 'a', '--', 'sh', '-c', 'echo "$1|$2|$3"', 'sh', 'a  b', '-n', '--'))


@test
def hold_holds_while_the_command_runs():
    with Hold('a', '-n', 3) as hold:
        o = the_object('a')
        equal(('ready', 3, 1, []), (o['state'], o['users'], o['holders'], o['flags']))
        hold.end()
    equal([], objects())


@test
def hold_persistent():
    with Hold('a', '--persistent', '-m', '0640', '-t', 'x') as hold:
        hold.end()
    o = the_object('a')
    equal(('idle', ['persistent'], '0640', 'x', 1, 1),
          (o['state'], o['flags'], o['mode'], o['type'], o['activations'], o['deactivations']))


@test
def hold_joins_what_exists():
    with Hold('a', '-n', 2) as first:
        with Hold('a', '--existing', '-n', 3) as second:
            equal((5, 2), (the_object('a')['users'], the_object('a')['holders']))
            second.end()
        equal(2, the_object('a')['users'])
        first.end()


@test
def hold_existing_creates_nothing():
    contains(('refctl: hold: a: no such object', 'refctl ls'), bad(125, 'hold', '--existing', 'a', '--', 'true'))
    equal([], objects())


@test
def hold_exclusive_create():
    with Hold('a', '--exclusive-create', '-n', 2):
        contains(('refctl: hold: a: ', 'exists already'),
                 bad(125, 'hold', '--exclusive-create', 'a', '--', 'echo', 'ran'))
        equal(2, the_object('a')['users'])
    contains('exclude each other', bad(125, 'hold', '--exclusive-create', '--existing', 'a', '--', 'true'))
    contains('not an id', bad(125, 'hold', '--exclusive-create', 'id=1', '--', 'true'))


@test
def hold_demands_the_type():
    create('a', tag='video')
    contains(('another type', 'refctl show'), bad(125, 'hold', 'a', '--type', 'audio', '--', 'echo', 'ran'))
    equal('ran\n', good('hold', 'a', '--type', 'video', '--', 'echo', 'ran'))
    number = the_object('a')['id']
    contains('another type', bad(125, 'hold', f'id={number}', '--type', 'audio', '--', 'echo', 'ran'))


@test
def hold_by_id():
    create('a')
    number = the_object('a')['id']
    for arg in (f'id={number}', f'#{number}'):
        with Hold(arg, '-n', 2) as hold:
            equal([('a', hold.pid, 2)], [(h['object'], h['pid'], h['count']) for h in holders()])
    contains('no such object', bad(125, 'hold', f'id={number + 1000}', '--', 'echo', 'ran'))


@test
def hold_more_than_one_call_acquires():
    with Hold('a', '-n', 140000) as hold:
        equal((140000, 140000), (the_object('a')['users'], holders('a')[0]['count']))
        hold.end()
    equal([], objects())
    for number in ('0', '-1', 'x', '1x', '', str(2**29 + 1), '99999999999999999999'):
        contains('bad number', bad(125, 'hold', 'a', '-n', number, '--', 'echo', 'ran'), number)


@test
def hold_options_on_both_sides_of_the_name():
    for args in (('-n', 2, 'a', '--why', 'w', '--'), ('a', '-n', 2, '--why', 'w', '--'),
                 ('--why=w', '-n2', '--', 'a'), ('-n2', 'a', '--why', 'w')):
        text = good('hold', *args, refctl, '-J', 'holders', 'a')
        h, = parsed(text)['holders']
        equal((2, 'w'), (h['count'], h['why']), f'{args}')


@test
def hold_says_why():
    show = (refctl, '-J', 'holders', 'a')
    why = lambda *args: parsed(good('hold', 'a', *args, '--', *show))['holders'][0]['why']
    equal('because', why('--why', 'because'))
    equal(' '.join(show)[:63], why(), 'the command by default')
    equal(None, why('--why', ''))


@test
def hold_why_is_cut_between_characters():
    def why(script):
        """What the command line with this script becomes, and what it would be uncut."""
        command = ('sh', '-c', f': "{script}"; exec {refctl} -J holders a')
        h, = parsed(good('hold', 'a', '--', *command))['holders']
        return h['why'], ' '.join(command)
    for pad in range(4):
        cut, whole = why('.' * pad + 'ä€𝄞' * 20)
        equal(whole.encode()[:63].decode(errors='ignore'), cut)
    true(why('1\n2\x1b\u202e')[0].startswith('sh -c : "1?2??"; exec '), 'not printable')


@test
def hold_refuses_a_bad_why():
    contains('too long', bad(125, 'hold', 'a', '--why', 'x' * 64, '--', 'echo', 'ran'))
    contains('does not take this value', bad(125, 'hold', 'a', '--why', 'a\nb', '--', 'echo', 'ran'))
    equal([], objects())


@test
def hold_without_permission():
    create('a')
    contains(('refctl: hold: a: permission denied', 'ask its owner'),
             bad(125, 'hold', 'a', '--', 'echo', 'ran', **as_nobody()))
    equal(0, the_object('a')['users'])


@test
def hold_does_not_pass_the_session_on():
    text = good('hold', 'a', '--', 'sh', '-c', 'for f in /proc/$$/fd/*; do readlink $f || :; done')
    true(DEVICE not in text and text, text)


@test
def hold_leaves_the_signals_of_the_command_alone():
    def settings(*command, ignored):
        def prepare():
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
        result = subprocess.run([*command, 'grep', '^Sig[BI]', '/proc/self/status'], capture_output=True, check=True,
                                preexec_fn=prepare, env=environment(), text=True)
        return result.stdout
    for ignored in ((), (signal.SIGCHLD, signal.SIGINT)):
        expected = settings('env', ignored=ignored)
        contains('SigBlk:\t0000000000000000', expected)
        equal(expected, settings(refctl, 'hold', 'a', '--', ignored=ignored), f'ignored {ignored}')


@test
def hold_passes_the_status_with_sigchld_ignored():
    result = run('hold', 'a', '--', 'sh', '-c', 'exit 33',
                 preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    equal(33, result.returncode)


@test
def hold_passes_signals_on():
    with Hold('a', command=LISTENER) as hold:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM,
                       signal.SIGWINCH, signal.SIGCONT, signal.SIGRTMIN):
            hold.signal(number)
            hold.line(str(int(number)))
        equal(1, the_object('a')['users'])
        hold.signal(signal.SIGUSR2)
        hold.line(str(int(signal.SIGUSR2)))
        equal(9, hold.tool.wait(), 'the status after all that')
    equal([], objects())


@test
def hold_stops_and_continues():
    # its group has a parent in the session, so it is not orphaned: a terminal stop works
    with Hold('a', command=LISTENER) as hold:
        hold.signal(signal.SIGTSTP)
        hold.line(str(int(signal.SIGTSTP)))
        pid, status = os.waitpid(hold.pid, os.WUNTRACED)
        equal((hold.pid, True), (pid, os.WIFSTOPPED(status)), 'stopped')
        equal(1, the_object('a')['users'], 'still held')
        hold.signal(signal.SIGCONT)
        hold.line(str(int(signal.SIGCONT)))
        hold.signal(signal.SIGUSR2)
        hold.line(str(int(signal.SIGUSR2)))
        equal(9, hold.tool.wait())


@test
def hold_on_a_terminal_gets_keys_once():
    pid, master = pty.fork()
    if not pid:
        # the keys alone: no echo, whose place among the lines is open, and nothing thrown away
        attributes = termios.tcgetattr(0)
        attributes[3] = attributes[3] & ~termios.ECHO | termios.NOFLSH
        termios.tcsetattr(0, termios.TCSANOW, attributes)
        os.execve(refctl, [refctl, 'hold', 'a', '--', *LISTENER], environment())
    with os.fdopen(master, 'r+b', buffering=0) as terminal:
        def line():
            text = b''
            while not text.endswith(b'\n'):
                text += terminal.read(1)
            return text.strip().decode()
        try:
            equal('up', line())
            terminal.write(b'\x03')
            equal(str(int(signal.SIGINT)), line())
            # nobody could continue it here, so it must not stop
            terminal.write(b'\x1a')
            equal(str(int(signal.SIGTSTP)), line())
            os.kill(pid, signal.SIGUSR1)
            equal(str(int(signal.SIGUSR1)), line(), 'after the keys')
            equal(1, the_object('a')['users'])
            os.kill(pid, signal.SIGUSR2)
            equal(str(int(signal.SIGUSR2)), line())
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            _, status = os.waitpid(pid, 0)
    equal(9, os.waitstatus_to_exitcode(status))


@test
def hold_killed_drops_at_once():
    create('stays')
    with Hold('a', '-n', 3) as a, Hold('stays') as stays:
        before = debugfs_stats()
        for hold in (a, stays):
            hold.signal(signal.SIGKILL)
            equal(-signal.SIGKILL, hold.tool.wait())
        equal([('stays', 0)], [(o['name'], o['users']) for o in objects()])
        after = debugfs_stats()
        equal(4, after['references_dropped'] - before['references_dropped'], 'dropped')
        equal(4, after['dropped_signal_9'] - before.get('dropped_signal_9', 0), 'dropped by SIGKILL')
        # the command lives on, without the reference
        a.tool.stdin.write('go on\n')
        a.tool.stdin.flush()
        equal('', a.tool.stdout.read(), 'the command ends by itself')


@test
def hold_that_ends_well_releases():
    before = debugfs_stats()
    good('hold', 'a', '-n', 3, '--', 'true')
    after = debugfs_stats()
    equal((3, 0), tuple(after[k] - before[k] for k in ('references_released', 'references_dropped')),
          'released and dropped')


# ---- doctor

def checks_of(document):
    return {c['check']: c for c in document['checks']}


@test
def doctor_finds_all_well():
    document = doc('doctor')
    true(document['ok'] is True, 'ok')
    checks = checks_of(document)
    equal(['module', 'module-file', 'secure-boot', 'signature', 'node', 'permission', 'answer', 'quota', 'debugfs',
           'taint'], list(checks))
    for name in ('module', 'node', 'permission', 'answer', 'quota', 'debugfs'):
        equal(('ok', None), (checks[name]['status'], checks[name]['mend']), name)
    for name, check in checks.items():
        true(check['status'] in ('ok', 'warn'), f'{name}: {check}')
        equal(check['status'] == 'warn', bool(check['mend']), f'{name}: a warning has its remedy')


@test
def doctor_text():
    words = {'ok': 'ok', 'warn': 'warn', 'fail': 'FAIL', 'skip': '-'}
    for env in ({}, {'REFOBJ_DEVICE': '/no/device'}):
        result = run('doctor', env=env)
        document = parsed(run('doctor', '-J', env=env).stdout)
        expected = []
        for c in document['checks']:
            expected.append(' '.join((words[c['status']], c['check'], c['finding'])))
            if c['mend']:
                expected.append('-> ' + c['mend'])
        equal(expected, [' '.join(line.split()) for line in result.stdout.splitlines()])
        equal(0 if document['ok'] else 1, result.returncode)


@test
def doctor_as_another_user():
    result = run('doctor', '-J', **as_nobody(groups=()))
    equal((1, ''), (result.returncode, result.stderr))
    document = parsed(result.stdout)
    true(document['ok'] is False, 'ok')
    checks = checks_of(document)
    equal(('ok', 'ok', 'fail', 'skip', 'skip', 'warn'),
          tuple(checks[n]['status'] for n in ('module', 'node', 'permission', 'answer', 'quota', 'debugfs')))
    contains((DEVICE, 'owner root', 'group root', 'mode 0660'), checks['permission']['finding'])
    contains(('groupadd', 'usermod -aG', 'chgrp'), checks['permission']['mend'])
    contains('refctl stats', checks['debugfs']['mend'])
    equal(0, run('doctor', **as_nobody()).returncode, 'with the group')


@test
def doctor_knows_the_device_s_group():
    os.chown(DEVICE, 0, 44)
    try:
        checks = checks_of(parsed(run('doctor', '-J', **as_nobody(groups=())).stdout))
        true(re.match(r'as root: usermod -aG \S+ \S+; log in again', checks['permission']['mend']),
             checks['permission']['mend'])
    finally:
        os.chown(DEVICE, 0, 0)


@test
def doctor_without_a_device():
    result = run('doctor', '-J', env={'REFOBJ_DEVICE': '/no/device'})
    checks = checks_of(parsed(result.stdout))
    equal((1, 'ok', 'fail', 'skip'), (result.returncode, checks['module']['status'], checks['node']['status'],
                                      checks['permission']['status']))
    contains('mknod', checks['node']['mend'])
    result = run('doctor', '-J', env={'REFOBJ_DEVICE': '/dev/null'})
    checks = checks_of(parsed(result.stdout))
    equal((1, 'fail', 'fail'), (result.returncode, checks['node']['status'], checks['permission']['status']))
    result = run('doctor', '-J', env={'REFOBJ_DEVICE': '/etc/passwd'})
    equal((1, 'fail'), (result.returncode, checks_of(parsed(result.stdout))['node']['status']))


@test
def doctor_without_debugfs():
    result = in_mounts(f'umount -l {DEBUGFS}', 'doctor', '-J')
    check = checks_of(parsed(result.stdout))['debugfs']
    equal((0, 'warn'), (result.returncode, check['status']))
    contains('mount -t debugfs', check['mend'])


NO_MODULE = '''
mount -t tmpfs none /sys/module
'''
MODULE_FILE = '''
mount -t tmpfs none /lib/modules
mkdir -p /lib/modules/$(uname -r)/extra
echo "extra/refobj.ko:" > /lib/modules/$(uname -r)/modules.dep
echo not signed > /lib/modules/$(uname -r)/extra/refobj.ko
'''
SECURE_BOOT = '''
mount -t tmpfs none /sys/firmware
mkdir -p /sys/firmware/efi/efivars
printf '\\006\\0\\0\\0\\001' > /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
mount -t tmpfs none /sys/kernel/security
echo 'none [integrity] confidentiality' > /sys/kernel/security/lockdown
'''


@test
def doctor_without_the_module():
    result = in_mounts(NO_MODULE, 'doctor', '-J')
    checks = checks_of(parsed(result.stdout))
    equal((1, 'fail'), (result.returncode, checks['module']['status']))
    contains('insmod', checks['module']['mend'])
    result = in_mounts(NO_MODULE + MODULE_FILE, 'doctor', '-J')
    checks = checks_of(parsed(result.stdout))
    equal((1, 'fail', 'modprobe refobj', 'ok'), (result.returncode, checks['module']['status'],
                                                 checks['module']['mend'], checks['module-file']['status']))


@test
def doctor_with_the_module_installed():
    result = in_mounts(MODULE_FILE, 'doctor', '-J')
    check = checks_of(parsed(result.stdout))['module-file']
    equal((0, 'ok', None), (result.returncode, check['status'], check['mend']))
    contains('extra/refobj.ko', check['finding'])


@test
def doctor_with_secure_boot():
    result = in_mounts(SECURE_BOOT + NO_MODULE + MODULE_FILE, 'doctor', '-J')
    checks = checks_of(parsed(result.stdout))
    contains(('Secure Boot on', 'lockdown integrity', 'refuses'), checks['secure-boot']['finding'])
    equal((1, 'fail'), (result.returncode, checks['signature']['status']))
    contains(('openssl req', 'sign-file', 'extra/refobj.ko', 'mokutil --import'), checks['signature']['mend'])
    # loaded all the same, as before the lock-down
    result = in_mounts(SECURE_BOOT, 'doctor', '-J')
    checks = checks_of(parsed(result.stdout))
    equal(0, result.returncode)
    true(checks['signature']['status'] in ('ok', 'warn'), f'{checks["signature"]}')


@test
def doctor_sees_a_tainted_kernel():
    script = 'mount -t tmpfs none /mnt; echo {} > /mnt/taint; mount --bind /mnt/taint /proc/sys/kernel/tainted'
    for taint, status, letters in ((0, 'ok', 'none'), (4096, 'ok', 'taint O'), (4096 + 512, 'warn', 'taint WO'),
                                   (128, 'warn', 'taint D')):
        result = in_mounts(script.format(taint), 'doctor', '-J')
        check = checks_of(parsed(result.stdout))['taint']
        equal((0, status), (result.returncode, check['status']), f'{taint}')
        contains(letters, check['finding'])


@test
def colours_only_on_a_terminal_and_if_wanted():
    status, text = on_terminal('doctor')
    equal((0, True), (status, '\x1b[' in text), 'a terminal')
    for env in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
        status, text = on_terminal('doctor', **env)
        equal((0, False), (status, '\x1b' in text), f'{env}')
    status, text = on_terminal('doctor', NO_COLOR='')
    true('\x1b[' in text, 'an empty NO_COLOR forbids nothing')
    true('\x1b' not in good('doctor'), 'a pipe')
    create('a')
    true('\x1b' not in on_terminal('ls')[1], 'ls')


# ---- the runner

def find_tool():
    """The tool's path, or None."""
    if 'REFCTL' in os.environ:
        return shutil.which(os.environ['REFCTL'])
    here = os.path.dirname(os.path.realpath(__file__))
    # from the source, and from where kselftest has installed this
    for built in ('../build/userspace/refctl', '../../userspace/refctl'):
        if path := shutil.which(os.path.join(here, built)):
            return path
    return shutil.which('refctl')


def obstacle():
    """Why there can be no tests here, or None."""
    if os.geteuid():
        return 'not root'
    if not os.path.exists(DEVICE):
        return f'no {DEVICE}: the module is not loaded'
    if not shutil.which('unshare'):
        return 'no unshare (util-linux)'
    if not os.path.exists(DEBUGFS + '/refobj/stats'):
        subprocess.run(['mount', '-t', 'debugfs', 'none', DEBUGFS], check=False, capture_output=True)
    if not os.path.exists(DEBUGFS + '/refobj/stats'):
        return 'no debugfs'
    return None


def hangs(*_):
    raise Failure(f'it hangs, after {PATIENCE} s')


def perform(function):
    """Runs one test: what to say after its name, and the column of the totals."""
    clone_newnet = 0x40000000
    if libc.unshare(clone_newnet):
        return f' # SKIP no network namespace: {os.strerror(ctypes.get_errno())}', 'skip'
    signal.alarm(PATIENCE)
    try:
        function()
    except Skip as why:
        return f' # SKIP {why}', 'skip'
    except Exception:   # pylint: disable=broad-except
        for line in traceback.format_exc().splitlines():
            print('#', line)
        return '', 'fail'
    finally:
        signal.alarm(0)
        with Session() as session:
            session.clean_up()
    return '', 'pass'


def main():
    global refctl, scratch
    words = sys.argv[1:]
    if words == ['-l']:
        print('\n'.join(t.__name__ for t in tests))
        return 0
    chosen = [t for t in tests if not words or any(w in t.__name__ for w in words)]
    print('TAP version 13')
    refctl = find_tool()
    if not refctl and 'REFCTL' in os.environ:
        print(f'Bail out! REFCTL={os.environ["REFCTL"]}: no such program')
        return 1
    why = obstacle() or (None if refctl else 'refctl is not built')
    if why:
        print(f'1..0 # SKIP {why}')
        return 4
    print(f'1..{len(chosen)}', flush=True)
    totals = {'pass': 0, 'fail': 0, 'skip': 0}
    signal.signal(signal.SIGALRM, hangs)
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        for number, function in enumerate(chosen, 1):
            remark, outcome = perform(function)
            totals[outcome] += 1
            print(f'{"not ok" if outcome == "fail" else "ok"} {number} {function.__name__}{remark}', flush=True)
    print(f'# Totals: pass:{totals["pass"]} fail:{totals["fail"]} xfail:0 xpass:0 skip:{totals["skip"]} error:0')
    if totals['fail']:
        return 1
    return 0 if totals['pass'] else 4


if __name__ == '__main__':
    sys.exit(main())
