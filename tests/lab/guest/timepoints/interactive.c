/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process that sleeps 10 ms at a time beside one that computes without a pause: how late is it woken? */
#include "timepoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t spin(uint64_t n); /* loops.S */

#define SLEEP_NS 10000000
#define HOG_BRANCHES (1ull << 40) /* until it is killed */

static uint64_t now_ns(void)
{
    struct timespec t;

    if ( clock_gettime(CLOCK_MONOTONIC, &t) )
        fail("clock_gettime");
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void run_interactive(uint64_t rounds)
{
    const struct timespec pause = { 0, SLEEP_NS };
    uint64_t *late_us = calloc(rounds ? rounds : 1, sizeof(*late_us)), start;
    pid_t hog;

    if ( !rounds || !late_us )
        fail("interactive: rounds");
    hog = fork();
    if ( hog < 0 )
        fail("fork");
    if ( !hog )
        _exit(spin(HOG_BRANCHES) == 0);
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        start = now_ns();
        if ( nanosleep(&pause, NULL) )
            fail("nanosleep");
        late_us[i] = (now_ns() - start - SLEEP_NS) / 1000;
    }
    kill(hog, SIGKILL);
    if ( waitpid(hog, NULL, 0) != hog )
        fail("waitpid");
    qsort(late_us, rounds, sizeof(*late_us), by_value);
    printf("interactive: woken %" PRIu64 " times\n", rounds);
    printf("time: woken late, in us: median %" PRIu64 ", 90 %% %" PRIu64 ", 99 %% %" PRIu64 ", worst %" PRIu64 "\n",
           late_us[rounds / 2], late_us[rounds * 9 / 10], late_us[rounds * 99 / 100], late_us[rounds - 1]);
    free(late_us);
}
