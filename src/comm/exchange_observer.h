// Lets `fathom plan` list what a rank exchanges with ranks that are only planned
// (comm/planned_group.h), and what of it runs beside the computing. On the meta device, an
// OperationObserver that is one of these too hears of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/context.h"
#include "core/observer.h"

namespace fathom {

// What goes through a group.
struct Exchange {
  enum class Kind : std::uint8_t {
    all_reduce,
    reduce_scatter,
    all_gather,
    broadcast,
    fetch_parts,  // the first step of begin_reduce_scatter(), which brings the others' parts
    add_parts,    // the second, which adds them
  };
  Kind kind = Kind::all_reduce;
  int ranks = 1;          // of the group
  int stride = 1;         // ranks of the world from one of them to the next
  std::size_t bytes = 0;  // of the whole tensor
};

class ExchangeObserver {
 public:
  virtual ~ExchangeObserver() = default;
  // In the context's lane.
  virtual void exchange(Context& context, const Exchange& exchange) = 0;
  // Work `ticket` is given to a queue beside the computing (comm/comm_queue.h), with overlap or
  // without. Its exchanges follow at once, in the communication lane.
  virtual void submit(const void* queue, std::int64_t ticket) = 0;
  // The computing waits for the queue's work `ticket`, and all before it.
  virtual void wait(const void* queue, std::int64_t ticket) = 0;
};

// Null when nobody listens.
inline ExchangeObserver* exchange_observer(const Context& context) {
  return dynamic_cast<ExchangeObserver*>(context.observer);
}

}  // namespace fathom
