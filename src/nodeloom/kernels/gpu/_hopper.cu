// Skip-gram with negative sampling on walk tiles, in CUDA C++ for GPUs of compute capability 9.0, for fp32 tables that are changed by additions.
// nodeloom/kernels/reference/skipgram.py is the definition; nodeloom/kernels/gpu/_tile.py does the same in Triton, for every GPU and optimizer.
//
// A block of 8 warps trains a tile at a time. It copies the rows of the tile's nodes to shared memory without passing registers, multiplies
// them there (bf16 factors, fp32 sums, only what the step reaches), and adds the changes to the tables in pieces of 16 bytes. While one
// block of a multiprocessor waits for its rows, another one multiplies. More blocks are slower: a row then leaves the L2 cache before it is
// changed.
//
// Measured on one H200, dim 128, step 5, 16 negatives, a graph of 1.1 M nodes and 4.9 M edges; in brackets the kernel of Triton:
//   tiles alone 13.3 (9.4) G pairs/s, a training of 1000 epochs 12.0 (8.7), of 600 epochs, whose
//   changes of rows have a largest length, 9.1 (5.2); BlogCatalog 9.1 (5.1).
// Rates come a tile ahead: behind the rows of their own tile the same training made 10.5. Registers left to kernels that draw walks (112 and
// 104 a thread) cost more than walks beside this kernel gain: 11.3 and 11.1.
// Slower, on the same tiles: additions of 16 bytes that share sectors 9.8; rows changed in shared memory and added by the copy engine
// (cp.reduce.async.bulk) 9.0; the next tile's rows on their way, in one block of 16 warps 10.5 to 12.1; rows as bf16, with three and four
// blocks 10.4 and 10.1, whose rows are read from DRAM twice.
//
// The compiler gets: D (columns of a row, a multiple of 32), K (negatives, padded to a multiple of 16), BAND (1 if no context is more than 8
// places away), TWO_SIDED, CAPPED (whether nodes have a largest rate), CLIP (whether changes of rows have
// a largest length), BLOCKS (of a multiprocessor), Index (int or long long).

constexpr int T = 64;                          // places of a tile
constexpr int WARPS = 8;
constexpr int THREADS = 32 * WARPS;
constexpr int STRIDE = D + 8;                  // floats of a row in shared memory: see slot()
constexpr int ROWS = 2 * T + K;
constexpr int P_STRIDE = T + 8;                // bf16 numbers of a row of coefficients
constexpr int N_STRIDE = K + 8;
constexpr int CONTEXT_TILES = BAND ? 4 : 8;    // of 8 contexts each, that 16 places have
constexpr int NEGATIVE_TILES = K / 8;
constexpr int SHARES = WARPS / 4;               // warps that have scores of the same 16 places
constexpr int SHARE = (CONTEXT_TILES + NEGATIVE_TILES + SHARES - 1) / SHARES;
constexpr int SPAN = BAND ? 32 : 64;           // contexts of 16 places, and places of 16 contexts
constexpr int LOSS_EVERY = 32;
constexpr float TINY = 1e-15f;

struct Shared {
    alignas(16) float rows[ROWS * STRIDE];                   // vertex rows, context rows, negative rows
    alignas(16) unsigned short positive[T * P_STRIDE];       // coefficients, bf16: [place][context]
    alignas(16) unsigned short negative[T * N_STRIDE];       // [place][negative]
    Index ids[T];
    Index noise[K];
    float row_weight[T], item_weight[T];                     // of a place: its pairs as vertex, its pairs as context
    float rate[T], noise_rate[K];                            // of a place as vertex, of a negative
    float total;                                             // pairs of the tile
    short walk[T];                                           // of a place
#if CLIP
    float item_rate[T];                                      // of a place as context
    float factors[ROWS];                                     // of a row: the sum of the sizes of its coefficients, times its rate
    float squares[ROWS];                                     // of a row: the square of the length of its gradient
    int longest;                                             // bits of the square of the longest row, which is a float
#endif
};

extern "C" __device__ const int shared_bytes = sizeof(Shared);  // read before a launch

// Where a row of shared memory lies. Within 8 rows the order is one in which no access below meets a bank twice: rows 0, 2, 4, 6 and
// rows 1, 3, 5, 7 begin 8 banks apart, rows 2i and 2i + 1 begin 16 banks apart.
__device__ __forceinline__ int slot(int row) { return (row & ~7) | ((0x57463120u >> (4 * (row & 7))) & 7); }

__device__ __forceinline__ unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

__device__ __forceinline__ unsigned pack(float low, float high) {
    unsigned packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

__device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <bool TRANSPOSED>
__device__ __forceinline__ void load_coefficients(unsigned (&a)[4], unsigned address) {
    if (TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(address));
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(address));
}

// A row that is not there becomes zeros.
__device__ __forceinline__ void copy_row_part(float* to, const float* from, bool live) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(live ? 16 : 0) : "memory");
}

__device__ __forceinline__ void add(float* to, float a, float b, float c, float d) {
    asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1,%2,%3,%4};" :: "l"(to), "f"(a), "f"(b), "f"(c), "f"(d) : "memory");
}

// COUNT rows of a table, from `first` on in shared memory.
template <int COUNT>
__device__ __forceinline__ void copy_rows(Shared& s, int first, const float* table, const Index* ids, int thread) {
    constexpr int PARTS = D / 4;
#pragma unroll
    for (int i = 0; i < (COUNT * PARTS + THREADS - 1) / THREADS; ++i) {
        const int part = i * THREADS + thread, row = part / PARTS, column = 4 * (part % PARTS);
        if (COUNT * PARTS % THREADS != 0 && part >= COUNT * PARTS) break;
        const Index id = ids[row];
        copy_row_part(&s.rows[slot(first + row) * STRIDE + column], table + (long long)(id < 0 ? 0 : id) * D + column, id >= 0);
    }
}

__device__ __forceinline__ bool is_near(Index id, Index other, int gap, int step) {
    return id >= 0 && other >= 0 && id != other && gap <= step && (TWO_SIDED ? gap >= -step : gap > 0);
}

// 16 rows of a gradient by 8 * TILES columns: the sum over STEPS times 16 rows of shared memory from `first` on, times coefficients.
//
// Column n of product i is column TILES * order(n) + i: so the sums 2t of four threads lie side by side, and so do the sums 2t + 1, and no
// two threads meet a bank of shared memory.
template <int TILES>
__device__ __forceinline__ int order(int n) { return TILES == 4 ? (0x63724150u >> (4 * n)) & 7 : n; }

template <bool TRANSPOSED, int STEPS, int LENGTH, int TILES>
__device__ __forceinline__ void accumulate(
    float (&sum)[TILES][4], const float* rows, const unsigned short* coefficients, int m, int k, int first, int column, int lane) {
    const int g = lane >> 2, t = lane & 3, r = lane & 7, h = (lane >> 3) & 1, q = lane >> 4;
    const float* base = rows + column + TILES * order<TILES>(g);
    unsigned a[STEPS][4];
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        const int at = TRANSPOSED ? (k + 16 * step + r + 8 * q) * LENGTH + m + 8 * h : (m + r + 8 * h) * LENGTH + k + 16 * step + 8 * q;
        load_coefficients<TRANSPOSED>(a[step], shared_address(coefficients + at));
    }
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        const int row = first + k + 16 * step + 2 * t;
        float b[4][TILES];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float* from = base + slot(row + (i & 1) + 4 * (i & 2)) * STRIDE;
            if constexpr (TILES == 4) *reinterpret_cast<float4*>(b[i]) = *reinterpret_cast<const float4*>(from);
            else *reinterpret_cast<float2*>(b[i]) = *reinterpret_cast<const float2*>(from);
        }
#pragma unroll
        for (int i = 0; i < TILES; ++i) multiply(sum[i], a[step], pack(b[0][i], b[1][i]), pack(b[2][i], b[3][i]));
    }
}

// Add the changes of two rows, `row` and `row + 8` of shared memory, in 8 * TILES columns.
template <int TILES>
__device__ __forceinline__ void change(
    const float (&sum)[TILES][4], const float* rows, float* table, int row, Index id0, Index id1, bool live0, bool live1, float rate0,
    float rate1, float decay0, float decay1, int column, int lane) {
    const int t = lane & 3;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        if (!(half ? live1 : live0)) continue;
        const float rate = -(half ? rate1 : rate0), decay = half ? decay1 : decay0;
        const float* old = rows + slot(row + 8 * half) * STRIDE + column;
        float* to = table + (long long)(half ? id1 : id0) * D + column;
        if constexpr (TILES == 4) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int at = 4 * order<4>(2 * t + e), i = 2 * half + e;
                const float4 v = *reinterpret_cast<const float4*>(old + at);
                add(to + at, rate * (sum[0][i] + decay * v.x), rate * (sum[1][i] + decay * v.y), rate * (sum[2][i] + decay * v.z),
                    rate * (sum[3][i] + decay * v.w));
            }
        } else {
            const int i = 2 * half;
            const float4 v = *reinterpret_cast<const float4*>(old + 4 * t);
            add(to + 4 * t, rate * (sum[0][i] + decay * v.x), rate * (sum[1][i] + decay * v.y), rate * (sum[0][i + 1] + decay * v.z),
                rate * (sum[1][i + 1] + decay * v.w));
        }
    }
}

#if CLIP
// Add the squares of the gradients of two rows, `row` and `row + 8` of shared memory, in 8 * TILES columns.
template <int TILES>
__device__ __forceinline__ void measure(
    const float (&sum)[TILES][4], Shared& s, int row, float decay0, float decay1, int column, int lane) {
    const int t = lane & 3;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float decay = half ? decay1 : decay0;
        const float* old = s.rows + slot(row + 8 * half) * STRIDE + column;
        float square = 0.0f;
        auto take = [&](float gradient, float value) { gradient += decay * value, square += gradient * gradient; };
        if constexpr (TILES == 4) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int i = 2 * half + e;
                const float4 v = *reinterpret_cast<const float4*>(old + 4 * order<4>(2 * t + e));
                take(sum[0][i], v.x), take(sum[1][i], v.y), take(sum[2][i], v.z), take(sum[3][i], v.w);
            }
        } else {
            const int i = 2 * half;
            const float4 v = *reinterpret_cast<const float4*>(old + 4 * t);
            take(sum[0][i], v.x), take(sum[1][i], v.y), take(sum[0][i + 1], v.z), take(sum[1][i + 1], v.w);
        }
        square += __shfl_xor_sync(~0u, square, 1);
        square += __shfl_xor_sync(~0u, square, 2);
        if (t == 0) atomicAdd(&s.squares[row + 8 * half], square);
    }
}

__device__ __forceinline__ float clipped(float square, float rate, float largest_step) {
    const float length = rate * sqrtf(square);
    return length > largest_step ? rate * (largest_step / length) : rate;
}
#endif

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) train_tiles(
    float* vertex, float* context, const Index* __restrict__ walks, long long walk_stride, long long place_stride, long long num_walk,
    const Index* __restrict__ negatives, const float* __restrict__ largest_rate, const float* __restrict__ lr, float negative_weight,
    float weight_decay, long long* num_pairs, double* statistics, long long num_tile, int span, int nodes, int walks_per_tile,
    int num_negative, int step, float largest_step) {
    extern __shared__ char memory[];
    Shared& s = *reinterpret_cast<Shared*>(memory);
    const int thread = threadIdx.x, warp = thread >> 5, lane = thread & 31, g = lane >> 2, t = lane & 3;
    for (int i = thread; i < T * P_STRIDE; i += THREADS) s.positive[i] = 0;  // what lies outside of all bands stays 0
    const float share = negative_weight / num_negative;
    const int walk_of_place = thread / nodes, node_of_place = thread % nodes;
    if (thread < T) s.walk[thread] = walk_of_place;
    long long pairs = 0;

    // Threads 0 ... 63 have the places of a tile, the K behind them its negatives.
    auto node_of = [&](long long tile) -> Index {
        if (thread >= T + K) return (Index)-1;
        if (thread < T) {
            const long long walk = tile * walks_per_tile + walk_of_place;
            return walk_of_place < walks_per_tile && walk < num_walk ? walks[walk * walk_stride + node_of_place * place_stride] : (Index)-1;
        }
        const int i = thread - T;
        return i < num_negative ? negatives[tile * num_negative + i] : (Index)-1;
    };

    // A block has `span` tiles, or every gridDim.x-th one of all.
    const long long begin = span ? blockIdx.x * (long long)span : blockIdx.x, stride = span ? 1 : gridDim.x;
    const long long end = span ? min(begin + span, num_tile) : num_tile;
    // Rates are read a tile ahead: behind the rows of their own tile they would come last.
    auto largest_of = [&](Index at) { return CAPPED && at >= 0 ? largest_rate[at] : 3e38f; };
    Index node = node_of(begin);
    float next_lr = begin < end ? lr[begin] : 0.0f, next_largest = largest_of(node);
    for (long long number = begin; number < end; number += stride) {
        const bool with_loss = number % LOSS_EVERY == 0;
        if (thread < T) s.ids[thread] = node;
        else if (thread < T + K) s.noise[thread - T] = node;
        __syncthreads();
        copy_rows<T>(s, 0, vertex, s.ids, thread);
        copy_rows<T>(s, T, context, s.ids, thread);
        copy_rows<K>(s, 2 * T, context, s.noise, thread);
        if (thread < T + K) {  // while rows come: the rates, how many pairs a place is in, and the nodes of the next tile
            const float rate = fminf(next_lr, next_largest);
            if (thread < T) {
                int ahead = 0, behind = 0;
                for (int gap = 1; gap <= step; ++gap) {
                    if (node_of_place + gap < nodes && thread + gap < T) {
                        const Index other = s.ids[thread + gap];
                        ahead += node >= 0 && other >= 0 && node != other;
                    }
                    if (node_of_place >= gap) {
                        const Index other = s.ids[thread - gap];
                        behind += node >= 0 && other >= 0 && node != other;
                    }
                }
                const int row = TWO_SIDED ? ahead + behind : ahead;
                s.row_weight[thread] = row;
                s.item_weight[thread] = TWO_SIDED ? row : behind;
                s.rate[thread] = rate;
                pairs += row;
#if CLIP
                s.item_rate[thread] = rate;
#endif
            } else {
                s.noise_rate[thread - T] = rate;
            }
            if (number + stride < end) node = node_of(number + stride), next_lr = lr[number + stride];
        }
        asm volatile("cp.async.wait_all;" ::: "memory");
        if (thread < T + K) next_largest = largest_of(node);
#if CLIP
        for (int i = thread; i < ROWS; i += THREADS) s.factors[i] = s.squares[i] = 0.0f;
        if (thread == 0) s.longest = 0;
#endif
        __syncthreads();
#if CLIP
        {
            float longest = 0.0f;
            for (int row = warp; row < ROWS; row += WARPS) {
                float square = 0.0f;
                for (int column = 4 * lane; column < D; column += 128) {
                    const float4 v = *reinterpret_cast<const float4*>(s.rows + row * STRIDE + column);
                    square += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
                }
#pragma unroll
                for (int i = 16; i; i >>= 1) square += __shfl_xor_sync(~0u, square, i);
                longest = fmaxf(longest, square);
            }
            if (lane == 0) atomicMax(&s.longest, __float_as_int(longest));
        }
#endif
        if (warp == WARPS - 1) {
            float total = s.row_weight[lane] + s.row_weight[lane + 32];
#pragma unroll
            for (int i = 16; i; i >>= 1) total += __shfl_xor_sync(~0u, total, i);
            if (lane == 0) s.total = total;
        }

        {  // Scores of 16 places with a share of their contexts and negatives.
            const int place = 16 * (warp & 3), part = (warp >> 2) * SHARE;
            const int first_tile = BAND ? 2 * (warp & 3) - 1 : 0;
            float score[SHARE][4] = {};
            const float* x0 = s.rows + slot(place + g) * STRIDE + 4 * t;
            const float* x1 = s.rows + slot(place + g + 8) * STRIDE + 4 * t;
            const float* y[SHARE];
#pragma unroll
            for (int i = 0; i < SHARE; ++i) {
                const int n = part + i, j = first_tile + n;
                const int row = n < CONTEXT_TILES ? T + 8 * min(max(j, 0), 7) : 2 * T + 8 * min(n - CONTEXT_TILES, NEGATIVE_TILES - 1);
                y[i] = s.rows + slot(row + g) * STRIDE + 4 * t;
            }
            if (part < CONTEXT_TILES + NEGATIVE_TILES) {
#pragma unroll
                for (int column = 0; column < D; column += 16) {
                    const float4 u = *reinterpret_cast<const float4*>(x0 + column), v = *reinterpret_cast<const float4*>(x1 + column);
                    const unsigned a[4] = {pack(u.x, u.y), pack(v.x, v.y), pack(u.z, u.w), pack(v.z, v.w)};
#pragma unroll
                    for (int i = 0; i < SHARE; ++i) {
                        const float4 b = *reinterpret_cast<const float4*>(y[i] + column);
                        multiply(score[i], a, pack(b.x, b.y), pack(b.z, b.w));
                    }
                }
            }
            float loss = 0.0f;
#if CLIP
            float of_place[2] = {};
            // Sizes of the coefficients of two columns of scores, over all places of the warp.
            auto add_sizes = [&](float (&of_row)[2], int row) {
#pragma unroll
                for (int e = 0; e < 2; ++e) {
#pragma unroll
                    for (int i = 4; i < 32; i <<= 1) of_row[e] += __shfl_xor_sync(~0u, of_row[e], i);
                    if (g == 0) atomicAdd(&s.factors[row + e], of_row[e]);
                }
            };
#endif
            const int walk0 = s.walk[place + g], walk1 = s.walk[place + g + 8];
#pragma unroll
            for (int i = 0; i < SHARE; ++i) {
                const int n = part + i, j = first_tile + n;
                if (n < CONTEXT_TILES) {
                    if (j < 0 || j > 7) continue;
#if CLIP
                    float of_row[2] = {};
#endif
#pragma unroll
                    for (int half = 0; half < 2; ++half) {
                        const int at = place + g + 8 * half;
                        const Index id = s.ids[at];
                        float p[2];
#pragma unroll
                        for (int e = 0; e < 2; ++e) {
                            const int other = 8 * j + 2 * t + e;
                            const bool near = s.walk[other] == (half ? walk1 : walk0) && is_near(id, s.ids[other], other - at, step);
                            const float value = score[i][2 * half + e];
                            p[e] = near ? __fdividef(-1.0f, 1.0f + __expf(value)) : 0.0f;  // sigmoid(value) - 1
                            if (with_loss && near) loss -= __logf(1.0f + p[e] + TINY);
#if CLIP
                            of_place[half] -= p[e], of_row[e] -= p[e];
#endif
                        }
                        *reinterpret_cast<unsigned*>(&s.positive[at * P_STRIDE + 8 * j + 2 * t]) = pack(p[0], p[1]);
                    }
#if CLIP
                    add_sizes(of_row, T + 8 * j + 2 * t);
#endif
                } else if (n < CONTEXT_TILES + NEGATIVE_TILES) {
                    const int at_noise = 8 * (n - CONTEXT_TILES) + 2 * t;
#if CLIP
                    float of_row[2] = {};
#endif
#pragma unroll
                    for (int half = 0; half < 2; ++half) {
                        const int at = place + g + 8 * half;
                        const Index id = s.ids[at];
                        const float weight = share * s.row_weight[at];
                        float p[2];
#pragma unroll
                        for (int e = 0; e < 2; ++e) {
                            const Index other = s.noise[at_noise + e];
                            const bool kept = other >= 0 && other != id;
                            const float sigmoid = __fdividef(1.0f, 1.0f + __expf(-score[i][2 * half + e]));
                            p[e] = kept ? weight * sigmoid : 0.0f;
                            if (with_loss && kept && weight > 0.0f) loss -= weight * __logf(1.0f - sigmoid + TINY);
#if CLIP
                            of_place[half] += p[e], of_row[e] += p[e];
#endif
                        }
                        *reinterpret_cast<unsigned*>(&s.negative[at * N_STRIDE + at_noise]) = pack(p[0], p[1]);
                    }
#if CLIP
                    add_sizes(of_row, 2 * T + at_noise);
#endif
                }
            }
#if CLIP
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                of_place[half] += __shfl_xor_sync(~0u, of_place[half], 1);
                of_place[half] += __shfl_xor_sync(~0u, of_place[half], 2);
                if (t == 0) atomicAdd(&s.factors[place + g + 8 * half], of_place[half]);
            }
#endif
            if (with_loss) {
#pragma unroll
                for (int i = 16; i; i >>= 1) loss += __shfl_xor_sync(~0u, loss, i);
                if (lane == 0) atomicAdd(statistics, double(loss));
            }
        }
        __syncthreads();

        // Gradients, 16 rows by 32 columns at a time; those of negatives 16 by 16.
        constexpr int GROUPS = D / 32, UNITS = 4 * GROUPS, N_GROUPS = D / 16;
        const float total = s.total, both = weight_decay * (1.0f + negative_weight), of_noise = weight_decay * share * total;
        auto each_gradient = [&](auto of_vertices, auto of_contexts, auto of_negatives) {
            for (int unit = warp; unit < UNITS; unit += WARPS) {
                const int row = 16 * (unit / GROUPS), column = 32 * (unit % GROUPS), first = BAND ? min(max(row - 8, 0), T - SPAN) : 0;
                {
                    float sum[4][4] = {};
                    accumulate<false, SPAN / 16, P_STRIDE, 4>(sum, s.rows, s.positive, row, first, T, column, lane);
                    accumulate<false, K / 16, N_STRIDE, 4>(sum, s.rows, s.negative, row, 0, 2 * T, column, lane);
                    of_vertices(sum, row + g, column);
                }
                {
                    float sum[4][4] = {};
                    accumulate<true, SPAN / 16, P_STRIDE, 4>(sum, s.rows, s.positive, row, first, 0, column, lane);
                    of_contexts(sum, row + g, column);
                }
            }
            for (int unit = WARPS - 1 - warp; unit < K / 16 * N_GROUPS; unit += WARPS) {
                const int row = 16 * (unit / N_GROUPS), column = 16 * (unit % N_GROUPS);
                float sum[2][4] = {};
                accumulate<true, T / 16, N_STRIDE, 2>(sum, s.rows, s.negative, row, 0, 0, column, lane);
                of_negatives(sum, row + g, column);
            }
        };
#if CLIP
        // No gradient is longer than the sizes of its coefficients times the longest row. Where that may be too long, lengths are measured.
        bool may_be_long = false;
        if (thread < T + K) {
            const float longest = sqrtf(__int_as_float(s.longest)) * 1.01f;
            auto is_long = [&](int row, float rate, float decay) { return rate * longest * (s.factors[row] + decay) > largest_step; };
            if (thread < T)
                may_be_long = is_long(thread, s.rate[thread], both * s.row_weight[thread]) ||
                              is_long(T + thread, s.item_rate[thread], weight_decay * s.item_weight[thread]);
            else
                may_be_long = is_long(T + thread, s.noise_rate[thread - T], of_noise);
        }
        if (__syncthreads_or(may_be_long)) {
            each_gradient(
                [&](auto& sum, int row, int column) {
                    measure<4>(sum, s, row, both * s.row_weight[row], both * s.row_weight[row + 8], column, lane);
                },
                [&](auto& sum, int row, int column) {
                    measure<4>(sum, s, T + row, weight_decay * s.item_weight[row], weight_decay * s.item_weight[row + 8], column, lane);
                },
                [&](auto& sum, int row, int column) { measure<2>(sum, s, 2 * T + row, of_noise, of_noise, column, lane); });
            __syncthreads();
            if (thread < T) {
                s.rate[thread] = clipped(s.squares[thread], s.rate[thread], largest_step);
                s.item_rate[thread] = clipped(s.squares[T + thread], s.item_rate[thread], largest_step);
            } else if (thread < T + K) {
                s.noise_rate[thread - T] = clipped(s.squares[T + thread], s.noise_rate[thread - T], largest_step);
            }
            __syncthreads();
        }
        const float* item_rate = s.item_rate;
#else
        const float* item_rate = s.rate;
#endif
        each_gradient(
            [&](auto& sum, int row, int column) {
                const float w0 = s.row_weight[row], w1 = s.row_weight[row + 8];
                change<4>(sum, s.rows, vertex, row, s.ids[row], s.ids[row + 8], w0 > 0, w1 > 0, s.rate[row], s.rate[row + 8], both * w0,
                          both * w1, column, lane);
            },
            [&](auto& sum, int row, int column) {
                const float w0 = s.item_weight[row], w1 = s.item_weight[row + 8];
                change<4>(sum, s.rows, context, T + row, s.ids[row], s.ids[row + 8], w0 > 0, w1 > 0, item_rate[row], item_rate[row + 8],
                          weight_decay * w0, weight_decay * w1, column, lane);
            },
            [&](auto& sum, int row, int column) {
                const Index id0 = s.noise[row], id1 = s.noise[row + 8];
                change<2>(sum, s.rows, context, 2 * T + row, id0, id1, id0 >= 0 && total > 0, id1 >= 0 && total > 0, s.noise_rate[row],
                          s.noise_rate[row + 8], of_noise, of_noise, column, lane);
            });
        if (with_loss && thread == 0) atomicAdd(statistics + 1, double((1.0f + negative_weight) * total));
        __syncthreads();
    }
    if (pairs) atomicAdd(reinterpret_cast<unsigned long long*>(num_pairs), static_cast<unsigned long long>(pairs));
}
