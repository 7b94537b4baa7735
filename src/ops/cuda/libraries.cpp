#include "ops/cuda/libraries.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace fathom::ops::cuda {
namespace {

struct Pool {
  std::vector<Libraries*> free;  // a stack: the last one returned is taken first
  int made = 0;
};

std::mutex pools_mutex;

// By device. Never freed, because CUDA may shut down before static objects are destroyed.
Pool& pool_of(int device) {
  static auto& pools = *new std::map<int, Pool>;
  return pools[device];
}

Libraries* take(int device) {
  const std::lock_guard lock(pools_mutex);
  Pool& pool = pool_of(device);
  if (pool.free.empty()) {
    ++pool.made;
    return new Libraries;
  }
  Libraries* const libraries = pool.free.back();
  pool.free.pop_back();
  return libraries;
}

void give_back(int device, Libraries* libraries) {
  const std::lock_guard lock(pools_mutex);
  pool_of(device).free.push_back(libraries);
}

}  // namespace

Libraries& libraries_of(Context& context) {
  if (!context.libraries) {
    const int device = context.device.index;
    Libraries* const libraries = take(device);
    context.libraries = std::shared_ptr<void>(
        libraries, [device](void* used) { give_back(device, static_cast<Libraries*>(used)); });
  }
  return *static_cast<Libraries*>(context.libraries.get());
}

int count_libraries(int device) {
  const std::lock_guard lock(pools_mutex);
  return pool_of(device).made;
}

}  // namespace fathom::ops::cuda
