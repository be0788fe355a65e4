# SPDX-License-Identifier: GPL-2.0
#
# What the Makefile of each room begins with. A room is a folder with one
# public header; headers are named from here, as "fault/fault.h".

include $(srctree)/arch/um/drivers/umf/compat/compat.mk

# a relative path would leave through the symlink; mconsole_kern.h is one above
ccflags-y += -I$(srctree)/arch/um/drivers/umf -I$(srctree)/arch/um/drivers
USER_CFLAGS += -I$(srctree)/arch/um/drivers/umf
