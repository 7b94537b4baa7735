// The processes of a data command under mpirun or srun: rank 0 does what the command says, and the
// others help it with the stages whose parts can be shared.
#pragma once

#include <functional>
#include <string>

#include "core/config.h"
#include "data/chain/config.h"
#include "data/sharing.h"

namespace fathom {
class Communicator;
}

namespace fathom::cli {

// How rank 0 calls the others. Without a launcher there are none.
class DataCrew {
 public:
  explicit DataCrew(Communicator& world) : world_(world) {}

  // Throws an input Error for --shared where a launcher has joined the processes already.
  void check_shared(bool shared) const;
  // Of a stage that is about to run. Without other ranks: with `role`.
  template <class Config>
  Sharing<Config> sharing(chain::Stage stage, Role role = Role::alone) {
    if (alone()) return {role, {}};
    return {Role::member, [this, stage](const Config& config) {
              Config copy = config;
              call(std::string(enum_name(stage)) + "\n" + config_to_toml(copy));
            }};
  }

 private:
  bool alone() const;
  void call(const std::string& work);  // the other ranks, to `work`

  Communicator& world_;
};

// For the help of a command whose parts are shared; `call`: "clean clean.toml".
std::string shared_examples(const std::string& call);

// Calls lead(crew) on rank 0, and on the other ranks, until it has returned, what it calls them to;
// these write nothing on standard error but errors. A rank that fails ends the job, with its
// message.
void run_data_ranks(const std::function<void(DataCrew&)>& lead);

}  // namespace fathom::cli
