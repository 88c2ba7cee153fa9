#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does a netlink spec, in the kernel's genetlink format, agree with its C header?

	netlink_spec.py SPEC.yaml HEADER.h [SOURCE.c]

Both ways: what the spec defines must be in the header under the name that the
kernel's generator would give it, and with that value; what the header defines must
be in the spec. The compiler reads the header. Of the source, the types with which
attributes are put into messages (nla_put_u32() and its kin, called with the name)
and demanded by policies must be those of the spec. Exit status: 0 if they agree, 1 if
not, with a line for each difference, 2 if they could not be compared.
"""
import os
import re
import subprocess
import sys
import tempfile

import yaml


class Unusable(Exception):
    """The spec or the header cannot be read."""


def c_name(text):
    return re.sub(r'[^A-Za-z0-9]', '_', text).upper()


class Spec:
    """The C names that a spec stands for, each with its value and where it is."""

    def __init__(self, path):
        self.names = {}
        self.types = {}
        self.problems = []
        try:
            with open(path, encoding='utf-8') as file:
                spec = yaml.safe_load(file)
            self._read(spec)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise Unusable(f'{path}: {error}') from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unusable(f'{path}: not a genetlink spec: {error!r}') from error

    def _add(self, name, value, where):
        name = c_name(name)
        if name in self.names:
            self.problems.append(f'{name}: twice in the spec: {where}, '
                                 f'{self.names[name][1]}')
        self.names[name] = (value, where)

    def _enum(self, prefix, entries, start, where):
        """Entries count up, as in C, from where one says a value."""
        value = start - 1
        for entry in entries:
            if isinstance(entry, str):
                entry = {'name': entry}
            value = entry.get('value', value + 1)
            self._add(prefix + entry['name'], value, f'{where} {entry["name"]}')
        return value

    def _sentinel(self, prefix, last, where):
        self._add('__' + prefix + 'max', last + 1, where)
        self._add(prefix + 'max', last, where)

    def _definition(self, family, item):
        where = f'definition {item["name"]}'
        prefix = item.get('name-prefix', f'{family}-{item["name"]}-')
        if item['type'] == 'const':
            self._add(item.get('c-define-name', f'{family}-{item["name"]}'),
                      item['value'], where)
        elif item['type'] == 'flags':
            for bit, entry in enumerate(item['entries'], item.get('value-start', 0)):
                name = entry if isinstance(entry, str) else entry['name']
                if not isinstance(entry, str):
                    bit = entry.get('value', bit)
                self._add(prefix + name, 1 << bit, f'{where} {name}')
        elif item['type'] == 'enum':
            last = self._enum(prefix, item['entries'], item.get('value-start', 0),
                              where)
            if item.get('render-max'):
                self._sentinel(prefix, last, where)
        else:
            self.problems.append(f'{where}: type {item["type"]} is not checked')

    def _read(self, spec):
        family = spec['name']
        known = {}
        self._add(spec.get('c-family-name', f'{family}-family-name'), family,
                  'the name')
        self._add(spec.get('c-version-name', f'{family}-family-version'),
                  spec.get('version', 1), 'the version')
        for item in spec.get('definitions', []):
            # What another header defines is not this one's to say.
            if 'header' not in item:
                self._definition(family, item)
        for item in spec['attribute-sets']:
            known[item['name']] = {a['name'] for a in item['attributes']}
            if 'subset-of' in item:
                continue
            own = '' if item['name'] == family else f'{item["name"]}-'
            prefix = item.get('name-prefix', f'{family}-a-{own}')
            where = f'attribute set {item["name"]}'
            for attribute in item['attributes']:
                self.types[c_name(prefix + attribute['name'])] = attribute['type']
            self._sentinel(prefix, self._enum(prefix, item['attributes'], 1, where),
                           where)
        operations = spec['operations']
        prefix = operations.get('name-prefix', f'{family}-cmd-')
        self._sentinel(prefix, self._enum(prefix, operations['list'], 1,
                                          'operation'), 'operations')
        groups = spec.get('mcast-groups', {}).get('list', [])
        for group in groups:
            self._add(group.get('c-define-name', f'{family}-mcgrp-{group["name"]}'),
                      group['name'], f'group {group["name"]}')
        for item in operations['list']:
            self._operation(item, known, {group['name'] for group in groups})

    def _operation(self, item, known, groups):
        """Attributes and groups are named by hand: do they exist?"""
        where = f'operation {item["name"]}'
        if item.get('mcgrp', None) not in groups | {None}:
            self.problems.append(f'{where}: no group {item["mcgrp"]}')
        if 'attribute-set' not in item:
            return
        if item['attribute-set'] not in known:
            self.problems.append(f'{where}: no attribute set {item["attribute-set"]}')
            return
        for how in ('do', 'dump', 'event'):
            parts = item.get(how) or {}
            for part in [parts] if how == 'event' else \
                    [parts.get('request') or {}, parts.get('reply') or {}]:
                for name in part.get('attributes', []):
                    if name not in known[item['attribute-set']]:
                        self.problems.append(f'{where}: {how}: no attribute {name}')


# How C says the types that it has another word for.
C_TYPES = {'u64_64bit': 'u64', 's64_64bit': 's64', 'nul_string': 'string', '': 'binary',
           'start': 'nest', 'nested': 'nest'}


def source_types(path):
    """The attributes that a source puts or has a policy for, each with a type."""
    try:
        with open(path, encoding='utf-8') as file:
            source = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f'{path}: {error}') from error
    source = re.sub(r'/\*.*?\*/|//[^\n]*', ' ', source, flags=re.S)
    found = {(name, kind) for kind, name in
             re.findall(r'\bnla_(?:put|nest)_?(\w*)\(\s*\w+\s*,\s*([A-Z]\w*)', source)}
    found |= {(name, kind.lower()) for name, kind in
              re.findall(r'\[(\w+)\]\s*=\s*(?:\{\s*\.type\s*=\s*|NLA_POLICY_\w+\(\s*)'
                         r'NLA_(\w+)', source)}
    return sorted((name, C_TYPES.get(kind, kind)) for name, kind in found)


def compiler(*args, text=None):
    cc = os.environ.get('CC', 'gcc').split()
    try:
        run = subprocess.run([*cc, *args], input=text, capture_output=True,
                             text=True, check=False)
    except OSError as error:
        raise Unusable(f'{cc[0]}: {error.strerror}; set CC') from error
    if run.returncode:
        raise Unusable(f'{cc[0]} does not take it:\n{run.stderr}')
    return run.stdout


def header_names(path):
    """Enumerators and macros with a value that the header itself, not one that it
    includes, defines."""
    try:
        with open(path, encoding='utf-8') as file:
            source = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f'{path}: {error}') from error
    source = re.sub(r'/\*.*?\*/|//[^\n]*', ' ', source, flags=re.S)
    names = re.findall(r'^\s*#\s*define\s+(\w+)[ \t]+\S', source, re.M)
    source = re.sub(r'^\s*#.*$', '', source, flags=re.M)
    for body in re.findall(r'\benum\b[^{};]*\{([^}]*)\}', source):
        names += [entry.split('=')[0].strip() for entry in body.split(',')
                  if entry.strip()]
    return list(dict.fromkeys(names))


def header_values(path):
    """What the compiler says that the names of the header stand for."""
    names = header_names(path)
    lines = ['#include <stdio.h>', f'#include "{os.path.abspath(path)}"',
             'static void text(const char *n, const char *v)',
             '{ printf("%s s%s\\n", n, v); }',
             'static void number(const char *n, long long v)',
             '{ printf("%s n%lld\\n", n, v); }',
             'int main(void) {']
    lines += [f'_Generic(({name}), char *: text, default: number)("{name}", {name});'
              for name in names]
    lines += ['return 0; }', '']
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'values')
        compiler('-w', '-x', 'c', '-o', program, '-', text='\n'.join(lines))
        output = subprocess.run([program], capture_output=True, text=True,
                                check=True).stdout
    values = {}
    for line in output.splitlines():
        name, value = line.split(' ', 1)
        values[name] = int(value[1:]) if value[0] == 'n' else value[1:]
    return values


def main(args):
    if len(args) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        spec = Spec(args[0])
        values = header_values(args[1])
        types = source_types(args[2]) if len(args) == 3 else []
    except Unusable as error:
        print(f'netlink_spec.py: {error}', file=sys.stderr)
        return 2
    problems = spec.problems
    for name, (value, where) in spec.names.items():
        if name not in values:
            problems.append(f'{name}: in {args[0]} ({where}), not in {args[1]}')
        elif values[name] != value:
            problems.append(f'{name}: {value!r} in {args[0]} ({where}), '
                            f'{values[name]!r} in {args[1]}')
    problems += [f'{name}: in {args[1]}, not in {args[0]}'
                 for name in values if name not in spec.names]
    for name, kind in types:
        if name in spec.types and spec.types[name] != kind:
            problems.append(f'{name}: {spec.types[name]} in {args[0]}, '
                            f'{kind} in {args[2]}')
    if len(args) == 3 and not types:
        problems.append(f'{args[2]}: puts no attribute that is known here')
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
