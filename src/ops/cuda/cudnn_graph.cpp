// The graphs themselves, by cuDNN's C++ frontend: headers only, which call the
// library through the handle that we give them.
#include "ops/cuda/cudnn_graph.h"

#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <cmath>
#include <unordered_map>

#include "core/error.h"
#include "ops/cuda/cudnn_library.h"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // the frontend looks its functions up here
}

namespace fathom::ops::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using TensorHandle = std::shared_ptr<Tensor_attributes>;

// Throws with cuDNN's words.
void check_graph(fe::error_t error, const char* what) {
  if (error.is_bad()) [[unlikely]]
    fail_runtime("cuDNN {}: attention: {}: {}", cudnn_library().version_text(), what,
                 error.get_message());
}

std::int64_t uid_of(Operand operand) {
  return static_cast<std::int64_t>(operand) + 1;
}

class Builder {
 public:
  // The frontend is told the compute capability, or it would look for a CUDA runtime
  // of its own to ask.
  Builder(const AttentionShape& shape, int capability) : shape_(shape) {
    graph_->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT)
        .set_sm_version(capability);
    if (shape_.has_lengths()) {
      lengths_ = vector_input(Operand::lengths, shape_.sequences, fe::DataType_t::INT32);
    }
    if (!shape_.ragged()) return;
    for (const Operand operand : {Operand::q_offsets, Operand::k_offsets, Operand::v_offsets,
                                  Operand::out_offsets, Operand::lse_offsets}) {
      offsets_[static_cast<std::size_t>(operand)] =
          vector_input(operand, shape_.sequences + 1, fe::DataType_t::INT64);
    }
  }

  std::shared_ptr<fe::graph::Graph> build() {
    if (shape_.pass == Pass::forward) {
      forward();
    } else {
      backward();
    }
    return graph_;
  }

 private:
  TensorHandle vector_input(Operand operand, std::int64_t size, fe::DataType_t type) {
    return graph_->tensor(Tensor_attributes()
                              .set_uid(uid_of(operand))
                              .set_dim({size, 1, 1, 1})
                              .set_stride({1, 1, 1, 1})
                              .set_data_type(type));
  }

  // Gradients lie as what they are the gradients of.
  TensorHandle offsets_of(Operand operand) const {
    const auto at = [&](Operand name) { return offsets_[static_cast<std::size_t>(name)]; };
    switch (operand) {
      case Operand::q:
      case Operand::dq:
        return at(Operand::q_offsets);
      case Operand::k:
      case Operand::dk:
        return at(Operand::k_offsets);
      case Operand::v:
      case Operand::dv:
        return at(Operand::v_offsets);
      case Operand::lse:
        return at(Operand::lse_offsets);
      default:
        return at(Operand::out_offsets);
    }
  }

  // [sequences, heads, length, head_dim] inside rows that hold more.
  void describe(Operand operand, std::int64_t heads, Tensor_attributes& tensor) const {
    const std::int64_t stride = shape_.row_strides[static_cast<std::size_t>(operand)];
    tensor.set_uid(uid_of(operand))
        .set_dim({shape_.sequences, heads, shape_.length, shape_.head_dim})
        .set_stride({shape_.length * stride, shape_.head_dim, stride, 1})
        .set_data_type(fe::DataType_t::BFLOAT16);
    if (shape_.ragged()) tensor.set_ragged_offset(offsets_of(operand));
  }

  // As lse_order() has it.
  void describe_lse(Tensor_attributes& tensor) const {
    const std::int64_t heads = shape_.num_heads, length = shape_.length;
    tensor.set_uid(uid_of(Operand::lse))
        .set_dim({shape_.sequences, heads, length, 1})
        .set_data_type(fe::DataType_t::FLOAT);
    if (shape_.ragged()) {
      tensor.set_stride({heads * length, 1, heads, 1}).set_ragged_offset(offsets_of(Operand::lse));
    } else {
      tensor.set_stride({heads * length, length, 1, 1});
    }
  }

  TensorHandle input(Operand operand, std::int64_t heads) {
    Tensor_attributes tensor;
    describe(operand, heads, tensor);
    return graph_->tensor(tensor);
  }
  void output(Operand operand, std::int64_t heads, const TensorHandle& tensor) {
    tensor->set_output(true);
    describe(operand, heads, *tensor);
  }

  // What both passes are told.
  template <class Attributes>
  void set_common(Attributes& attributes) {
    attributes.set_causal_mask(true).set_attn_scale(1.0f /
                                                    std::sqrt(static_cast<float>(shape_.head_dim)));
    if (shape_.has_lengths()) {
      attributes.set_padding_mask(true).set_seq_len_q(lengths_).set_seq_len_kv(lengths_);
    }
  }

  void forward() {
    fe::graph::SDPA_attributes attributes;
    attributes.set_name("attention").set_generate_stats(true);
    set_common(attributes);
    const TensorHandle q = input(Operand::q, shape_.num_heads);
    const TensorHandle k = input(Operand::k, shape_.num_kv_heads);
    const TensorHandle v = input(Operand::v, shape_.num_kv_heads);
    const auto [out, lse] = graph_->sdpa(q, k, v, attributes);
    output(Operand::out, shape_.num_heads, out);
    lse->set_output(true);
    describe_lse(*lse);
  }

  void backward() {
    fe::graph::SDPA_backward_attributes attributes;
    attributes.set_name("attention_backward")
        .set_deterministic_algorithm(shape_.determinism == Determinism::reproducible);
    set_common(attributes);
    if (shape_.ragged()) {
      attributes.set_max_total_seq_len_q(shape_.tokens).set_max_total_seq_len_kv(shape_.tokens);
    }
    const TensorHandle q = input(Operand::q, shape_.num_heads);
    const TensorHandle k = input(Operand::k, shape_.num_kv_heads);
    const TensorHandle v = input(Operand::v, shape_.num_kv_heads);
    const TensorHandle out = input(Operand::out, shape_.num_heads);
    const TensorHandle dout = input(Operand::dout, shape_.num_heads);
    Tensor_attributes lse;
    describe_lse(lse);
    const auto [dq, dk, dv] =
        graph_->sdpa_backward(q, k, v, out, dout, graph_->tensor(lse), attributes);
    output(Operand::dq, shape_.num_heads, dq);
    output(Operand::dk, shape_.num_kv_heads, dk);
    output(Operand::dv, shape_.num_kv_heads, dv);
  }

  const AttentionShape& shape_;
  std::shared_ptr<fe::graph::Graph> graph_ = std::make_shared<fe::graph::Graph>();
  TensorHandle lengths_;
  std::array<TensorHandle, operand_count> offsets_;
};

}  // namespace

struct AttentionGraph::Impl {
  std::shared_ptr<fe::graph::Graph> graph;
};

AttentionGraph::AttentionGraph(Device device, cudnnContext* handle, const AttentionShape& shape)
    : impl_(std::make_unique<Impl>()) {
  [[maybe_unused]] static const void* const opened = fe::cudnn_dlhandle = cudnn_library().library;
  set_cudnn_stream(handle, device.index, nullptr);
  try {
    impl_->graph = Builder(shape, compute_capability(device.index)).build();
    fe::graph::Graph& graph = *impl_->graph;
    check_graph(graph.validate(), "a graph");
    check_graph(graph.build_operation_graph(handle), "its operations");
    check_graph(graph.create_execution_plans({fe::HeurMode_t::A}), "choosing a plan");
    check_graph(graph.check_support(), "no kernel for this shape");
    check_graph(graph.build_plans(), "building the plan");
    std::int64_t bytes = 0;
    check_graph(graph.get_workspace_size(bytes), "its workspace");
    workspace_bytes_ = static_cast<std::size_t>(bytes);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail_runtime("cuDNN {}: attention: {}", cudnn_library().version_text(), error.what());
  }
}

AttentionGraph::~AttentionGraph() = default;

void AttentionGraph::run(const Context& context, cudnnContext* handle, const Addresses& addresses,
                         void* workspace) const {
  set_cudnn_stream(handle, context.device.index, context.stream);
  std::unordered_map<std::int64_t, void*> pack;
  for (std::size_t i = 0; i < operand_count; ++i) {
    if (addresses[i]) pack.emplace(static_cast<std::int64_t>(i) + 1, addresses[i]);
  }
  check_graph(impl_->graph->execute(handle, pack, workspace), "running it");
}

}  // namespace fathom::ops::cuda
