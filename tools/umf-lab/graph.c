// SPDX-License-Identifier: GPL-2.0
/*
 * graph: the lab as a picture, in DOT (graphviz). Guests are boxes, segments
 * ellipses, shared disks cylinders; an edge is a nic with its addresses, a null
 * modem cable, or a disk's name. What leads out of the lab ends in a plain word.
 *
 * Node names are "<kind>:<name>", so that a guest and a segment may share a name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/xalloc.h"
#include "lab.h"

static const char * const colors[] = {
	[GUEST_DOWN] = "white",
	[GUEST_ENDED] = "lightcoral",
	[GUEST_BOOTING] = "khaki",
	[GUEST_READY] = "palegreen",
	[GUEST_FROZEN] = "lightskyblue",
};

/* A text in a string of DOT; a newline is one in the picture. */
static void escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (strchr("\"\\", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void quoted(FILE *out, const char *kind, const char *name)
{
	fprintf(out, "\"%s", kind);
	escape(out, name);
	fputc('"', out);
}

static void edge(FILE *out, const char *guest, const char *kind, const char *name)
{
	fputc('\t', out);
	quoted(out, "guest:", guest);
	fputs(" -- ", out);
	quoted(out, kind, name);
}

static void node(FILE *out, const char *kind, const char *name, const char *shape,
		 const char *label)
{
	fputc('\t', out);
	quoted(out, kind, name);
	fprintf(out, " [shape=%s, label=", shape);
	quoted(out, "", label);
}

static void draw_guest(FILE *out, const struct lab *lab, const struct guest_conf *guest)
{
	enum guest_state state = lab->up ? guest_state(lab, guest->name) : GUEST_DOWN;
	char *label = xasprintf("%s\n%s, %s%s%s", guest->name, guest->kernel_said,
				guest->memory, lab->up ? "\n" : "",
				lab->up ? guest_state_name(state) : "");

	node(out, "guest:", guest->name, "box", label);
	fprintf(out, ", style=filled, fillcolor=%s];\n", colors[state]);
	free(label);
}

static void draw_nics(FILE *out, const struct guest_conf *guest)
{
	size_t i, k;

	for (i = 0; i < guest->nr_nics; i++) {
		const struct nic *nic = &guest->nic[i];

		edge(out, guest->name, "segment:", nic->segment);
		fputs(" [label=\"", out);
		escape(out, nic->name);
		for (k = 0; k < nic->ip.n; k++) {
			fputs("\\n", out);
			escape(out, nic->ip.s[k]);
		}
		fputs("\"];\n", out);
	}
}

/* The other end of a cable; NULL: nobody has it (yet). */
static const struct serial *other_end(const struct lab *lab, const struct serial *serial,
				      const struct guest_conf **whose)
{
	const struct guest_conf *guest = lab->guest;
	size_t i;

	for (; guest < lab->guest + lab->nr_guests; guest++)
		for (i = 0; i < guest->nr_serials; i++)
			if (&guest->serial[i] != serial && guest->serial[i].link &&
			    !strcmp(guest->serial[i].link, serial->link)) {
				*whose = guest;
				return &guest->serial[i];
			}
	return NULL;
}

static void draw_serials(FILE *out, const struct lab *lab, const struct guest_conf *guest)
{
	const struct guest_conf *peer = NULL;
	const struct serial *other;
	size_t i;

	for (i = 0; i < guest->nr_serials; i++) {
		const struct serial *serial = &guest->serial[i];
		char *end = xasprintf("%s %s", guest->name, serial->name);

		other = serial->link ? other_end(lab, serial, &peer) : NULL;
		/* a cable is drawn from its first end */
		if (other && (peer < guest || (peer == guest && other < serial)))
			goto next;
		if (other) {
			edge(out, guest->name, "guest:", peer->name);
		} else {
			node(out, "line:", end, "plaintext",
			     serial->link ? "(nobody)" : serial->transport);
			fputs("];\n", out);
			edge(out, guest->name, "line:", end);
		}
		fputs(" [style=dashed, label=", out);
		quoted(out, "", serial->link ?: "");
		fputs(", taillabel=", out);
		quoted(out, "", serial->name);
		if (other) {
			fputs(", headlabel=", out);
			quoted(out, "", other->name);
		}
		fputs("];\n", out);
next:
		free(end);
	}
}

static bool is_new(struct strings *seen, const char *path)
{
	size_t i;

	for (i = 0; i < seen->n; i++)
		if (!strcmp(seen->s[i], path))
			return false;
	strings_add(seen, xstrdup(path));
	return true;
}

static void draw_disks(FILE *out, const struct lab *lab, const struct guest_conf *guest,
		       struct strings *seen)
{
	size_t i;

	for (i = 0; i < guest->nr_disks; i++) {
		const struct disk *disk = &guest->disk[i];
		char *path;

		if (!disk->shared)
			continue;
		path = start_image(lab, guest, disk);
		if (is_new(seen, path)) {
			node(out, "disk:", path, "cylinder", strrchr(path, '/') + 1);
			fputs("];\n", out);
		}
		edge(out, guest->name, "disk:", path);
		fputs(" [label=", out);
		quoted(out, "", disk->name);
		fputs("];\n", out);
		free(path);
	}
}

static void draw(FILE *out, const struct lab *lab)
{
	const struct guest_conf *guest, *end = lab->guest + lab->nr_guests;
	struct strings seen = { 0 };
	size_t i;

	fputs("graph ", out);
	quoted(out, "", lab->name);
	fputs(" {\n\tnode [fontname=\"sans-serif\"];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=10];\n", out);
	for (i = 0; i < lab->segment.n; i++) {
		node(out, "segment:", lab->segment.s[i], "ellipse", lab->segment.s[i]);
		fputs("];\n", out);
	}
	for (guest = lab->guest; guest < end; guest++)
		draw_guest(out, lab, guest);
	for (guest = lab->guest; guest < end; guest++) {
		draw_nics(out, guest);
		draw_serials(out, lab, guest);
		draw_disks(out, lab, guest, &seen);
	}
	fputs("}\n", out);
}

/* Becomes dot's standard input; its output is ours. */
static int run_dot(FILE *in)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (dup2(fileno(in), 0) >= 0 && !lseek(0, 0, SEEK_SET))
			execlp("dot", "dot", "-Tsvg", NULL);
		say("graph --svg: dot: %s%s", strerror(errno),
		    errno == ENOENT ? "; it is in the package graphviz" : "");
		_exit(LAB_FAILED);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status) ? LAB_DONE : LAB_FAILED;
}

int graph_verb(struct lab *lab, const struct options *opt, char **args)
{
	FILE *out = stdout;

	if (*args)
		die(LAB_USAGE, "%s: graph takes no more words", *args);
	lab_need_record(lab);
	if (!opt->svg) {
		draw(out, lab);
		return LAB_DONE;
	}
	out = tmpfile();
	if (!out)
		die(LAB_FAILED, "graph --svg: %m");
	draw(out, lab);
	if (fflush(out))
		die(LAB_FAILED, "graph --svg: %m");
	return run_dot(out);
}
