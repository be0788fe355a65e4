// SPDX-License-Identifier: GPL-2.0
/* A CPU that hangs does so without burning the host's. */
#include <time.h>
#include "node/node.h"

void umf_node_nap(unsigned long long ns)
{
	const struct timespec nap = {
		.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000,
	};

	nanosleep(&nap, NULL);
}
