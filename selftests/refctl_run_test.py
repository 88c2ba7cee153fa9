#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""refctl run: what does not go as a scenario says is told, and nothing is left of it.

The scenarios themselves are run by scenarios.sh; here they fail. Needs root and the module.
The tool is $REFCTL, else that of the project's build folder, else that in PATH.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

STATS = '/sys/kernel/debug/refobj/stats'
PATIENCE = 120 * int(os.environ.get('REFOBJ_SLOW', 1))
here = os.path.dirname(os.path.abspath(__file__))
tests = []
scratch = refctl = None

# What is done before the step that fails, which is line 5 of the file.
BODY = 'scenario "s" {{\nactor a b\na: create x persistent\na: watch x\n{}\n}}\n'

# Steps that must fail, at which column, and the reason that must be given.
FAILURES = (
    ('a: acquire x = not-first', 1, 'expected not-first, got first'),
    ('a: release x', 1, 'expected no error, got ERANGE'),
    ('a: lookup x = ENOENT', 1, 'expected ENOENT, got a success (0)'),
    ('a: stat x = users 1', 1, 'expected users 1, got 0'),
    ('a: stat x = state ready', 1, "expected state ready, got 'idle'"),
    ('a: stat x = ESTALE', 1, 'expected ESTALE, got a success'),
    ('a: expect nothing', 1, 'expected no event, got snapshot cause none state idle'),
    ('a: expect activated', 1, "expected event activated, got 'snapshot'"),
    ('a: expect snapshot users 2', 1, 'expected users 2, got 0'),
    ('a: await activated within 50ms', 1, 'ms, got none'),
    ('a: wait x active within 50ms', 1, 'expected no error, got ETIMEDOUT'),
    ('a: wait x idle = ETIMEDOUT', 1, 'expected ETIMEDOUT, got a success'),
    ('a: holders x = total 1', 1, 'expected total 1, got 0'),
    ('a: holders x = why "y"', 1, 'expected why y, got no why'),
    ('a: release-all = 1', 1, 'expected 1, got 0'),
    ('a.other: info', 1, 'expected no error, got EBADF'),
    ('a: get-file x = "abc"', 1, 'expected no error, got EPERM'),
    ('counters objects 0', 1, 'expected objects 0, got 1'),
    ('log "nobody writes this"', 1, "expected such a line in the kernel's log, got none"),
    ('log "("', 1, 'expected an extended regular expression, got one with an error'),
    ('leave-nothing', 1, 'expected as many objects as in the beginning, got 1 more'),
    ('deadline 100ms\nb: receive fd', 1, 'expected an end in time, got the deadline of the scenario'),
    ('parallel {\na: info\nb: stat x = users 7\n}', 1, 'expected users 7, got 0'),
    ('parallel {\na: info\nbarrier\nb: stat x = users 8\n}', 1, 'expected users 8, got 0'),
    ('a: expect snapshot\na: expect activated within 50ms start\na: finish', 1, 'ms, got none'),
    ('a: wait x active within 50ms start\na: finish', 1, 'expected no error, got ETIMEDOUT'),
    ('a: create y = EEXIST\na: acquire y', 1, 'expected EEXIST, got a success'),
    ('a: create x = EEXIST\na: lookup y = ENOENT\na: acquire y', 1, "expected an object with an id, got 'y'"),
)


def test(function):
    tests.append(function)
    return function


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(expected, measured, what=''):
    true(expected == measured, f'{what}: expected {expected!r}, got {measured!r}')


def write(name, text):
    path = os.path.join(scratch, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def run(*args, **more):
    return subprocess.run([refctl, 'run', *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=PATIENCE, check=False, **more)


def stats():
    with open(STATS, encoding='ascii') as file:
        return {name: int(value) for name, value in map(str.split, file)}


def levels():
    now = stats()
    return {name: now.get(name, 0) for name in ('objects', 'references', 'sessions')}


def leaves(before, what):
    """As many as before, as soon as the network namespace of the scenario has gone: the kernel ends it when it has time."""
    end = time.monotonic() + PATIENCE
    while levels() != before and time.monotonic() < end:
        time.sleep(0.01)
    equal(before, levels(), what)


def actors(tool):
    """The pids of the runner's children."""
    found = subprocess.run(['pgrep', '-P', str(tool.pid)], capture_output=True, text=True, check=True)
    return [int(pid) for pid in found.stdout.split()]


@test
def what_goes_wrong_is_told():
    for step, column, reason in FAILURES:
        path = write('wrong.scn', BODY.format(step))
        before = levels()
        result = run(path)
        message = [line for line in result.stdout.splitlines() if path in line and reason in line]
        equal(1, result.returncode, f'{step}: status')
        true(message and f'{path}:' in message[0] and f':{column}: ' in message[0] and 'not ok 1 s' in result.stdout,
             f'{step}: {reason!r} is not in {result.stdout!r} {result.stderr!r}')
        leaves(before, f'{step}: what is left')


@test
def who_ends_by_itself_is_told():
    path = write('ends.scn', BODY.format('b: receive nothing'))
    before = levels()
    with subprocess.Popen([refctl, 'run', '--trace', path], stdout=subprocess.PIPE, text=True) as tool:
        while 'a: watch' not in tool.stdout.readline():
            pass
        os.kill(max(actors(tool)), signal.SIGKILL)
        true("expected a reply, got the end of 'b' by signal 9" in tool.stdout.read(), 'it does not say who died')
        equal(1, tool.wait(PATIENCE), 'status')
    leaves(before, 'what is left')


@test
def goes_on_if_told_to():
    bad = 'scenario "bad" {\nactor a\na: info = EPERM\n}\nscenario "good" {\nactor a\n}\n'
    folder = os.path.dirname(write('many/a.scn', bad))
    write('many/b.scn', 'scenario "fine" {\nactor a\n}\n')
    result = run(folder)
    equal(1, result.returncode)
    for line in ('not ok 1 bad', 'ok 2 good # SKIP', 'ok 2 ' + folder + '/b.scn # SKIP'):
        true(line in result.stdout, f'{line} is not in {result.stdout}')
    result = run('--keep-going', folder)
    equal(1, result.returncode)
    for line in ('not ok 1 bad', 'ok 2 good\n', 'ok 1 fine\n', 'not ok 1 ' + folder + '/a.scn', f'ok 2 {folder}/b.scn'):
        true(line in result.stdout, f'{line} is not in {result.stdout}')


@test
def skips_what_cannot_be():
    path = write('new.scn', 'scenario "s" {\nrequires kernel 99.0\n}\n')
    result = run(path)
    equal(4, result.returncode)
    true('ok 1 s # SKIP needs kernel 99.0' in result.stdout, result.stdout)
    equal(0, run(path, write('old.scn', 'scenario "s" {\nrequires kernel 4.19\nrequires root\nrequires counters\n'
                             'requires log\nrequires feature edges\n}\n')).returncode, 'one of two')
    result = run(path, env={'REFOBJ_DEVICE': '/dev/no-such'})
    true('SKIP no device' in result.stdout and result.returncode == 4, result.stdout)


@test
def errors_of_files():
    path = write('error.scn', 'scenario "s" {\nactor a\na: acqire x\n}\n')
    result = run(path)
    equal((1, f"{path}:3:4: expected a verb, got 'acqire'; did you mean 'acquire'?\n"),
          (result.returncode, result.stderr))
    result = run(write('empty.scn', '# nothing\n'))
    true(result.returncode == 1 and 'expected a scenario, got none' in result.stderr, result.stderr)
    for args, word in (((), 'is missing'), (('--seed', 'x', path), 'bad seed'), (('--actor=1', path), 'bad sockets')):
        result = run(*args)
        true(result.returncode == 2 and word in result.stderr, f'{args}: {result.stderr}')
    equal(1, run('/no/such/file').returncode)
    equal(1, run(os.path.dirname(write('folder/none.txt', ''))).returncode)


@test
def tells_programs():
    path = write('json.scn', 'scenario "bad" {\nactor a\na: info = EPERM\n}\nscenario "good" {\nactor a\n}\n')
    result = run('-J', '--keep-going', path)
    document = json.loads(result.stdout)
    equal((1, 1), (result.returncode, document['version']))
    file = document['files'][0]
    equal((path, 'fail', ['fail', 'pass'], [1, 5]), (file['file'], file['result'],
          [s['result'] for s in file['scenarios']], [s['line'] for s in file['scenarios']]))
    true('expected EPERM, got a success' in file['scenarios'][0]['message'], file)
    true('expected a verb' in json.loads(run('-J', write('error.scn', 'scenario "s" {\nactor a\na: x\n}\n')).stdout)
         ['files'][0]['errors'], 'errors of the file')


@test
def tells_each_step():
    path = write('trace.scn', BODY.format('a: acquire x count 3 = first'))
    result = run('--trace', path)
    for words in (' ms  pid ', 'a: acquire x count 3 = first -> 1', '[x: ready, users 3]', 'actor b'):
        true(words in result.stdout, f'{words} is not in {result.stdout}')


@test
def draws_what_happened():
    path = write('draw.scn', BODY.format('a: acquire x count 3 = first\nkill a\nb: info = EPERM') +
                 'scenario "<&>" {\nactor c\n}\n')
    picture = os.path.join(scratch, 'picture.svg')
    equal(1, run('--keep-going', '--svg', picture, path).returncode)
    root = xml.etree.ElementTree.parse(picture).getroot()
    texts = [element.text for element in root.iter('{http://www.w3.org/2000/svg}text')]
    for text in ('s', '<&>', 'a', 'b', 'c', 'x: 3'):
        true(text in texts, f'{text} is not in {texts}')
    true(any('expected EPERM, got a success' in text for text in texts), 'the failure')
    equal(1, len(root.findall(".//*[@class='k']")), 'kills')
    true('cannot write the picture' in run('--svg', '/no/such/picture', path).stderr, 'no complaint')


@test
def chance_is_the_same_again():
    path = write('chance.scn', 'scenario "s" {\nlet n = $random % 1000000\nactor a$n\n}\n')
    plan = [run('--dry-run', '--seed', seed, path).stdout for seed in ('7', '7', '8')]
    true(plan[0] == plan[1] != plan[2], plan)


@test
def ends_when_told_to():
    path = write('hangs.scn', BODY.format('a: acquire x\nb: acquire x\nb: receive nothing'))
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        before = levels()
        with subprocess.Popen([refctl, 'run', '--trace', path], stdout=subprocess.PIPE, text=True) as tool:
            while 'b: acquire' not in tool.stdout.readline():
                pass
            pids = actors(tool)
            equal(2, len(pids), 'actors')
            handles = [os.pidfd_open(pid) for pid in pids]
            tool.send_signal(sig)
            if sig != signal.SIGKILL:
                true('interrupted' in tool.stdout.read(), 'it does not tell of the interruption')
            equal(-9 if sig == signal.SIGKILL else 1, tool.wait(PATIENCE), 'status')
        for handle in handles:
            # whoever is not the runner's any more ends soon
            with os.fdopen(handle) as process:
                true(select.select([process], [], [], PATIENCE)[0], f'an actor outlives signal {sig}')
        if sig != signal.SIGKILL:
            leaves(before, f'what is left after signal {sig}')


@test
def nobody_can_run_them():
    folder = write('nobody/refctl', '')
    shutil.copy(refctl, folder)
    os.chmod(folder, 0o755)
    os.chmod(scratch, 0o755)
    path = write('nobody/own.scn', BODY.format('b: acquire x = first\nkill b\na: destroy x\nleave-nothing'))
    other = write('nobody/user.scn', 'scenario "s" {\nactor a user 0\n}\n')
    result = subprocess.run([folder, 'run', path, other], capture_output=True, text=True, user=65534, group=65534,
                            extra_groups=[0], timeout=PATIENCE, check=False)
    equal(0, result.returncode, result.stdout + result.stderr)
    true('ok 1 s # SKIP another user needs root' in result.stdout, result.stdout)


def main():
    global scratch, refctl
    paths = (os.environ.get('REFCTL'), f'{here}/../build/userspace/refctl', f'{here}/../../userspace/refctl',
             shutil.which('refctl'))
    refctl = next((p for p in paths if p and os.access(p, os.X_OK)), None)
    if not refctl or os.geteuid() or not os.path.exists('/dev/refobj') or not os.path.exists(STATS):
        print('1..0 # SKIP needs root, the module, debugfs, and refctl: run make')
        return 4
    refctl = os.path.abspath(refctl)
    failed = 0
    print(f'TAP version 13\n1..{len(tests)}')
    with tempfile.TemporaryDirectory() as scratch:
        for number, function in enumerate(tests, 1):
            try:
                function()
                print(f'ok {number} {function.__name__}', flush=True)
            except Exception as error:  # the next test must run
                failed += 1
                for line in f'{type(error).__name__}: {error}'.splitlines():
                    print('#', line)
                print(f'not ok {number} {function.__name__}', flush=True)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
