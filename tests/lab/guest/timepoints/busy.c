/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that compute and hardly ever enter Xen. */
#include "timepoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* loops.S */
uint64_t spin(uint64_t n);
uint64_t interpret(uint64_t rounds);
void jump_in_place(void);
extern const char jump_left[];

/* A loop with one conditional branch. */
void run_spin(uint64_t rounds)
{
    printf("spin: %" PRIu64 "\n", spin(rounds));
}

static volatile uint64_t jumps_ended;
static volatile uint64_t flags_seen;

static void leave_jump(int signal, siginfo_t *info, void *context)
{
    greg_t *r = registers(context);

    (void)signal, (void)info;
    flags_seen |= r[REG_EFL] & FLAG_TF;
    /* Early signals hit other code; the timer comes again. */
    if ( r[REG_RIP] != (greg_t)jump_in_place )
        return;
    r[REG_RIP] = (greg_t)jump_left;
    jumps_ended++;
}

/* jmp to itself: no branch, no change of any register; a timer signal ends it. */
void run_jump(uint64_t rounds)
{
    const struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };

    jumps_ended = flags_seen = 0;
    handle(SIGALRM, leave_jump, SA_RESTART);
    if ( setitimer(ITIMER_REAL, &every, NULL) )
        fail("setitimer");
    for ( uint64_t i = 0; i < rounds; i++ )
        jump_in_place();
    setitimer(ITIMER_REAL, &never, NULL);
    printf("jump: left %" PRIu64 " times, tf %" PRIx64 "\n", jumps_ended, flags_seen);
}

/* Indirect jumps only. */
void run_interpreter(uint64_t rounds)
{
    printf("interpreter: %016" PRIx64 "\n", interpret(rounds));
}

#define STRING_BYTES (16u << 20)

static void copy_bytes(void *to, const void *from, size_t n)
{
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void copy_words(void *to, const void *from, size_t n)
{
    n /= 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* Copies of 16 MiB, each one instruction. */
void run_strings(uint64_t rounds)
{
    uint64_t *one = malloc(STRING_BYTES), *other = malloc(STRING_BYTES), sum = 0;

    if ( !one || !other )
        fail("malloc");
    for ( size_t i = 0; i < STRING_BYTES / 8; i++ )
        one[i] = mixed(i, i);
    memset(other, 1, STRING_BYTES);
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        one[i] += i;
        (i % 4 == 3 ? copy_bytes : copy_words)(other, one, STRING_BYTES);
        other[i * 2] ^= i;
        copy_words(one, other, STRING_BYTES);
    }
    for ( size_t i = 0; i < STRING_BYTES / 8; i++ )
        sum = mixed(sum, one[i]);
    printf("strings: %016" PRIx64 "\n", sum);
    free(one);
    free(other);
}

#define SIZE 160

/* Products of matrices, in integers and in floating point. */
void run_matrix(uint64_t rounds)
{
    static int64_t a[SIZE * SIZE], b[SIZE * SIZE], c[SIZE * SIZE];
    static double x[SIZE * SIZE], y[SIZE * SIZE], z[SIZE * SIZE];
    uint64_t sum = 0, bits;

    for ( unsigned int i = 0; i < SIZE * SIZE; i++ )
    {
        a[i] = i % 251;
        b[i] = i % 127 - 63;
        x[i] = a[i] / 7.0;
        y[i] = b[i] / 3.0;
    }
    for ( uint64_t round = 0; round < rounds; round++ )
    {
        for ( unsigned int i = 0; i < SIZE; i++ )
            for ( unsigned int k = 0; k < SIZE; k++ )
            {
                int64_t whole = 0;
                double real = 0;

                for ( unsigned int j = 0; j < SIZE; j++ )
                {
                    whole += a[i * SIZE + j] * b[j * SIZE + k];
                    real += x[i * SIZE + j] * y[j * SIZE + k];
                }
                c[i * SIZE + k] = whole;
                z[i * SIZE + k] = real;
            }
        for ( unsigned int i = 0; i < SIZE * SIZE; i++ )
        {
            sum = mixed(sum, c[i]);
            memcpy(&bits, &z[i], sizeof(bits));
            sum = mixed(sum, bits);
            a[i] = c[i] % 1009;
        }
    }
    printf("matrix: %016" PRIx64 "\n", sum);
}

static uint32_t rotated(uint32_t value, unsigned int by)
{
    return value >> by | value << (32 - by);
}

/* SHA-256's schedule and rounds; the constants are made up, as nobody's message is hashed. */
static void hash_block(uint32_t state[8], const uint32_t block[16])
{
    uint32_t w[64], s[8];

    memcpy(s, state, sizeof(s));
    for ( unsigned int i = 0; i < 64; i++ )
    {
        w[i] = i < 16 ? block[i]
                      : w[i - 16] + w[i - 7] + (rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3) +
                            (rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10);
        uint32_t one = s[7] + (rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + w[i] + i * 0x9e3779b9u;
        uint32_t two = (rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += one;
        s[0] = one + two;
    }
    for ( unsigned int i = 0; i < 8; i++ )
        state[i] += s[i];
}

void run_hash(uint64_t rounds)
{
    static uint32_t data[64 << 10 >> 2];
    uint32_t state[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    for ( unsigned int i = 0; i < sizeof(data) / 4; i++ )
        data[i] = i * i;
    for ( uint64_t round = 0; round < rounds; round++ )
        for ( unsigned int i = 0; i < sizeof(data) / 4; i += 16 )
            hash_block(state, data + i);
    printf("hash: ");
    for ( unsigned int i = 0; i < 8; i++ )
        printf("%08x", state[i]);
    printf("\n");
}
