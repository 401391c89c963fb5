// The baseline: skip-gram with negative sampling the way GraphVite trains on a GPU (Zhu et al., WWW 2019), one warp per
// positive pair, one negative of its own, fp32 tables, plain loads and stores without locks, dim 128.
//
// nvcc -O3 -std=c++17 -arch=sm_90 -shared -Xcompiler -fPIC -o warp_per_pair.so warp_per_pair.cu

#include <cstdint>

#include <cuda_runtime.h>

namespace {

constexpr int kWarp = 32;
constexpr int kThreads = 256;
constexpr int kRow = 128 / 4;  // float4 of a row: one for each lane

__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset; offset >>= 1) value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

__device__ __forceinline__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

// a - scale * (gradient * b + decay * a)
__device__ __forceinline__ float4 stepped(float4 a, float4 b, float scale, float gradient, float decay) {
  const float keep = 1.f - scale * decay, add = -scale * gradient;
  return make_float4(keep * a.x + add * b.x, keep * a.y + add * b.y, keep * a.z + add * b.z, keep * a.w + add * b.w);
}

// One sample: changes the vertex row in registers and the context row in memory, with the gradient of both from before.
__device__ __forceinline__ void train_sample(float4& v, float4* place, bool positive, float lr, float weight, float decay) {
  const float4 c = *place;
  const float probability = 1.f / (1.f + __expf(-sum_of_warp(dot(v, c))));
  const float gradient = positive ? probability - 1.f : probability;
  *place = stepped(c, v, lr * weight, gradient, decay);
  v = stepped(v, c, lr * weight, gradient, decay);
}

__global__ void __launch_bounds__(kThreads) train(
    float4* __restrict__ vertex, float4* __restrict__ context, const int2* __restrict__ pairs, const int* __restrict__ negatives,
    int64_t num_pair, float lr, float lr_slope, float negative_weight, float decay) {
  const int lane = threadIdx.x % kWarp;
  const int64_t first = (blockIdx.x * (int64_t)kThreads + threadIdx.x) / kWarp;
  const int64_t num_warp = gridDim.x * (int64_t)kThreads / kWarp;
  for (int64_t i = first; i < num_pair; i += num_warp) {
    const int2 pair = pairs[i];  // head, tail: 64-bit offsets below, since rows * 32 may exceed 2^31
    const int negative = negatives[i];
    const float rate = lr - lr_slope * (float)i;
    float4* const head = vertex + (int64_t)pair.x * kRow + lane;
    float4 v = *head;
    train_sample(v, context + (int64_t)negative * kRow + lane, false, rate, negative_weight, decay);
    train_sample(v, context + (int64_t)pair.y * kRow + lane, true, rate, 1.f, decay);
    *head = v;
  }
}

}  // namespace

// Trains `num_pair` pairs [num_pair, 2] with a negative each, at rates that fall linearly from `lr` to `lr_end`, on tables
// [N, 128] of the current device, in the order of `stream`. Returns a cudaError_t; does not wait.
extern "C" int train_pairs(
    void* vertex, void* context, const void* pairs, const void* negatives, int64_t num_pair, float lr, float lr_end,
    float negative_weight, float weight_decay, int num_block, void* stream) {
  if (num_pair <= 0) return cudaSuccess;
  if (num_block <= 0) return cudaErrorInvalidConfiguration;
  (void)cudaGetLastError();  // what others left behind is not ours
  train<<<num_block, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      static_cast<float4*>(vertex), static_cast<float4*>(context), static_cast<const int2*>(pairs),
      static_cast<const int*>(negatives), num_pair, lr, (lr - lr_end) / (float)num_pair, negative_weight, weight_decay);
  return cudaGetLastError();
}

extern "C" const char* message_of(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }
