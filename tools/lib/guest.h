/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Running guests, by the name a person gives.
 *
 * A name with a '/' is the path of a guest's mconsole socket or of the folder
 * it is in. Any other is a umid, looked up in $UML_DIR, ~/.uml (where UML puts
 * it unless told uml_dir=) and /tmp/uml (where it once did, and where
 * uml_mconsole looks too), in this order; a living guest goes before a dead.
 */
#ifndef __UMF_GUEST_H
#define __UMF_GUEST_H

#include <stddef.h>
#include <stdio.h>

struct guest {
	char *name;	/* as given */
	char *path;	/* of its socket */
};

struct guest_list {
	struct guest *guest;
	size_t n;
};

/*
 * Finds @name and appends it to @list. 0 or -errno; then *@why, to be freed,
 * is a line that says what is wrong and which guests there are.
 */
int guest_find(struct guest_list *list, const char *name, char **why);
/* Appends all that are running, sorted by folder and umid. */
void guest_find_all(struct guest_list *list);
void guest_list_free(struct guest_list *list);

#endif /* __UMF_GUEST_H */
