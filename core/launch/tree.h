/*
 * Every process of the sandbox, as seen from outside it. Raw system calls only: the guard uses this beside a supervisor that
 * may be dead. Two ways: where the caller lives in a Landlock layer that scopes signals, kill(-1) reaches exactly that
 * layer's members, and the kernel does it under one lock, so that no fork can slip through; elsewhere the children files of
 * /proc are walked until nothing new appears.
 */
#ifndef SANDLOCK_LAUNCH_TREE_H
#define SANDLOCK_LAUNCH_TREE_H

#include <stdbool.h>
#include <stddef.h>

/* The parent of a process; 0: the first one, or one that may not be looked at; -1: there is no such process. */
int tree_parent(int pid);
/* The children of a process; count, at most `room`. */
size_t tree_children(int pid, int *pids, size_t room);
/* The processes below `root` (itself excluded), breadth first; count, at most `room`. */
size_t tree_list(int root, int *pids, size_t room);
/* Sends `signal` to all of them; SIGKILL repeats, stopping first, until no new process shows up. Returns how many were seen.
 * `pids` is scratch space. */
size_t tree_signal(int root, int signal, int *pids, size_t room);
/* All members of the caller's signal-scoped Landlock layer but the caller. Must never be called outside one. */
void tree_signal_scoped(int signal);

#endif
