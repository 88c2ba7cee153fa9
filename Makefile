# SPDX-License-Identifier: GPL-2.0-only
#
# make help lists what there is. The kernel's part is described by Kbuild; here
# is what drives it, and the rest.

TOP	:= $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
BUILD	:= $(TOP)/build
PREFIX	?= /usr/local
VERSION	:= $(shell sed -n 's/^VERSION.*:= //p' $(TOP)/userspace/Makefile)

# The kernels that make check tests on; make demo and make vm take the first.
KERNELS	?= 6.1 6.12

# What the module is built for: the running kernel, unless told otherwise.
KDIR	?= /lib/modules/$(shell uname -r)/build
KREL	:= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
		$(KDIR)/include/generated/utsrelease.h 2>/dev/null)

vm	:= $(TOP)/selftests/vm

# The lab's tests, of the kernels among them: i386 is 32-bit programs on 6.1.
labs	= $(addprefix lab-,$(filter-out i386,$(KERNELS)))

all: module userspace

# Each kernel gets a folder of links to the sources, so that two kernels' objects
# never meet and the source tree stays clean. Two of one release, but of different
# configurations, are told apart by where they are. Module BTF needs the vmlinux that
# headers packages do not have.
kmake = $(MAKE) --no-print-directory -C $(KDIR) M=$(BUILD)/$(KREL) \
	CONFIG_DEBUG_INFO_BTF_MODULES=

module: kdir
	@echo $(realpath $(KDIR)) | cmp -s - $(BUILD)/$(KREL)/kdir || \
		rm -rf $(BUILD)/$(KREL)
	@mkdir -p $(BUILD)/$(KREL)/module
	@echo $(realpath $(KDIR)) >$(BUILD)/$(KREL)/kdir
	@ln -sfn $(TOP)/Kbuild $(BUILD)/$(KREL)/Kbuild
	@ln -sfn $(TOP)/module/* $(BUILD)/$(KREL)/module/
	$(Q)$(kmake) modules

kdir:
	@test -n "$(KREL)" || { \
		echo "make: no kernel to build the module for at $(KDIR)." >&2; \
		echo "  Install the headers of the running kernel (on Debian:" \
		     "linux-headers-$$(uname -r)), or name others with" \
		     "make KDIR=/usr/src/linux-headers-VERSION; make userspace" \
		     "builds the library and the tool alone." >&2; exit 1; }

userspace:
	$(Q)$(MAKE) --no-print-directory -C userspace OUTPUT=$(BUILD)/userspace \
		PREFIX=$(PREFIX)

selftests: userspace
	$(Q)$(MAKE) --no-print-directory -C selftests OUTPUT=$(BUILD)/selftests

modules_install: module
	$(Q)$(kmake) modules_install

install uninstall:
	$(Q)$(MAKE) --no-print-directory -C userspace OUTPUT=$(BUILD)/userspace \
		PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) $@

deps:
	@$(TOP)/.ci/deps

check: deps
	@$(TOP)/.ci/check $(KERNELS) asan packages gate $(labs)

# The debug kernels are built when first asked for; then they are in the cache.
check-debug: deps
	@$(vm)/kernel fetch debug kcsan
	@$(TOP)/.ci/check --no-host debug kcsan kmemleak detectors valgrind lab-debug

check-all: deps
	@$(TOP)/.ci/check all

check-matrix: deps
	@KERNELS="$(if $(filter command line environment,$(origin KERNELS)),$(KERNELS))" \
		$(TOP)/.ci/check-matrix

coverage: deps
	@$(vm)/kernel fetch debug
	@$(TOP)/.ci/coverage

fuzz: deps
	@$(vm)/kernel fetch debug
	@$(TOP)/selftests/fuzz/run --seconds $(or $(SECONDS),600)

# The guest counts the seconds, and its clock falls behind on a busy machine.
model: deps userspace selftests
	@$(vm)/run --kernel $(firstword $(KERNELS)) --multi \
		--timeout $$(($(or $(SECONDS),60) * 3 + 300)) -- \
		$(BUILD)/selftests/model --ops 1000 \
		--seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

soak: deps userspace selftests
	@$(vm)/run --kernel $(firstword $(KERNELS)) --multi --mem 3072 --quiet \
		--timeout $$(($(or $(SECONDS),3600) * 3 + 1200)) -- \
		env PATH=$(BUILD)/userspace:$$PATH $(BUILD)/selftests/soak $(or $(SECONDS),3600)

# It is for x86 alone, so not among what packages build.
bench-program: deps userspace
	$(Q)$(MAKE) --no-print-directory -C userspace OUTPUT=$(BUILD)/userspace bench

bench: bench-program
	@$(TOP)/userspace/bench/run $(if $(SVG),--svg) $(KERNELS)

bench-compare: bench-program
	@test -n "$(BASE)" || { echo "make: with which revision? make bench-compare" \
		"BASE=HEAD~1, for example" >&2; exit 1; }
	@$(TOP)/userspace/bench/compare $(BASE) $(KERNELS)

demo: deps userspace
	@$(vm)/run --kernel $(firstword $(KERNELS)) -- userspace/examples/demo

vm: deps userspace
	@$(vm)/run --kernel $(firstword $(KERNELS)) --shell

lint: deps
	@$(TOP)/.ci/lint $(KERNELS)

# The sources where dkms(8) looks for them, and what a machine that has the module needs:
# "dkms install refobj/VERSION" is next.
dkms_install: dkms = $(DESTDIR)/usr/src/refobj-$(VERSION)
dkms_install:
	install -d $(dkms)/module/uapi/linux $(addprefix $(DESTDIR)/usr/lib/,udev/rules.d \
		sysusers.d modules-load.d)
	install -m 644 Kbuild $(dkms)/
	install -m 644 module/Kbuild module/*.[ch] $(dkms)/module/
	install -m 644 module/uapi/linux/*.h $(dkms)/module/uapi/linux/
	sed 's/[#]MODULE_VERSION[#]/$(VERSION)/' module/install/dkms.conf >$(dkms)/dkms.conf
	install -m 644 module/install/udev.rules $(DESTDIR)/usr/lib/udev/rules.d/60-refobj.rules
	install -m 644 module/install/sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/refobj.conf
	install -m 644 module/install/modules-load.conf \
		$(DESTDIR)/usr/lib/modules-load.d/refobj.conf

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                  module (for the running kernel, or KDIR=), library, tool'
	@echo 'make module           the module alone'
	@echo 'make userspace        the library, the tool and the examples alone'
	@echo 'make deps             install the packages that all below needs (Debian)'
	@echo 'make demo             see it work, in a virtual machine'
	@echo 'make check            all tests, in virtual machines (KERNELS="$(KERNELS)")'
	@echo 'make check-debug      the tests on kernels with KASAN, lockdep, KCSAN, kmemleak;'
	@echo '                      the library and the tool under valgrind'
	@echo 'make check-all        both'
	@echo 'make check-matrix     the tests on all kernels supported (KERNELS= picks)'
	@echo 'make coverage         what of the module the tests reach'
	@echo 'make fuzz             SECONDS=600 of fuzzing, on the debug kernel'
	@echo 'make model            SECONDS=60 of comparing with a model (SEED= repeats)'
	@echo 'make soak             a million objects, SECONDS=3600 of stress'
	@echo 'make bench            what everything costs, in instructions (SVG=1 also draws it)'
	@echo 'make bench-compare    BASE=revision: what it cost there, and what has changed'
	@echo 'make vm               a shell in a virtual machine with the module loaded'
	@echo 'make lint             static checks'
	@echo 'make install          library and tool to PREFIX=$(PREFIX), below DESTDIR='
	@echo 'make uninstall        remove them'
	@echo 'make modules_install  the module, for KDIR'
	@echo 'make dkms_install     its sources, for dkms(8), below DESTDIR='
	@echo 'make clean            remove build/'

# V=1 shows the commands.
Q := $(if $(V),,@)

.PHONY: all module kdir userspace selftests modules_install install uninstall \
	dkms_install deps check check-debug check-all check-matrix coverage fuzz model \
	soak bench bench-program bench-compare demo vm lint clean help
