/* shield.h -- beside the walk: keeps SIGPIPE from the host while the loop turns.
 *
 * A write to a dead child's pipe raises SIGPIPE, which ends a process that does not ignore it. The
 * library installs no handler and changes no disposition: it blocks the signal on this thread for
 * the duration of a wait and takes back what its own writes have raised.
 */
#ifndef RL_SHIELD_H
#define RL_SHIELD_H

#include <signal.h>
#include <stdbool.h>

struct rl_shield {
    sigset_t before;  /* the mask of the thread, to be restored */
    bool was_pending; /* a SIGPIPE that is not ours */
};

void rl_shield_raise(struct rl_shield *shield);
void rl_shield_lower(struct rl_shield *shield);

#endif
