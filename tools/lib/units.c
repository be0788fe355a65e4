// SPDX-License-Identifier: GPL-2.0
/* Numbers with units. Ranges are the guest's to check; only overflow is ours. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "units.h"

bool units_u64(const char *word, uint64_t *val)
{
	int base = !strncmp(word, "0x", 2) ? 16 : 10;
	char *end;

	if (!isdigit((unsigned char)*word))
		return false;
	errno = 0;
	*val = strtoull(word, &end, base);
	return !errno && !*end && (base == 10 || end > word + 2);
}

static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
};

/* Exact to the nanosecond: doubles are not. */
bool units_time(const char *word, bool seconds, uint64_t *ns)
{
	uint64_t unit = 0, whole, frac = 0, scale = 1;
	char *end;
	size_t i;

	if (!isdigit((unsigned char)*word))
		return false;
	errno = 0;
	whole = strtoull(word, &end, 10);
	if (errno)
		return false;	/* too long even in ns */
	if (*end == '.') {
		if (!isdigit((unsigned char)*++end))
			return false;
		for (; isdigit((unsigned char)*end); end++) {
			if (scale >= 1000000000)
				continue;
			frac = frac * 10 + (*end - '0');
			scale *= 10;
		}
	}

	if (!*end && seconds)
		unit = 1000000000;
	for (i = 0; i < sizeof(time_units) / sizeof(*time_units); i++)
		if (!strcmp(end, time_units[i].name))
			unit = time_units[i].ns;
	if (!unit || whole > UINT64_MAX / unit - 1)
		return false;
	/* 10^9 hours in ns take more than 64 bits on the way */
	*ns = whole * unit + (unsigned __int128)frac * unit / scale;
	return true;
}

bool units_prob(const char *word, double *prob)
{
	double val;
	char *end;

	if (!isdigit((unsigned char)*word) && *word != '.')
		return false;
	val = strtod(word, &end);
	if (!strcmp(end, "%"))
		val /= 100;
	else if (!strcmp(end, "ppm"))
		val /= 1000000;
	else if (!strcmp(end, "ppb"))
		val /= 1000000000;
	else if (*end)
		return false;
	if (!(val >= 0 && val <= 1))
		return false;
	*prob = val;
	return true;
}
