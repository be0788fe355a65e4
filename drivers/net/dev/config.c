// SPDX-License-Identifier: GPL-2.0
/*
 * ethN=switch,<segment>[,mac=xx:xx:xx:xx:xx:xx][,mtu=N][,latency=T][,rate=R]
 *
 * Which interfaces there are: from the command line, or from mconsole's `config`
 * until `remove`; at the end of the guest all of them give their ports back.
 * They come and go under umf_nets_lock.
 */
#define pr_fmt(fmt) "umf: " fmt

#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/hex.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <init.h>
#include <os.h>
#include "mconsole_kern.h"
#include "net/dev/dev.h"

static DEFINE_MUTEX(umf_nets_lock);
static struct umf_net *umf_nets[UMF_NET_UNITS];
static char *umf_net_boot[UMF_NET_UNITS] __initdata;

/* ---- what is asked for ---- */

struct umf_net_words {
	char *segment;
	u8 mac[ETH_ALEN];
	bool has_mac;
	unsigned int mtu;
	u64 latency;		/* ns, or 0 */
	u64 rate;		/* bit/s, or 0 */
};

static int for_virtual(const char *word, const char *rule, char *error)
{
	if (umf_clock_virtual())
		return 0;
	snprintf(error, UMF_NET_ERROR,
		 "'%s' is for virtual time; in real time a rule does that: %s",
		 word, rule);
	return -EINVAL;
}

/* Cuts @text up. */
static int umf_net_parse(char *text, struct umf_net_words *words, char *error)
{
	char *word = strsep(&text, ",");

	if (strcmp(word, "switch")) {
		snprintf(error, UMF_NET_ERROR, "unknown transport '%s', not 'switch'",
			 word);
		return -EINVAL;
	}
	words->segment = strsep(&text, ",");
	if (!words->segment || !*words->segment ||
	    strchr(words->segment, '=')) {
		snprintf(error, UMF_NET_ERROR, "no segment: switch,<name or folder>[,mac=][,mtu=]");
		return -EINVAL;
	}
	if (!strcmp(words->segment, ".") || !strcmp(words->segment, "..")) {
		snprintf(error, UMF_NET_ERROR, "'%s' is no name for a segment",
			 words->segment);
		return -EINVAL;
	}
	words->mtu = ETH_DATA_LEN;
	while ((word = strsep(&text, ","))) {
		if (!strncmp(word, "mac=", 4)) {
			if (strlen(word) != 4 + 3 * ETH_ALEN - 1 ||
			    !mac_pton(word + 4, words->mac) ||
			    !is_valid_ether_addr(words->mac)) {
				snprintf(error, UMF_NET_ERROR, "'%s' is no unicast MAC", word);
				return -EINVAL;
			}
			words->has_mac = true;
		} else if (!strncmp(word, "mtu=", 4)) {
			if (kstrtouint(word + 4, 10, &words->mtu) ||
			    words->mtu < ETH_MIN_MTU ||
			    words->mtu > UMF_NET_MTU_MAX) {
				snprintf(error, UMF_NET_ERROR, "'%s' is not %u to %u",
					 word, ETH_MIN_MTU, UMF_NET_MTU_MAX);
				return -EINVAL;
			}
		} else if (!strncmp(word, "latency=", 8)) {
			if (for_virtual(word, "delay time=", error))
				return -EINVAL;
			if (umf_parse_time(word + 8, &words->latency) ||
			    words->latency > NSEC_PER_SEC) {
				snprintf(error, UMF_NET_ERROR, "'%s' is no time up to 1s",
					 word);
				return -EINVAL;
			}
		} else if (!strncmp(word, "rate=", 5)) {
			if (for_virtual(word, "rate rate=", error))
				return -EINVAL;
			if (umf_parse_rate(word + 5, &words->rate) ||
			    words->rate < UMF_SEG_RATE_MIN) {
				snprintf(error, UMF_NET_ERROR,
					 "'%s' is no rate as 10Mbit, from 100kbit on",
					 word);
				return -EINVAL;
			}
		} else {
			snprintf(error, UMF_NET_ERROR,
				 "unknown option '%s', known are mac=, mtu=, latency= and rate=",
				 word);
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * Unless mac= says it: from the guest's name, the segment and the interface, so
 * that the next run has the same; if that is taken, the next of that kind.
 */
static void choose_mac(const struct umf_segment *seg, const char *segment,
		       unsigned int unit, u8 *mac)
{
	static const siphash_key_t key;
	char text[160];
	int salt, len;
	u64 hash;

	for (salt = 0; salt < UMF_SEG_PORTS; salt++) {
		len = scnprintf(text, sizeof(text), "%s|%s|%u|%d", get_umid(),
				segment, unit, salt);
		hash = siphash(text, len, &key);
		u64_to_ether_addr(hash & (BIT_ULL(48) - 1), mac);
		mac[0] = (mac[0] & 0xfc) | 0x02;
		if (!umf_segment_mac_taken(seg, ether_addr_to_u64(mac)))
			return;
	}
}

/* A port of the segment, and the MAC it is to have. */
static struct umf_segment *attach(unsigned int unit,
				  struct umf_net_words *words, char *error)
{
	struct umf_segment *seg;
	char label[40];

	snprintf(label, sizeof(label), "%.30s/eth%u", get_umid(), unit);
	seg = umf_segment_join(words->segment, label, error);
	if (IS_ERR(seg))
		return seg;
	if (words->latency && !umf_segment_set_latency(seg, words->latency)) {
		snprintf(error, UMF_NET_ERROR,
			 "latency= is less than the calendar's lookahead, %llu ns",
			 umf_clock_lookahead());
		umf_segment_leave(seg);
		return ERR_PTR(-EINVAL);
	}
	umf_segment_set_rate(seg, words->rate);
	if (!words->has_mac)
		choose_mac(seg, words->segment, unit, words->mac);
	else if (umf_segment_mac_taken(seg, ether_addr_to_u64(words->mac)))
		pr_warn("eth%u: another port of %s has the MAC %pM too\n",
			unit, words->segment, words->mac);
	return seg;
}

/* Interface @unit as @text says, or the reason why not in @error. */
static int umf_net_configure(unsigned int unit, const char *text, char *error)
{
	struct umf_net_words words = {};
	struct umf_net_config config;
	struct umf_net *net;
	char *copy;
	int err;

	lockdep_assert_held(&umf_nets_lock);
	if (umf_nets[unit]) {
		snprintf(error, UMF_NET_ERROR, "is configured already");
		return -EEXIST;
	}
	copy = kstrdup(text, GFP_KERNEL);
	if (!copy) {
		snprintf(error, UMF_NET_ERROR, "out of memory");
		return -ENOMEM;
	}
	err = umf_net_parse(copy, &words, error);
	if (err)
		goto out;
	config.spec = text;
	config.segment = words.segment;
	config.mtu = words.mtu;
	config.seg = attach(unit, &words, error);
	err = PTR_ERR_OR_ZERO(config.seg);
	if (err)
		goto out;
	ether_addr_copy(config.mac, words.mac);
	net = umf_net_create(unit, &config, error);
	err = PTR_ERR_OR_ZERO(net);
	if (err)
		umf_segment_leave(config.seg);
	else
		umf_nets[unit] = net;
out:
	kfree(copy);
	return err;
}

/* ---- its ways in: command line, mconsole, the end ---- */

/* "<unit>" and what follows it; -1: no such unit. */
static int parse_unit(const char *text, const char **end)
{
	unsigned int unit;
	int len = 0;

	if (!isdigit(*text) || sscanf(text, "%u%n", &unit, &len) != 1)
		unit = UMF_NET_UNITS;
	*end = text + len;
	return unit < UMF_NET_UNITS ? (int)unit : -1;
}

static int __init umf_net_setup(char *text)
{
	const char *end;
	int unit = parse_unit(text, &end);

	if (end == text || *end != '=')
		return 0;
	if (unit < 0)
		pr_err("eth%s: interfaces are eth0 to eth%u\n", text,
		       UMF_NET_UNITS - 1);
	else if (umf_net_boot[unit])
		pr_err("eth%d: configured twice, only the first counts\n", unit);
	else
		umf_net_boot[unit] = (char *)end + 1;
	return 1;
}

__uml_help(umf_net_setup,
	   "eth[0-9]+=switch,<segment>[,mac=<mac>][,mtu=<n>][,latency=<time>][,rate=<rate>]\n"
	   "    A network interface that is a port of a shared-memory segment.\n"
	   "    <segment> is a folder on the host, or a bare name for one under\n"
	   "    /dev/shm; guests that name the same one see each other. In virtual\n"
	   "    time what it sends passes a line of that rate, 10Gbit unless said,\n"
	   "    and takes the latency, 100us unless said.\n\n"
);

__setup_param("eth", umf_net_setup, umf_net_setup, 0);

/* mconsole runs one request at a time and copies the text before the next. */
static char umf_net_error[UMF_NET_ERROR];

static int umf_net_mc_config(char *text, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), err;

	if (unit < 0 || *end != '=') {
		snprintf(umf_net_error, sizeof(umf_net_error),
			 "expected eth<0-%u>=switch,<segment>", UMF_NET_UNITS - 1);
		*error = umf_net_error;
		return -EINVAL;
	}
	mutex_lock(&umf_nets_lock);
	err = umf_net_configure(unit, end + 1, umf_net_error);
	mutex_unlock(&umf_nets_lock);
	if (err)
		*error = umf_net_error;
	return err;
}

static int umf_net_mc_get_config(char *text, char *buf, int size, char **error)
{
	const char *end;
	int unit = parse_unit(text, &end), len = 0;
	struct umf_net *net;

	mutex_lock(&umf_nets_lock);
	net = unit < 0 || *end ? NULL : umf_nets[unit];
	if (net)
		len = snprintf(buf, size, "%s\n  port %u mac %pM mtu %u",
			       net->spec, umf_segment_port(net->seg),
			       net->dev->dev_addr, net->dev->mtu) + 1;
	else
		*error = "no such interface";
	mutex_unlock(&umf_nets_lock);
	return len;
}

static int umf_net_mc_id(char **text, int *first, int *last)
{
	const char *end;
	int unit = parse_unit(*text, &end);

	*first = 0;
	*last = UMF_NET_UNITS - 1;
	return *end ? -1 : unit;
}

static int umf_net_mc_remove(int unit, char **error)
{
	struct umf_net *net;

	mutex_lock(&umf_nets_lock);
	net = umf_nets[unit];
	umf_nets[unit] = NULL;
	if (net)
		umf_net_destroy(net);
	mutex_unlock(&umf_nets_lock);
	return net ? 0 : -ENODEV;
}

static struct mc_device umf_net_mc = {
	.list		= LIST_HEAD_INIT(umf_net_mc.list),
	.name		= "eth",
	.config		= umf_net_mc_config,
	.get_config	= umf_net_mc_get_config,
	.id		= umf_net_mc_id,
	.remove		= umf_net_mc_remove,
};

static int __init umf_net_init(void)
{
	int unit;

	umf_net_dev_init();
	mutex_lock(&umf_nets_lock);
	for (unit = 0; unit < UMF_NET_UNITS; unit++)
		if (umf_net_boot[unit] &&
		    umf_net_configure(unit, umf_net_boot[unit], umf_net_error))
			pr_err("eth%d: %s\n", unit, umf_net_error);
	mutex_unlock(&umf_nets_lock);
	mconsole_register_dev(&umf_net_mc);
	return 0;
}
device_initcall(umf_net_init);

static void umf_net_exit(void)
{
	int unit;

	for (unit = 0; unit < UMF_NET_UNITS; unit++)
		if (umf_nets[unit])
			umf_segment_abandon(umf_nets[unit]->seg);
}

__uml_exitcall(umf_net_exit);
