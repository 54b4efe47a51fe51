#include "CSpikeKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// Threads that wait for work without falling asleep at once: a layer of a small network takes less time than waking one up does.

/// How often a thread looks for work before it sleeps: some tens of microseconds.
#define SPIKE_LOOKS 2000

struct spike_crew {
    int workers;
    atomic_int busy, left, asleep, stops;
    void (*work)(void *, int32_t);
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    struct spike_worker {
        /// The number of the last job it was given. A line of the cache of its own: it is looked at all the time.
        _Alignas(64) atomic_uint job;
        spike_crew *crew;
        int32_t slot;
        pthread_t thread;
    } worker[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Waits for another job than the last.
static unsigned next_job(struct spike_worker *worker, unsigned last) {
    for (int look = 0; look < SPIKE_LOOKS; look++) {
        const unsigned job = atomic_load(&worker->job);
        if (job != last) return job;
        pause_briefly();
    }
    spike_crew *crew = worker->crew;
    pthread_mutex_lock(&crew->mutex);
    // Whoever posts a job does so before looking for sleepers; a sleeper counts itself before looking for a job. One sees the other.
    atomic_fetch_add(&crew->asleep, 1);
    while (atomic_load(&worker->job) == last) pthread_cond_wait(&crew->woken, &crew->mutex);
    atomic_fetch_sub(&crew->asleep, 1);
    pthread_mutex_unlock(&crew->mutex);
    return atomic_load(&worker->job);
}

static void *work(void *argument) {
    struct spike_worker *worker = argument;
    spike_crew *crew = worker->crew;
    for (unsigned job = 0;;) {
        job = next_job(worker, job);
        if (atomic_load(&crew->stops)) return NULL;
        crew->work(crew->context, worker->slot);
        atomic_fetch_sub(&crew->left, 1);
    }
}

/// Gives the first workers a job, and wakes them if any sleeps.
static void post(spike_crew *crew, int workers) {
    for (int i = 0; i < workers; i++) atomic_fetch_add(&crew->worker[i].job, 1);
    if (atomic_load(&crew->asleep) == 0) return;
    pthread_mutex_lock(&crew->mutex);
    pthread_cond_broadcast(&crew->woken);
    pthread_mutex_unlock(&crew->mutex);
}

spike_crew *spike_crew_make(int32_t threads) {
    const int workers = threads > 1 ? threads - 1 : 0;
    const size_t size = sizeof(spike_crew) + (size_t)workers * sizeof(struct spike_worker);
    spike_crew *crew = NULL;
    if (posix_memalign((void **)&crew, 64, size)) return NULL;
    memset(crew, 0, size);
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->woken, NULL);
    for (int i = 0; i < workers; i++) {
        crew->worker[i].crew = crew;
        crew->worker[i].slot = i + 1;
        if (pthread_create(&crew->worker[i].thread, NULL, work, &crew->worker[i])) break;
        crew->workers++;
    }
    return crew;
}

bool spike_crew_run(spike_crew *crew, int32_t slots, void (*work)(void *, int32_t), void *context) {
    int idle = 0;
    if (slots > crew->workers + 1 || !atomic_compare_exchange_strong(&crew->busy, &idle, 1)) return false;
    crew->work = work;
    crew->context = context;
    atomic_store(&crew->left, slots - 1);
    post(crew, slots - 1);
    work(context, 0);
    for (int look = 0; atomic_load(&crew->left) > 0; look++) {
        if (look < SPIKE_LOOKS) {
            pause_briefly();
        } else {
            sched_yield();
        }
    }
    atomic_store(&crew->busy, 0);
    return true;
}

void spike_crew_free(spike_crew *crew) {
    atomic_store(&crew->stops, 1);
    post(crew, crew->workers);
    for (int i = 0; i < crew->workers; i++) pthread_join(crew->worker[i].thread, NULL);
    pthread_cond_destroy(&crew->woken);
    pthread_mutex_destroy(&crew->mutex);
    free(crew);
}
