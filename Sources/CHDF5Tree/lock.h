// Held from the opening of a writer to its closing, and while a process forks: no child inherits libhdf5 at work.

#ifndef CHDF5TREE_LOCK_H
#define CHDF5TREE_LOCK_H

#include <pthread.h>

extern pthread_mutex_t chdf5_lock;

#endif
