// SPDX-License-Identifier: GPL-2.0
/* Distributions of delays from files, in tc-netem's format (fault/table.h). */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <os.h>
#include "fault/fault.h"
#include "fault/table.h"

#define FILE_MAX	SZ_1M
#define CHUNK		4096

/* All of it, NUL-terminated. */
static char *read_file(const char *path, struct umf_reply *reply)
{
	char *text, *name = kstrdup(path, GFP_KERNEL);
	int fd, n = 0, len = 0, type = -1;

	/* whoever opens a FIFO waits for somebody who writes to it */
	if (name)
		type = os_file_type(name);
	kfree(name);
	if (type < 0 || type != OS_TYPE_FILE) {
		umf_fail(reply, type < 0 ? type : -EINVAL,
			 "table=%s: no file that can be read", path);
		return NULL;
	}
	fd = os_open_file(path, of_read(OPENFLAGS()), 0);
	if (fd < 0) {
		umf_fail(reply, fd, "table=%s: cannot be read (%pe)", path,
			 ERR_PTR(fd));
		return NULL;
	}
	text = kvmalloc(FILE_MAX + 1, GFP_KERNEL);
	while (text && len < FILE_MAX &&
	       (n = os_read_file(fd, text + len, min(CHUNK, FILE_MAX - len))) > 0)
		len += n;
	os_close_file(fd);
	if (text && n >= 0 && len < FILE_MAX) {
		text[len] = '\0';
		return text;
	}
	if (!text)
		umf_fail(reply, -ENOMEM, "out of memory");
	else if (n < 0)
		umf_fail(reply, n, "table=%s: cannot be read (%pe)", path,
			 ERR_PTR(n));
	else
		umf_fail(reply, -EFBIG, "table=%s: more than 1 MiB", path);
	kvfree(text);
	return NULL;
}

/* The next number's text, NUL-terminated in place; NULL: there is none. */
static char *next_number(char **pos)
{
	char *p = *pos, *word;

	while (isspace(*p) || *p == '#') {
		if (*p == '#')
			p += strcspn(p, "\n");
		else
			p++;
	}
	if (!*p)
		return NULL;
	word = p;
	while (*p && !isspace(*p) && *p != '#')
		p++;
	/* a comment may begin right behind it */
	*pos = *p == '#' ? p + strcspn(p, "\n") : p + !!*p;
	*p = '\0';
	return word;
}

static struct umf_table *parse_table(const char *path, char *text,
				     struct umf_reply *reply)
{
	struct umf_table *table;
	char *word, *pos = text;
	unsigned int n = 0;

	table = kvzalloc(struct_size(table, val, UMF_TABLE_MAX), GFP_KERNEL);
	if (!table) {
		umf_fail(reply, -ENOMEM, "out of memory");
		return NULL;
	}
	table->n = UMF_TABLE_MAX;
	while ((word = next_number(&pos))) {
		if (n == UMF_TABLE_MAX) {
			umf_fail(reply, -EFBIG, "table=%s: more than %u numbers",
				 path, UMF_TABLE_MAX);
			break;
		}
		if (kstrtos16(word, 10, &table->val[n++])) {
			umf_fail(reply, -EINVAL,
				 "table=%s: number %u is %.20s: must be from -32768 to 32767",
				 path, n, word);
			break;
		}
	}
	if (!n)
		umf_fail(reply, -EINVAL, "table=%s: has no numbers", path);
	table->n = n;
	if (!reply->err)
		return table;
	kvfree(table);
	return NULL;
}

struct umf_table *umf_table_read(const char *path, struct umf_reply *reply)
{
	char *text = read_file(path, reply);
	struct umf_table *table = NULL;

	if (text)
		table = parse_table(path, text, reply);
	kvfree(text);
	return table ?: ERR_PTR(reply->err);
}

void umf_table_free(const struct umf_table *table)
{
	kvfree(table);
}
