/* SPDX-License-Identifier: GPL-2.0 */
/* Being ended by SIGINT, SIGTERM and SIGHUP at places of one's own choice. */
#ifndef __UMF_STOP_H
#define __UMF_STOP_H

#include <signal.h>
#include <stdbool.h>

/* From now on signals come only where they are waited for, with this mask. */
void stop_catch(sigset_t *open);
bool stop_asked(void);
int stop_forget(void);		/* which one asked, or 0; from now on none has */
void stop_die(int sig);		/* of it, as who started the tool expects */

#endif /* __UMF_STOP_H */
