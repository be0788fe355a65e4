#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make module: a module from outside the tree is compiled for the guest's kernel, and loaded there.

. "$(dirname "$0")/../lib/guest.sh"

: "${BUILD_LINE:=$TOP/build/$KERNEL}"
[ -f "$BUILD_LINE/obj$guest_suffix/vmlinux.symvers" ] || skip_all "there is no kernel build in $BUILD_LINE"
mkdir "$WORK/hello"
echo 'obj-m := hello.o' >"$WORK/hello/Makefile"
cat >"$WORK/hello/hello.c" <<'E2'
#include <linux/module.h>

static int __init hello_init(void)
{
	pr_info("a module says hello\n");
	return 0;
}
module_init(hello_init);

static void __exit hello_exit(void)
{
	pr_info("and goodbye\n");
}
module_exit(hello_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("says hello");
E2
check "it is compiled" "$TOP/tools/build/module.sh" "$BUILD_LINE" "$FLAVOR" "$WORK/hello"
check_fails "a folder without a Makefile is refused" "$TOP/tools/build/module.sh" "$BUILD_LINE" "$FLAVOR" "$WORK/uml"
guest_allow n1 'loading out-of-tree module taints kernel' "it is one"
guest_start n1 "share=$WORK/hello:/mnt"
guest_wait_ready n1
check "it is loaded" guest_exec n1 'insmod /mnt/hello.ko && grep -q "^hello " /proc/modules'
check "... and unloaded" guest_exec n1 'rmmod hello'
check "... its words are in the log" grep -q 'a module says hello' "$(guest_log n1)"
done_testing
