# SPDX-License-Identifier: GPL-2.0
#
# Puts the shims in front of the kernel's headers. A shim that supplies a macro
# tests for the macro; one that supplies a function tests UMF_HAVE_<name>,
# which is set here when the tree's own header has it.

NOSTDINC_FLAGS += -I$(srctree)/arch/um/drivers/umf/compat

umf-have = $(if $(shell grep -sw $(1) $(srctree)/include/linux/$(2)),-DUMF_HAVE_$(1))

ccflags-y += $(call umf-have,hrtimer_setup,hrtimer.h)
ccflags-y += $(call umf-have,BLK_MQ_F_SHOULD_MERGE,blk-mq.h)
