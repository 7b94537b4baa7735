// A group that notes the capacity that it is connected for, and the largest collectives that it is
// asked for; so do the groups that are split off it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "comm/forwarding_communicator.h"
#include "core/trace.h"

namespace fathom {

struct GroupRecord {
  std::string name;
  int size = 0;
  bool connected = false;
  CollectiveCapacity stated, used;
  std::vector<Route> routes;  // opened
  RouteCapacity route_capacity;
};

// Of one rank. Its groups may be used by several threads at once, each by one.
struct GroupRecords {
  std::vector<std::shared_ptr<GroupRecord>> all;
  std::shared_ptr<GroupRecord> add(std::string name, int size) {
    all.push_back(std::make_shared<GroupRecord>());
    all.back()->name = std::move(name);
    all.back()->size = size;
    return all.back();
  }
};

class RecordingGroup final : public test::ForwardingCommunicator {
 public:
  // Both outlive it.
  RecordingGroup(Communicator& group, std::string name, GroupRecords& records)
      : ForwardingCommunicator(group),
        records_(records),
        record_(records.add(std::move(name), size())) {}
  RecordingGroup(std::unique_ptr<Communicator> group, std::string name, GroupRecords& records)
      : RecordingGroup(*group, std::move(name), records) {
    owned_ = std::move(group);
  }

  void all_reduce(Context& c, Tensor x, Reduction r) override {
    note_sum(c, x);
    group_.all_reduce(c, x, r);
  }
  void reduce_scatter(Context& c, Tensor from, Tensor to) override {
    note_sum(c, from);
    if (is_displaced(from, to, rank())) note(record_->used.displaced_bytes, to);
    group_.reduce_scatter(c, from, to);
  }
  // Done at once, and under way until it is added, as between GPUs.
  std::function<void(Context&)> begin_reduce_scatter(Context& c, Tensor from, Tensor to) override {
    note(record_->used.bytes, from);
    note(record_->used.begun_bytes, to);
    const std::lock_guard lock(mutex_);
    record_->used.begun = std::max(record_->used.begun, ++under_way_);
    group_.begin_reduce_scatter(c, from, to);
    return [this](Context&) {
      const std::lock_guard end(mutex_);
      --under_way_;
    };
  }
  void all_gather(Context& c, Tensor from, Tensor to) override {
    note(record_->used.bytes, to);
    group_.all_gather(c, from, to);
  }
  void broadcast(Context& c, Tensor x, int root) override {
    note(record_->used.broadcast_bytes, x);
    group_.broadcast(c, x, root);
  }
  void connect(Device device, const CollectiveCapacity& capacity) override {
    record_->connected = true;
    record_->stated = capacity;
    group_.connect(device, capacity);
  }
  void open(Device d, std::span<const Route> routes, const RouteCapacity& capacity) override {
    record_->routes.assign(routes.begin(), routes.end());
    record_->route_capacity = capacity;
    group_.open(d, routes, capacity);
  }
  std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    return std::make_unique<RecordingGroup>(group_.split(color, name), name, records_);
  }

 private:
  static bool is_planned(Tensor x) { return x.device.type == DeviceType::meta; }
  static void note(std::size_t& largest, Tensor x) {
    if (!is_planned(x)) largest = std::max(largest, x.bytes());
  }
  void note_sum(const Context& c, Tensor whole) {
    note(record_->used.bytes, whole);
    if (!is_planned(whole) && c.lane == TraceLane::communication) record_->used.sums_beside = true;
  }

  GroupRecords& records_;
  std::shared_ptr<GroupRecord> record_;
  std::unique_ptr<Communicator> owned_;
  std::mutex mutex_;
  int under_way_ = 0;
};

}  // namespace fathom
