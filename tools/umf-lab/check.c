// SPDX-License-Identifier: GPL-2.0
/*
 * Words of a lab file that go to a driver or to the guest's `ip` as they are:
 * whether those will take them, so that a wrong one is told with its line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/units.h"
#include "../lib/xalloc.h"
#include "lab.h"

#define MTU_MIN		68	/* ETH_MIN_MTU */
#define MTU_MAX		65521	/* UMF_NET_MTU_MAX */
#define SERIAL_LEN	20
#define CACHE_MIN	(4ULL << 10)
#define CACHE_MAX	(1ULL << 30)

/* ---- nic ---- */

static bool is_mac(const char *word)
{
	bool zero = true;
	size_t i;

	for (i = 0; i < 17; i++) {
		if (i % 3 == 2 ? word[i] != ':' : !isxdigit((unsigned char)word[i]))
			return false;
		zero = zero && (word[i] == '0' || word[i] == ':');
	}
	/* the first octet's lowest bit: a group's */
	return !word[17] && !zero && !strchr("13579bdfBDF", word[1]);
}

static bool is_mtu(const char *word)
{
	uint64_t mtu;

	return isdigit((unsigned char)*word) && units_u64(word, &mtu) &&
	       !strchr(word, 'x') && mtu >= MTU_MIN && mtu <= MTU_MAX;
}

/* An address of that family, and as the kernel writes it. */
static char *plain_address(int family, const char *text)
{
	char bytes[16], out[INET6_ADDRSTRLEN];

	if (inet_pton(family, text, bytes) != 1 ||
	    !inet_ntop(family, bytes, out, sizeof(out)))
		return NULL;
	return xstrdup(out);
}

/* "[<address>]" for IPv6, and bare for IPv4: cut off at its end, which is returned. */
static char *cut_address(char *text, int *family, char **address)
{
	char *end;

	*family = *text == '[' ? AF_INET6 : AF_INET;
	*address = text + (*text == '[');
	end = *text == '[' ? strchr(text, ']') : text + strcspn(text, "/:");
	if (!end)
		return NULL;
	if (*end == ']')
		*end++ = '\0';
	return end;
}

char *word_address(const char *word)
{
	char *copy = xstrdup(word), *address, *rest, *gateway, *plain, *via;
	char *found = NULL;
	uint64_t length;
	int family, other;

	rest = cut_address(copy, &family, &address);
	if (!rest || *rest != '/')
		goto out;
	*rest++ = '\0';
	gateway = strchr(rest, ':');
	if (gateway)
		*gateway++ = '\0';
	if (!isdigit((unsigned char)*rest) || !units_u64(rest, &length) ||
	    strchr(rest, 'x') || length > (family == AF_INET6 ? 128 : 32))
		goto out;
	if (gateway) {
		rest = cut_address(gateway, &other, &gateway);
		via = rest && !*rest ? plain_address(other, gateway) : NULL;
		if (!via || other != family) {
			free(via);
			goto out;
		}
		free(via);
	}
	plain = plain_address(family, address);
	if (plain)
		found = xasprintf("%s/%u", plain, (unsigned int)length);
	free(plain);
out:
	free(copy);
	return found;
}

static bool is_address(const char *word)
{
	char *address = word_address(word);
	bool is = address;

	free(address);
	return is;
}

/* ---- disk ---- */

static bool is_cache(const char *word)
{
	static const char units[] = "kmg";
	unsigned long long size;
	const char *unit;
	char *end;

	if (!strcmp(word, "none") || !strcmp(word, "volatile"))
		return true;
	if (strncmp(word, "volatile:", 9) || !isdigit((unsigned char)word[9]))
		return false;
	size = strtoull(word + 9, &end, 0);
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if ((*end && !unit) || (unit && end[1]) || size > CACHE_MAX)
		return false;
	if (unit)
		size <<= 10 * (unit - units + 1);
	return size >= CACHE_MIN && size <= CACHE_MAX;
}

static bool is_order(const char *word)
{
	return !strcmp(word, "strict");
}

static bool is_block(const char *word)
{
	return !strcmp(word, "512") || !strcmp(word, "4096");
}

static bool is_engine(const char *word)
{
	return !strcmp(word, "uring") || !strcmp(word, "threads");
}

static bool is_serial(const char *word)
{
	return *word && strlen(word) <= SERIAL_LEN;
}

/* ---- serial ---- */

static bool is_on_or_off(const char *word)
{
	return !strcmp(word, "on") || !strcmp(word, "off");
}

/* A descriptor of ours is none of the guest's: it has its consoles there. */
static bool is_transport(const char *word)
{
	size_t len = strlen(word);
	char *copy = xstrdup(word), *end;
	uint64_t port;
	bool is;

	if (len > 8 && !strcmp(copy + len - 8, ",pace=on"))
		copy[len - 8] = '\0';
	else if (len > 9 && !strcmp(copy + len - 9, ",pace=off"))
		copy[len - 9] = '\0';
	end = copy + strcspn(copy, ",");
	if (!strncmp(copy, "tcp,", 4))
		is = isdigit((unsigned char)end[1]) && units_u64(end + 1, &port) &&
		     port && port < 65536;
	else if (!strncmp(copy, "link,", 5) || !strncmp(copy, "unix,", 5))
		is = end[1] && strncmp(end + 1, "pace=", 5);
	else
		is = !strcmp(copy, "null") || !strcmp(copy, "pty");
	free(copy);
	return is;
}

/* ---- segment ---- */

#define LATENCY_MIN	1000ULL	/* ns */
#define LATENCY_MAX	1000000000ULL

static bool is_latency(const char *word)
{
	uint64_t ns;

	return units_time(word, false, &ns) && ns >= LATENCY_MIN && ns <= LATENCY_MAX;
}

/* ---- the lab ---- */

static bool is_time(const char *word)
{
	return !strcmp(word, "real") || !strcmp(word, "virtual");
}

/* ---- all of them ---- */

static const struct {
	const char *section, *key;
	bool (*is)(const char *word);
	const char *what;
} words[] = {
	{ "segment", "latency", is_latency, "a time from 1us to 1s" },
	{ "root", "time", is_time, "real or virtual" },
	{ "nic", "mac", is_mac, "a MAC of one machine, as 02:00:00:00:00:01" },
	{ "nic", "mtu", is_mtu, "68 to 65521" },
	{ "nic", "ip", is_address, "<address>/<length>[:<gateway>], IPv6 addresses in brackets" },
	{ "disk", "cache", is_cache, "none, volatile or volatile:<size>, 4k to 1G" },
	{ "disk", "order", is_order, "strict" },
	{ "disk", "serial", is_serial, "at most 20 characters" },
	{ "disk", "logical", is_block, "512 or 4096" },
	{ "disk", "physical", is_block, "512 or 4096" },
	{ "disk", "engine", is_engine, "uring or threads" },
	{ "serial", "pace", is_on_or_off, "on or off" },
	{ "serial", "transport", is_transport,
	  "pty, null, or in quotes link,<path>, unix,<path> or tcp,<port>; ,pace=off may follow" },
};

const char *word_wrong(const char *section, const char *key, const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(words[i].section, section) && !strcmp(words[i].key, key))
			return words[i].is(word) ? NULL : words[i].what;
	return NULL;
}
