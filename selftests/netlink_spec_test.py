#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does netlink_spec.py find what it is for? A spec and a header that agree, then
each with one mistake planted."""
import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'netlink_spec.py')

SPEC = '''
name: pet
protocol: genetlink
version: 2
definitions:
  - {name: name-size, type: const, value: 64}
  - {name: mood, type: enum, value-start: 1, entries: [calm, {name: wild, value: 7}, mad]}
  - {name: want, type: flags, entries: [food, {name: walk}]}
  - {name: elsewhere, type: enum, header: linux/other.h, entries: [odd]}
attribute-sets:
  - name: pet
    attributes:
      - {name: id, type: u64}
      - {name: name, type: string}
      - {name: late, type: u32, value: 9}
  - name: toy
    attributes: [{name: id, type: u32}]
  - name: brief
    subset-of: pet
    attributes: [{name: id}]
operations:
  list:
    - name: get
      attribute-set: pet
      do: {request: {attributes: [id]}, reply: {attributes: [id, name]}}
      dump: {reply: {attributes: [late]}}
    - {name: told, attribute-set: brief, mcgrp: events, event: {attributes: [id]}}
mcast-groups:
  list: [{name: events}]
'''

HEADER = '''
/* enum { PET_NOT_THERE } */
#ifndef PET_H
#define PET_H
#include <limits.h>
#define PET_FAMILY_NAME "pet"
#define PET_FAMILY_VERSION 2
#define PET_NAME_SIZE 0x40
enum pet_mood { PET_MOOD_CALM = 1, PET_MOOD_WILD = 7, PET_MOOD_MAD };
enum pet_want { PET_WANT_FOOD = 1U << 0, PET_WANT_WALK = 1U << 1 };
enum {
	PET_A_ID = 1,	/* who, and where */
	PET_A_NAME,
	PET_A_LATE = 9,

	__PET_A_MAX,
	PET_A_MAX = (__PET_A_MAX - 1)
};
enum { PET_A_TOY_ID = 1, __PET_A_TOY_MAX, PET_A_TOY_MAX = __PET_A_TOY_MAX - 1 };
enum { PET_CMD_GET = 1, PET_CMD_TOLD, __PET_CMD_MAX, PET_CMD_MAX = __PET_CMD_MAX - 1, };
#define PET_MCGRP_EVENTS "events"
#endif
'''

SOURCE = '''
static const struct nla_policy policy[] = {
	[PET_A_NAME] = { .type = NLA_NUL_STRING, .len = 3 },
	[PET_A_LATE] = NLA_POLICY_MAX(NLA_U32, 3),
};
/* nla_put_u8(skb, PET_A_ID, 0) */
static int put(struct sk_buff *skb)
{
	return nla_put_u64_64bit(skb,
				 PET_A_ID, 1, 0) ||
	       nla_put_string(skb, PET_A_NAME, "x") ||
	       nla_put_u32(skb, PET_A_LATE, 1);
}
'''


class Differences(unittest.TestCase):
    """Each test changes one thing and wants one complaint about it."""

    def check(self, spec=SPEC, header=HEADER, source=SOURCE):
        """The exit status of the check, and what it says."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in
                     ('pet.yaml', 'pet.h', 'pet.c')]
            for path, text in zip(paths, (spec, header, source)):
                with open(path, 'w', encoding='utf-8') as file:
                    file.write(text)
            run = subprocess.run([sys.executable, CHECK, *paths], text=True,
                                 capture_output=True, check=False)
        return run.returncode, run.stderr

    def differs(self, what, old, new, spec=False):
        text = SPEC if spec else HEADER
        self.assertIn(old, text)
        changed = text.replace(old, new, 1)
        status, said = self.check(spec=changed) if spec else self.check(header=changed)
        self.assertEqual(1, status, said)
        self.assertIn(what, said)

    def test_agreement(self):
        self.assertEqual((0, ''), self.check())

    def test_header(self):
        for what, old, new in (
                ('PET_A_NAME', 'PET_A_NAME,', ''),
                ('PET_A_NEW: in', 'PET_A_LATE = 9,', 'PET_A_LATE = 9, PET_A_NEW,'),
                ('PET_A_MAX: 9', 'PET_A_LATE = 9,', 'PET_A_LATE = 9, PET_A_NEW,'),
                ('PET_A_LATE: 9', 'PET_A_LATE = 9', 'PET_A_LATE = 8'),
                ('PET_A_TOY_ID: 1', 'PET_A_TOY_ID = 1', 'PET_A_TOY_ID = 2'),
                ('PET_CMD_GET: 1', 'GET = 1, PET_CMD_TOLD', 'TOLD = 1, PET_CMD_GET'),
                ('PET_MOOD_MAD: 8', 'PET_MOOD_MAD', 'PET_MOOD_MAD = 9'),
                ('PET_WANT_WALK: 2', '1U << 1', '1U << 2'),
                ('PET_NAME_SIZE: 64', '0x40', '0x41'),
                ('PET_EXTRA: in', '#endif', '#define PET_EXTRA 1\n#endif'),
                ('PET_FAMILY_NAME', '"pet"', '"pets"'),
                ('PET_FAMILY_VERSION: 2', 'VERSION 2', 'VERSION 1'),
                ('PET_MCGRP_EVENTS', '"events"', '"event"')):
            with self.subTest(what):
                self.differs(what, old, new)

    def test_spec(self):
        for what, old, new in (
                ('no attribute nick', 'attributes: [id, name]', 'attributes: [id, nick]'),
                ('no attribute late', 'event: {attributes: [id]}',
                 'event: {attributes: [late]}'),
                ('no attribute set cat', 'attribute-set: pet', 'attribute-set: cat'),
                ('no group event', 'mcgrp: events', 'mcgrp: event'),
                ('PET_MOOD_MAD: twice', '[calm, ', '[calm, mad, '),
                ('is not checked', 'type: flags', 'type: struct')):
            with self.subTest(what):
                self.differs(what, old, new, spec=True)

    def test_types(self):
        for what, old, new in (
                ('PET_A_ID: u64', 'nla_put_u64_64bit', 'nla_put_u32'),
                ('PET_A_NAME: string', 'nla_put_string(', 'nla_put('),
                ('PET_A_LATE: u32', 'nla_put_u32(', 'nla_put_flag('),
                ('PET_A_NAME: string', 'NLA_NUL_STRING', 'NLA_BINARY'),
                ('PET_A_LATE: u32', 'MAX(NLA_U32', 'MAX(NLA_U8')):
            with self.subTest(new):
                self.assertIn(old, SOURCE)
                status, said = self.check(source=SOURCE.replace(old, new, 1))
                self.assertEqual(1, status, said)
                self.assertIn(what, said)
        self.assertEqual(1, self.check(source='int x;')[0])

    def test_unusable(self):
        for spec, header in (('[', HEADER), ('name: pet', HEADER), ('7', HEADER),
                             (SPEC, 'enum { PET_A = };')):
            with self.subTest(spec + header):
                status, said = self.check(spec, header)
                self.assertEqual(2, status, said)
                self.assertNotIn('Traceback', said)


if __name__ == '__main__':
    unittest.main()
