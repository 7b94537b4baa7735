#include "core/recorded_work.h"

#include "core/cuda/check.h"

namespace fathom {
namespace {

using cuda::check;

// A failure is told once: the calls after it would meet it again.
void check_recording(cudaError_t status, const char* what) {
  if (status != cudaSuccess) cudaGetLastError();
  check(status, what);
}

cudaStream_t native(Stream stream) {
  return static_cast<cudaStream_t>(stream);
}

}  // namespace

void RecordedWork::begin(Stream stream) {
  check(cudaSetDevice(device_.index), "choosing the device");
  check_recording(cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeThreadLocal),
                  "recording a graph");
}

void RecordedWork::end(Stream stream) {
  cudaGraph_t graph = nullptr;
  check_recording(cudaStreamEndCapture(native(stream), &graph), "recording a graph");
  cudaGraphExec_t executable = nullptr;
  cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check_recording(status, "preparing a graph");
  // Takes the graph's memory of the device, which the first launch would take otherwise: where
  // there is none, the work can still be queued as it is.
  status = cudaGraphUpload(executable, native(stream));
  if (status != cudaSuccess) cudaGraphExecDestroy(executable);
  check_recording(status, "preparing a graph");
  graph_ = executable;
}

void RecordedWork::abandon(Stream stream) noexcept {
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(native(stream), &graph);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
}

RecordedWork::~RecordedWork() {
  if (graph_) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph_));
}

void RecordedWork::launch(Stream stream) const {
  check(cudaSetDevice(device_.index), "choosing the device");
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph_), native(stream)), "launching a graph");
}

}  // namespace fathom
