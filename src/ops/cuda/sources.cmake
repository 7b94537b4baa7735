# The CUDA implementations of kernels.inc, included by src/ops/CMakeLists.txt.
set(cuda_sources)
foreach(source attention.cpp attention_rows.cu attention_tiles.cu cross_entropy.cu
               cross_entropy_registers.cu cross_entropy_rows.cu elementwise.cu cublaslt.cpp
               cudnn_attention.cpp cudnn_graph.cpp cudnn_library.cpp embedding.cu
               embedding_backward.cu fixed_order_attention.cu fixed_order_linear.cu fp8.cu gemm.cpp
               gemm_cache.cpp libraries.cpp matmul.cpp optimizer.cu paged_attention.cu
               paged_decode.cu ragged_offsets.cu rmsnorm.cu rmsnorm_backward.cu rope.cu sampling.cu
               skinny.cu swiglu.cu)
  list(APPEND cuda_sources cuda/${source})
endforeach()

# Nothing but what IEEE 754 rounds correctly, so that a fill gives the CPU's bits.
set_source_files_properties(cuda/elementwise.cu PROPERTIES COMPILE_OPTIONS "-fmad=false")
