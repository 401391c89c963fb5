"""Vector building blocks, written as LLVM IR: what a compiler does not find by itself.

Each is a module-level Numba intrinsic that becomes part of the kernel calling it. They take addresses (int64, from
``array.ctypes.data``) because a kernel works on pieces of its buffers; callers guarantee that every row they name exists and that
rows are a multiple of :data:`ROW_ALIGNMENT` floats long. The IR uses vectors of :data:`LANES` floats; LLVM lowers them to
whatever the processor has, so another width is only slower, never wrong.
"""

from nodeloom.kernels.cpu.simd.ir import LANES, ROW_ALIGNMENT

__all__ = ["LANES", "ROW_ALIGNMENT"]
