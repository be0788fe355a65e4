# SPDX-License-Identifier: GPL-2.0
#
# umf: a User Mode Linux kernel whose devices fail on command.  "make help" lists what can be made.
#
# Variables on the command line:
#   KERNEL=6.12|7.3    the kernel line; another one that Debian carries (7.2) gets the patches that fit
#   KSRC=<path>        a kernel tree or tarball of your own instead of the line's source package
#   REV=<commit>       ... of a git repository, whatever is checked out there
#   CONFIG=<file>      a .config of your own instead of configs/kernel/, but for what umf needs
#   CONFIG_EXTRA=<files>  fragments on top of either
#   M=<folder>         the module that "make module" compiles
#   LLVM=1|-16         clang instead of gcc, as kbuild has it
#   FLAVOR=default|debug|smp|gdb|nofault
#   NO_INSTALL=1       never install packages, name them and stop
#   JOBS=<n>           parallel compilations (default: all processors)
#   V=1                show the commands of the kernel build
#
# Other parts plug in through the Makefile.inc of their folder, included below.  They may use
#   B      folder of this kernel line      LINUX   the kernel binary of this line and flavor
#   BIN    folder of the host tools        $(call packages,<set>)   order-only prerequisite: the packages
#                                          of a set in tools/build/packages.list are there
# and describe their targets with "target: prerequisites ## one line for make help".

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

KERNEL ?= 6.12
FLAVOR ?= default
KSRC ?=
REV ?=
CONFIG ?=
CONFIG_EXTRA ?=
LLVM ?=
V ?=
JOBS ?=
NO_INSTALL ?=
export V JOBS NO_INSTALL CONFIG CONFIG_EXTRA LLVM

TOP := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
LINES := $(patsubst arch-um-patches/%/series,%,$(wildcard arch-um-patches/*/series))
BUILDSH := tools/build

ifneq ($(KSRC),)
override KSRC := $(abspath $(KSRC))
NAME := ksrc-$(notdir $(patsubst %.tar,%,$(basename $(KSRC:%.tgz=%.tar.gz))))
ifneq ($(wildcard $(KSRC)/.),)
NAME := ksrc-$(notdir $(KSRC))
# a tree of one's own may have changed; a look at the file times tells
ksrc_changed := FORCE
endif
else
NAME := $(KERNEL)
endif

B := build/$(NAME)
BIN := build/bin
SUFFIX := $(if $(filter-out default,$(FLAVOR)),-$(FLAVOR))
LINUX := $(B)/linux$(SUFFIX)
packages = build/.packages-$(1)

.PHONY: all kernel module source config rootfs tools help clean distclean update lint patches-check mbox FORCE
.DEFAULT_GOAL := all

all: kernel rootfs tools ## everything: kernel, busybox rootfs, host tools (default)

# Owned by the other parts; the build works without them.
rootfs: ## the busybox rootfs, as initramfs and as ext4 image
tools: ## the host tools, in build/bin/
-include $(sort $(wildcard rootfs/Makefile.inc tools/*/Makefile.inc tests/Makefile.inc tests/*/Makefile.inc))

build/.packages-%: $(BUILDSH)/packages.list $(BUILDSH)/packages.sh
	@$(BUILDSH)/packages.sh $*
	@mkdir -p $(@D) && touch $@

# The tree: unpacked, patched, drivers linked in.
patches := $(wildcard arch-um-patches/*/series arch-um-patches/*/*.patch)
$(B)/.source: $(patches) $(BUILDSH)/source.sh $(ksrc_changed) | $(call packages,kernel)
	@$(BUILDSH)/source.sh $(B) $(KERNEL) $(KSRC) $(REV)

source: $(B)/.source ## fetch, verify, unpack and patch the kernel source

# The binary: file times decide here whether kbuild is asked at all.
inputs := $(shell find drivers tests/kunit configs/kernel -type f ! -name '.*' 2>/dev/null)
$(LINUX): $(B)/.source $(inputs) $(BUILDSH)/config.sh $(BUILDSH)/kernel.sh $(if $(CONFIG_EXTRA)$(CONFIG)$(LLVM),FORCE)
	@$(BUILDSH)/kernel.sh $(B) $(FLAVOR)

kernel: $(LINUX) ## the kernel, build/<line>/linux[-<flavor>]

module: $(LINUX) ## a module of your own for this kernel [M=<its folder>]; KDIR= is then build/<line>/obj
	@$(BUILDSH)/module.sh $(B) $(FLAVOR) '$(M)'

config: $(B)/.source ## only the kernel's .config, from configs/kernel/
	@$(BUILDSH)/config.sh $(TOP)/$(B)/src $(TOP)/$(B)/obj$(SUFFIX) $(FLAVOR)

update: ## fetch the newest patch level of the line and unpack it
	@rm -rf $(B)/SOURCE
	@$(MAKE) --no-print-directory $(B)/.source -W $(BUILDSH)/source.sh

lint: $(B)/.source | $(call packages,lint) ## checkpatch, sparse and W=1 on the drivers (this line), shellcheck
	@$(BUILDSH)/lint.sh $(B)

patches-check: $(foreach l,$(LINES),build/$(l)/.source) | $(call packages,lint) ## prove every patch of every line
	@$(BUILDSH)/patches-check.sh $(LINES)

mbox: $(B)/.source | $(call packages,lint) ## the series and the drivers as one mailbox for git am
	@$(BUILDSH)/mbox.sh $(B)

# the lines other than the chosen one, for the targets that look at all of them
define other_line
build/$(1)/.source: $$(patches) $$(BUILDSH)/source.sh | $$(call packages,kernel)
	@$$(BUILDSH)/source.sh build/$(1) $(1)
endef
$(foreach l,$(filter-out $(NAME),$(LINES)),$(eval $(call other_line,$(l))))

help: ## this list
	@echo "make [KERNEL=6.12|7.3] [KSRC=<tree or tarball> [REV=<commit>]] [CONFIG=<file>] [FLAVOR=default|debug|smp|gdb|nofault] [V=1] <target>"
	@grep -hE '^[a-z][a-zA-Z0-9_ -]*:.*## ' $(MAKEFILE_LIST) | \
		sed -E 's/^([^:]*):.*## (.*)/\1\t\2/' | sort -u | \
		while IFS=$$'\t' read -r t d; do printf '  %-16s %s\n' "$$t" "$$d"; done

clean: ## remove what was built of this line, keep its source
	rm -rf $(B)/obj* $(B)/linux* $(B)/*.log

distclean: ## remove build/ with all downloads
	rm -rf build

FORCE:
