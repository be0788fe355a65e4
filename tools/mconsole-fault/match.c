// SPDX-License-Identifier: GPL-2.0
/*
 * match=: a pcap filter expression to the text of a classic BPF program, as
 * iptables' xt_bpf reads it: "<instructions>,<code> <jt> <jf> <k>,…", decimal.
 * A rule looks at Ethernet frames, whatever the guest's device.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include "../lib/xalloc.h"
#include "tool.h"

#define SNAPLEN	65535

char *match_compile(const char *filter, char **why)
{
	struct bpf_program prog;
	char *text = NULL;
	unsigned int i;
	size_t len;
	pcap_t *pcap;
	FILE *out;

	*why = NULL;
	pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (!pcap) {
		*why = xstrdup("libpcap has no memory");
		return NULL;
	}
	if (pcap_compile(pcap, &prog, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		*why = xstrdup(pcap_geterr(pcap));
		pcap_close(pcap);
		return NULL;
	}

	out = open_memstream(&text, &len);
	if (out) {
		fprintf(out, "%u", prog.bf_len);
		for (i = 0; i < prog.bf_len; i++)
			fprintf(out, ",%u %u %u %u", prog.bf_insns[i].code,
				prog.bf_insns[i].jt, prog.bf_insns[i].jf,
				prog.bf_insns[i].k);
	}
	if (!out || fclose(out)) {
		free(text);
		text = NULL;
		*why = xstrdup("no memory");
	}
	pcap_freecode(&prog);
	pcap_close(pcap);
	return text;
}
