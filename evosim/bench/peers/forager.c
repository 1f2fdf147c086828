/* The forager in plain C: what a good C programmer writes first, one agent at a time.
 * CUES, ACTIONS, TOURNAMENT are set on the compiler's command line, so the inner loops unroll. */
#include <math.h>
#include <stdint.h>

enum { LOCI = CUES * ACTIONS };

static uint32_t draw(uint64_t *s) { /* xorshift64* (Vigna 2016), upper half */
    *s ^= *s >> 12, *s ^= *s << 25, *s ^= *s >> 27;
    return (uint32_t)((*s * 0x2545F4914F6CDD1Dull) >> 32);
}

static float uniform(uint64_t *s) { return (float)(draw(s) >> 8) * 0x1p-24f; } /* [0, 1) */

static uint64_t stream(uint64_t seed, uint64_t generation, uint64_t index) { /* SplitMix64 */
    uint64_t z = seed + (generation << 32 | index) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (z ^ (z >> 31)) | 1; /* a xorshift state is never zero */
}

static float life(const float *w, const int32_t *next, const float *payoff, const float *cue,
                  int32_t state, int steps, uint64_t *s) {
    float sum = 0;
    for (int t = 0; t < steps; t++) {
        float p[ACTIONS] = {0}, top, total = 0;
        for (int f = 0; f < CUES; f++)
            for (int a = 0; a < ACTIONS; a++) p[a] += cue[state * CUES + f] * w[f * ACTIONS + a];
        top = p[0];
        for (int a = 1; a < ACTIONS; a++) top = p[a] > top ? p[a] : top;
        for (int a = 0; a < ACTIONS; a++) total += p[a] = expf(p[a] - top);
        float u = uniform(s), cumulative = p[0] / total;
        int a = 0;
        while (a < ACTIONS - 1 && u >= cumulative) cumulative += p[++a] / total;
        sum += payoff[state * ACTIONS + a];
        state = next[state * ACTIONS + a];
    }
    return sum;
}

static void child(float *out, const float *genomes, const float *fit, int n, float sd, uint64_t *s) {
    uint64_t best = (uint64_t)draw(s) * n >> 32;
    for (int k = 1; k < TOURNAMENT; k++) {
        uint64_t rival = (uint64_t)draw(s) * n >> 32;
        if (fit[rival] > fit[best]) best = rival;
    }
    for (int l = 0; l < LOCI; l += 2) { /* Box and Muller 1958 */
        float r = sd * sqrtf(-2 * logf(1 - uniform(s))), angle = 6.2831853f * uniform(s);
        out[l] = genomes[best * LOCI + l] + r * cosf(angle);
        out[l + 1] = genomes[best * LOCI + l + 1] + r * sinf(angle);
    }
}

/* Two genome buffers [n, CUES, ACTIONS] and fit[n] belong to the caller; mean[generations] is
 * filled with the mean summed payoff of each generation. */
void evolve(const int32_t *next, const float *payoff, const float *cue, int start, int steps, int n,
            int generations, float sd, uint64_t seed, int threads, float *genomes, float *spare,
            float *fit, double *mean) {
    for (int g = 0; g < generations; g++) {
        double sum = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : sum)
        for (int i = 0; i < n; i++) {
            uint64_t s = stream(seed, 2 * g, i);
            sum += fit[i] = life(genomes + (int64_t)i * LOCI, next, payoff, cue, start, steps, &s);
        }
        mean[g] = sum / n;
#pragma omp parallel for num_threads(threads)
        for (int i = 0; i < n; i++) {
            uint64_t s = stream(seed, 2 * g + 1, i);
            child(spare + (int64_t)i * LOCI, genomes, fit, n, sd, &s);
        }
        float *swap = genomes;
        genomes = spare, spare = swap;
    }
}
