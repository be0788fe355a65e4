// SPDX-License-Identifier: GPL-2.0
/*
 * The mconsole verb `fault`: the rest of the request is umf_command()'s text.
 *
 * A request is one datagram and stays below MCONSOLE_MAX_DATA bytes. A reply
 * of any length goes out in datagrams of that size; the client's queue is
 * short, so a full one is waited for, but not for ever: a client that does not
 * read loses the rest and holds up the next request, never the guest.
 *
 * What a guest that was frozen finds in its socket may be from a client that has
 * gone, after it told its user that there was no answer: that is not done any more.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <mconsole_kern.h>
#include "fault/fault.h"
#include "host/host.h"

#define REPLY_RETRIES	2000	/* of one datagram, a millisecond apart */

static int reply_chunk(struct mc_request *req, const char *text, int len,
		       int err, bool more)
{
	int tries, ret;

	for (tries = 0; tries < REPLY_RETRIES; tries++) {
		ret = mconsole_reply_len(req, text, len, err, more);
		if (ret != -EAGAIN)
			return ret;
		usleep_range(1000, 2000);
	}
	return ret;
}

static void umf_mconsole_fault(struct mc_request *req)
{
	struct umf_reply reply = {};
	size_t sent = 0, len;
	int err;

	if (!umf_host_is_bound(req->origin, req->originlen)) {
		pr_info_ratelimited("umf: not done, as who asked has gone: %s\n",
				    req->request.data);
		return;
	}
	err = umf_command(req->request.data + strlen("fault"), &reply);
	do {
		len = min_t(size_t, reply.len - sent, MCONSOLE_MAX_DATA - 1);
		if (reply_chunk(req, reply.text ? reply.text + sent : "", len,
				err ? 1 : 0, sent + len < reply.len))
			break;
		sent += len;
	} while (sent < reply.len);
	umf_reply_free(&reply);
}

static struct mconsole_command umf_command_fault = {
	.command = "fault",
	.handler = umf_mconsole_fault,
	.context = MCONSOLE_PROC,
};

static int __init umf_mconsole_init(void)
{
	return mconsole_register_command(&umf_command_fault);
}
device_initcall(umf_mconsole_init);
