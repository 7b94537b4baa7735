// `fathom dpo sample`, a command below `fathom dpo`.
#pragma once

namespace CLI {
class App;
}

namespace fathom::cli {

CLI::App* add_dpo_sample(CLI::App& dpo);

}  // namespace fathom::cli
