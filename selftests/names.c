// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which strings /dev/refobj takes as names, types and reasons, and when two of
 * them are the same.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "refobj_test.h"
#include "../kselftest_harness.h"

/*
 * A registry to themselves, where that is allowed. One for all tests: to make and
 * remove a network namespace for each takes longer than what they test.
 */
static void __attribute__((constructor)) own_registry(void)
{
	if (unshare(CLONE_NEWNET))
		printf("# sharing the registry: %s\n", strerror(errno));
}

static void setup(struct __test_metadata *_metadata, int *fd)
{
	*fd = ro_open();
	if (*fd == -ENOENT)
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	ASSERT_LE(0, *fd);
}

/* Unlike refobj_test.h's calls these take fields as they are, NUL or not. */
static int create(int fd, const char *name, const char *type, __u64 *id)
{
	struct refobj_create c = { .size = sizeof(c), .initial = 1 };
	int ret;

	memcpy(c.name, name, sizeof(c.name));
	memcpy(c.type, type, sizeof(c.type));
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	*id = c.id;
	return ret;
}

static int attach(int fd, const char *name, const char *type)
{
	struct refobj_attach a = { .size = sizeof(a), .count = 1 };

	memcpy(a.name, name, sizeof(a.name));
	memcpy(a.type, type, sizeof(a.type));
	return ro_ioctl(fd, REFOBJ_IOC_ATTACH, &a);
}

static int lookup(int fd, const char *name, const char *type, __u64 *id)
{
	struct refobj_lookup l = { .size = sizeof(l) };
	int ret;

	memcpy(l.name, name, sizeof(l.name));
	memcpy(l.type, type, sizeof(l.type));
	ret = ro_ioctl(fd, REFOBJ_IOC_LOOKUP, &l);
	*id = l.id;
	return ret;
}

static int acquire(int fd, __u64 id, const char *type)
{
	struct refobj_acquire a = { .size = sizeof(a), .id = id, .count = 1 };

	memcpy(a.type, type, sizeof(a.type));
	return ro_ioctl(fd, REFOBJ_IOC_ACQUIRE, &a);
}

static int set_why(int fd, __u64 id, const char *why)
{
	struct refobj_set_why w = { .size = sizeof(w), .id = id };

	memcpy(w.why, why, sizeof(w.why));
	return ro_ioctl(fd, REFOBJ_IOC_SET_WHY, &w);
}

/* A field of 64 bytes, zero after the text; long enough for all of the above. */
struct field {
	char bytes[64];
};

static const struct field none, plain = { "plain" };

/* Strings, each as a name, as a type and as a reason */

enum verdict { VALID, INVALID, VALID_IN_REASONS };

FIXTURE(text) {
	int fd;
};

FIXTURE_VARIANT(text) {
	char bytes[64];
	enum verdict verdict;
};

FIXTURE_VARIANT_ADD(text, ascii) {
	.bytes = "camera-0.raw",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, one_character) {
	.bytes = "x",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, spaces) {
	.bytes = " front  camera ",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, punctuation) {
	.bytes = "!\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, dots) {
	.bytes = "..",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, two_byte_characters) {
	.bytes = "\xc3\xa9t\xc3\xa9",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, three_byte_characters) {
	.bytes = "\xe2\x82\xac",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, four_byte_characters) {
	.bytes = "\xf0\x9f\x90\xb6",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, combining_character) {
	.bytes = "e\xcc\x81",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, u00a1_after_c1) {
	.bytes = "\xc2\xa1",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, u07ff_last_of_two_bytes) {
	.bytes = "\xdf\xbf",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, u0800_first_of_three_bytes) {
	.bytes = "\xe0\xa0\x80",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, ud7ff_before_surrogates) {
	.bytes = "\xed\x9f\xbf",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, ue000_after_surrogates) {
	.bytes = "\xee\x80\x80",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, ufffd_replacement) {
	.bytes = "\xef\xbf\xbd",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, u10000_first_of_four_bytes) {
	.bytes = "\xf0\x90\x80\x80",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, u10fffd_last) {
	.bytes = "\xf4\x8f\xbf\xbd",
	.verdict = VALID,
};

FIXTURE_VARIANT_ADD(text, newline) {
	.bytes = "a\nb",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, tab) {
	.bytes = "a\tb",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, escape) {
	.bytes = "\x1b[31m",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u0001) {
	.bytes = "\x01",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u001f) {
	.bytes = "\x1f",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, delete) {
	.bytes = "a\x7f",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u0080_first_of_c1) {
	.bytes = "\xc2\x80",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u0085_next_line) {
	.bytes = "a\xc2\x85z",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u009f_last_of_c1) {
	.bytes = "\xc2\x9f",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u061c_arabic_letter_mark) {
	.bytes = "\xd8\x9c",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u200e_left_to_right_mark) {
	.bytes = "\xe2\x80\x8e",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u200f_right_to_left_mark) {
	.bytes = "\xe2\x80\x8f",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u2028_line_separator) {
	.bytes = "\xe2\x80\xa8",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u2029_paragraph_separator) {
	.bytes = "\xe2\x80\xa9",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u202a_embedding) {
	.bytes = "\xe2\x80\xaa",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u202e_override) {
	.bytes = "exe.\xe2\x80\xaegpj",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u2066_isolate) {
	.bytes = "\xe2\x81\xa6",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u2069_pop_isolate) {
	.bytes = "\xe2\x81\xa9",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, ufeff_byte_order_mark) {
	.bytes = "\xef\xbb\xbfname",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, ufdd0_noncharacter) {
	.bytes = "\xef\xb7\x90",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, ufffe_noncharacter) {
	.bytes = "\xef\xbf\xbe",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, uffff_noncharacter) {
	.bytes = "\xef\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u1ffff_noncharacter) {
	.bytes = "\xf0\x9f\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, u10ffff_noncharacter) {
	.bytes = "\xf4\x8f\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, beyond_unicode) {
	.bytes = "\xf4\x90\x80\x80",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, far_beyond_unicode) {
	.bytes = "\xf7\xbf\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, overlong_nul) {
	.bytes = "\xc0\x80",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, overlong_two_bytes) {
	.bytes = "\xc1\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, overlong_three_bytes) {
	.bytes = "\xe0\x9f\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, overlong_four_bytes) {
	.bytes = "\xf0\x8f\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, overlong_slash) {
	.bytes = "a\xc0\xaf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, high_surrogate) {
	.bytes = "\xed\xa0\x80",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, low_surrogate) {
	.bytes = "\xed\xbf\xbf",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, surrogate_pair) {
	.bytes = "\xed\xa0\xbd\xed\xb0\xb6",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, five_bytes) {
	.bytes = "\xf8\x88\x80\x80\x80",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, byte_fe) {
	.bytes = "\xfe",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, byte_ff) {
	.bytes = "\xff",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, lone_continuation) {
	.bytes = "a\x80z",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, one_continuation_too_many) {
	.bytes = "\xc3\xa9\xa9",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, latin_1) {
	.bytes = "caf\xe9",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, two_bytes_cut) {
	.bytes = "a\xc3",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, three_bytes_cut) {
	.bytes = "a\xe2\x82",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, four_bytes_cut) {
	.bytes = "a\xf0\x9f\x90",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, three_bytes_broken) {
	.bytes = "\xe2\x82z",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, four_bytes_broken) {
	.bytes = "\xf0\x9f\x90z",
	.verdict = INVALID,
};

FIXTURE_VARIANT_ADD(text, slash) {
	.bytes = "a/b",
	.verdict = VALID_IN_REASONS,
};

FIXTURE_VARIANT_ADD(text, leading_slash) {
	.bytes = "/a",
	.verdict = VALID_IN_REASONS,
};

FIXTURE_VARIANT_ADD(text, only_slash) {
	.bytes = "/",
	.verdict = VALID_IN_REASONS,
};

FIXTURE_SETUP(text)
{
	setup(_metadata, &self->fd);
}

FIXTURE_TEARDOWN(text)
{
	close(self->fd);
}

TEST_F(text, as_a_name)
{
	struct refobj_stat st;
	__u64 id, found = 0;

	if (variant->verdict != VALID) {
		EXPECT_EQ(-EINVAL, create(self->fd, variant->bytes, none.bytes,
					  &id));
		EXPECT_EQ(-EINVAL, attach(self->fd, variant->bytes,
					  none.bytes));
		EXPECT_EQ(-EINVAL, lookup(self->fd, variant->bytes, none.bytes,
					  &found));
		return;
	}
	ASSERT_EQ(1, create(self->fd, variant->bytes, none.bytes, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, memcmp(variant->bytes, st.name, sizeof(st.name)));
	EXPECT_EQ(0, lookup(self->fd, variant->bytes, none.bytes, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, attach(self->fd, variant->bytes, none.bytes));
	EXPECT_EQ(2, ro_users(self->fd, id));
}

TEST_F(text, as_a_type)
{
	struct refobj_stat st;
	__u64 id, found;

	if (variant->verdict != VALID) {
		EXPECT_EQ(-EINVAL, create(self->fd, plain.bytes,
					  variant->bytes, &id));
		EXPECT_EQ(-EINVAL, attach(self->fd, plain.bytes,
					  variant->bytes));
		ASSERT_EQ(1, create(self->fd, plain.bytes, none.bytes, &id));
		EXPECT_EQ(-EINVAL, lookup(self->fd, plain.bytes,
					  variant->bytes, &found));
		EXPECT_EQ(-EINVAL, acquire(self->fd, id, variant->bytes));
		EXPECT_EQ(1, ro_users(self->fd, id));
		return;
	}
	ASSERT_EQ(1, create(self->fd, plain.bytes, variant->bytes, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, memcmp(variant->bytes, st.type, sizeof(st.type)));
	EXPECT_EQ(0, lookup(self->fd, plain.bytes, variant->bytes, &found));
	EXPECT_EQ(0, attach(self->fd, plain.bytes, variant->bytes));
	EXPECT_EQ(0, acquire(self->fd, id, variant->bytes));
	EXPECT_EQ(-EPROTOTYPE, acquire(self->fd, id, plain.bytes));
	EXPECT_EQ(3, ro_users(self->fd, id));
}

TEST_F(text, as_a_reason)
{
	struct refobj_holder h;
	__u64 id;

	ASSERT_EQ(1, create(self->fd, plain.bytes, none.bytes, &id));
	if (variant->verdict == INVALID) {
		ASSERT_EQ(0, set_why(self->fd, id, plain.bytes));
		EXPECT_EQ(-EINVAL, set_why(self->fd, id, variant->bytes));
		EXPECT_EQ(-EINVAL, set_why(self->fd, 0, variant->bytes));
		ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
		EXPECT_STREQ(plain.bytes, h.why);
		return;
	}
	EXPECT_EQ(0, set_why(self->fd, 0, variant->bytes));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_EQ(0, memcmp(variant->bytes, h.why, sizeof(h.why)));
	EXPECT_EQ(0, set_why(self->fd, 0, none.bytes));
	EXPECT_EQ(0, set_why(self->fd, id, variant->bytes));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_EQ(0, memcmp(variant->bytes, h.why, sizeof(h.why)));
}

/* Lengths, and what makes two strings the same */

FIXTURE(names) {
	int fd;
};

FIXTURE_SETUP(names)
{
	setup(_metadata, &self->fd);
}

FIXTURE_TEARDOWN(names)
{
	close(self->fd);
}

TEST_F(names, of_every_length)
{
	struct field f = none;
	struct refobj_stat st;
	__u64 ids[64], found;
	int len;

	for (len = 1; len <= 63; len++) {
		memset(f.bytes, 'n', len);
		ASSERT_EQ(1, create(self->fd, f.bytes, none.bytes, &ids[len]));
		ASSERT_EQ(0, ro_stat(self->fd, ids[len], &st));
		EXPECT_EQ(len, strlen(st.name));
	}
	/* Each is a prefix of the next, and leads to its own object. */
	for (len = 1; len <= 63; len++) {
		f = none;
		memset(f.bytes, 'n', len);
		ASSERT_EQ(0, lookup(self->fd, f.bytes, none.bytes, &found));
		EXPECT_EQ(ids[len], found);
	}
}

TEST_F(names, without_an_end_are_refused)
{
	struct field f;
	__u64 id;

	memset(f.bytes, 'n', sizeof(f.bytes));
	EXPECT_EQ(-EINVAL, create(self->fd, f.bytes, none.bytes, &id));
	EXPECT_EQ(-EINVAL, attach(self->fd, f.bytes, none.bytes));
	EXPECT_EQ(-EINVAL, lookup(self->fd, f.bytes, none.bytes, &id));
}

TEST_F(names, of_63_bytes_that_end_in_a_cut_character_are_refused)
{
	struct field f = none;
	__u64 id;

	memset(f.bytes, 'n', 63);
	memcpy(f.bytes + 62, "\xc3", 1);
	EXPECT_EQ(-EINVAL, create(self->fd, f.bytes, none.bytes, &id));
	memcpy(f.bytes + 61, "\xc3\xa9", 2);
	EXPECT_EQ(1, create(self->fd, f.bytes, none.bytes, &id));
}

TEST_F(names, end_at_the_first_nul)
{
	struct field f = plain;
	struct refobj_stat st;
	__u64 id, found;

	memset(f.bytes + 6, 0xff, sizeof(f.bytes) - 6);
	ASSERT_EQ(1, create(self->fd, f.bytes, none.bytes, &id));
	EXPECT_EQ(0, lookup(self->fd, plain.bytes, none.bytes, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, lookup(self->fd, f.bytes, none.bytes, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, attach(self->fd, f.bytes, none.bytes));
	/* What came after the NUL is not shown to others. */
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, memcmp(plain.bytes, st.name, sizeof(st.name)));
}

TEST_F(names, of_a_nul_and_garbage_are_empty)
{
	struct field f = none;
	struct refobj_stat st;
	__u64 id;

	memset(f.bytes + 1, 'x', sizeof(f.bytes) - 1);
	EXPECT_EQ(-EINVAL, attach(self->fd, f.bytes, none.bytes));
	EXPECT_EQ(-EINVAL, lookup(self->fd, f.bytes, none.bytes, &id));
	ASSERT_EQ(1, create(self->fd, f.bytes, none.bytes, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, memcmp(none.bytes, st.name, sizeof(st.name)));
}

TEST_F(names, differ_by_case)
{
	const struct field other = { "Plain" };
	__u64 a, b;

	EXPECT_EQ(1, create(self->fd, plain.bytes, none.bytes, &a));
	EXPECT_EQ(1, create(self->fd, other.bytes, none.bytes, &b));
	EXPECT_NE(a, b);
}

TEST_F(names, differ_by_encoding_of_one_character)
{
	const struct field composed = { "\xc3\xa9" };
	const struct field decomposed = { "e\xcc\x81" };
	__u64 a, b;

	EXPECT_EQ(1, create(self->fd, composed.bytes, none.bytes, &a));
	EXPECT_EQ(1, create(self->fd, decomposed.bytes, none.bytes, &b));
	EXPECT_NE(a, b);
}

TEST_F(names, differ_by_spaces_around)
{
	const struct field other = { "plain " };
	__u64 id;

	EXPECT_EQ(1, create(self->fd, plain.bytes, none.bytes, &id));
	EXPECT_EQ(-ENOENT, lookup(self->fd, other.bytes, none.bytes, &id));
}

TEST_F(names, are_unique_and_types_are_not)
{
	const struct field other = { "other" };
	__u64 id;

	EXPECT_EQ(1, create(self->fd, plain.bytes, plain.bytes, &id));
	EXPECT_EQ(1, create(self->fd, other.bytes, plain.bytes, &id));
	EXPECT_EQ(-EEXIST, create(self->fd, plain.bytes, other.bytes, &id));
}

TEST_F(names, types_of_31_bytes_and_not_of_32)
{
	struct field f = none;
	struct refobj_stat st;
	__u64 id, found;

	memset(f.bytes, 't', 32);
	EXPECT_EQ(-EINVAL, create(self->fd, plain.bytes, f.bytes, &id));
	EXPECT_EQ(-EINVAL, attach(self->fd, plain.bytes, f.bytes));
	f.bytes[31] = 0;
	ASSERT_EQ(1, create(self->fd, plain.bytes, f.bytes, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(31, strlen(st.type));
	f.bytes[31] = 't';
	EXPECT_EQ(-EINVAL, lookup(self->fd, plain.bytes, f.bytes, &found));
	EXPECT_EQ(-EINVAL, acquire(self->fd, id, f.bytes));
}

TEST_F(names, types_end_at_the_first_nul)
{
	struct field f = plain;
	struct refobj_stat st;
	__u64 id, found;

	memset(f.bytes + 6, 0xff, sizeof(f.bytes) - 6);
	ASSERT_EQ(1, create(self->fd, plain.bytes, f.bytes, &id));
	EXPECT_EQ(0, acquire(self->fd, id, plain.bytes));
	EXPECT_EQ(0, acquire(self->fd, id, f.bytes));
	EXPECT_EQ(0, lookup(self->fd, plain.bytes, f.bytes, &found));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, memcmp(plain.bytes, st.type, sizeof(st.type)));
}

TEST_F(names, reasons_of_63_bytes_and_not_of_64)
{
	struct refobj_holder h;
	struct field f = none;
	__u64 id;

	ASSERT_EQ(1, create(self->fd, plain.bytes, none.bytes, &id));
	memset(f.bytes, 'w', 64);
	EXPECT_EQ(-EINVAL, set_why(self->fd, id, f.bytes));
	EXPECT_EQ(-EINVAL, set_why(self->fd, 0, f.bytes));
	f.bytes[63] = 0;
	EXPECT_EQ(0, set_why(self->fd, id, f.bytes));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_EQ(63, strlen(h.why));
}

TEST_F(names, reasons_end_at_the_first_nul)
{
	struct field f = plain;
	struct refobj_holder h;
	__u64 id;

	ASSERT_EQ(1, create(self->fd, plain.bytes, none.bytes, &id));
	memset(f.bytes + 6, 0xff, sizeof(f.bytes) - 6);
	EXPECT_EQ(0, set_why(self->fd, id, f.bytes));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_EQ(0, memcmp(plain.bytes, h.why, sizeof(h.why)));
}

/* Every character */

/* By the words of the header: controls, separators, bidi, unassignable. */
static bool printable(__u32 c)
{
	static const __u32 refused[][2] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x061c, 0x061c },
		{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
		{ 0xd800, 0xdfff }, { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		if (c >= refused[i][0] && c <= refused[i][1])
			return false;
	return (c & 0xffff) < 0xfffe && c <= 0x10ffff;
}

static void encode(__u32 c, char *to)
{
	if (c < 0x80) {
		*to = c;
	} else if (c < 0x800) {
		*to++ = 0xc0 | c >> 6;
		*to = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*to++ = 0xe0 | c >> 12;
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to = 0x80 | (c & 0x3f);
	} else {
		*to++ = 0xf0 | c >> 18;
		*to++ = 0x80 | (c >> 12 & 0x3f);
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to = 0x80 | (c & 0x3f);
	}
}

TEST_F(names, of_every_character_of_the_basic_plane)
{
	struct field f;
	__u32 c;
	__u64 id;

	/* Not each where that takes long. */
	for (c = 1; c < 0x10000; c += ro_slow()) {
		f = none;
		encode(c, f.bytes);
		ASSERT_EQ(printable(c) && c != '/' ? -ENOENT : -EINVAL,
			  lookup(self->fd, f.bytes, none.bytes, &id))
			TH_LOG("U+%04X", c);
	}
}

TEST_F(names, of_characters_of_every_other_plane)
{
	struct field f;
	__u32 c;
	__u64 id;

	for (c = 0x10000; c < 0x200000; c += c % 0x10000 == 15 ? 0xffe1 : 1) {
		f = none;
		encode(c, f.bytes);
		ASSERT_EQ(printable(c) ? -ENOENT : -EINVAL,
			  lookup(self->fd, f.bytes, none.bytes, &id))
			TH_LOG("U+%04X", c);
	}
}

/* A byte sequence is a character in one way only. */
TEST_F(names, of_every_two_bytes)
{
	unsigned int a, b;
	struct field f;
	bool valid;
	__u64 id;

	for (a = 1; a < 256; a++) {
		for (b = 1 + a % ro_slow(); b < 256; b += ro_slow()) {
			f = none;
			f.bytes[0] = a;
			f.bytes[1] = b;
			if (a < 0x80)
				valid = printable(a) && a != '/' && b < 0x80 &&
					printable(b) && b != '/';
			else
				valid = a >= 0xc2 && a <= 0xdf && b >= 0x80 &&
					b <= 0xbf &&
					printable((a & 0x1f) << 6 | (b & 0x3f));
			ASSERT_EQ(valid ? -ENOENT : -EINVAL,
				  lookup(self->fd, f.bytes, none.bytes, &id))
				TH_LOG("%02x %02x", a, b);
		}
	}
}

TEST_HARNESS_MAIN
