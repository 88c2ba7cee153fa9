/* SPDX-License-Identifier: GPL-2.0-only */
/* The corpus that is kept with the sources, FUZZ_CORPUS, as a string. */
#ifndef SEEDS_H
#define SEEDS_H

__asm__(".section .rodata\n"
	"	.globl fuzz_seeds\n"
	"fuzz_seeds:\n"
	"	.incbin \"" FUZZ_CORPUS "\"\n"
	"	.byte 0\n"
	"	.previous");
extern const char fuzz_seeds[];

#endif /* SEEDS_H */
