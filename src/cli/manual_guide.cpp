// The hand-written part of fathom(1).
#include <string_view>

#include "cli/manual_page.h"
#include "cli/troff.h"

namespace fathom::cli {
namespace {

using troff::example;
using troff::item;
using troff::paragraph;
using troff::section;

std::string description() {
  return section(
      "DESCRIPTION",
      paragraph(
          "Fathom takes text to a trained, aligned, evaluated and served language model of the "
          "DeepSeek LLM kind. A model is a Hugging Face directory (config.json, "
          "model.safetensors, tokenizer.json), so other programs open what Fathom makes, and "
          "Fathom what they make.") +
          paragraph(
              "Data goes to standard output, progress and messages to standard error. Commands "
              "that "
              "train read a TOML file; --set KEY=VALUE overrides one of its keys. "
              "--help at each level shows switches and an example, --help-config of the "
              "commands that train all keys with their defaults; the pages below have both."));
}

// tests/cli/manual_test.cpp runs these commands.
std::string first_model() {
  return section(
      "A FIRST MODEL",
      paragraph(
          "From text of your own to a model that writes like it, in about 6 minutes on two cores. "
          "Put plain text (UTF-8) into a folder named text, each document a file of its own: a "
          "chapter, an article. Two megabytes or more show that it works. One large file is cut "
          "first:") +
          example("mkdir text && split -C 50k book.txt text/part-") +
          paragraph("A tokenizer learns to cut text into tokens:") +
          example("fathom tokenizer train text --vocab-size 4096 --out tokenizer.json") +
          paragraph(
              "Then the text becomes tokens on disk. Some documents are held out, to measure the "
              "model by text that it has not seen. JSON lines and Parquet, also compressed, are "
              "known by their content; where each line of text is a document, say format = "
              "\"lines\":") +
          example(R"(cat > data.toml <<'END'
tokenizer = "tokenizer.json"
output = "data"
held_out_fraction = 0.1

[[sources]]
name = "text"
paths = ["text"]
END
fathom data prepare data.toml)") +
          paragraph(
              "Then training: 5 layers of width 256, about 5 million parameters, for 5 minutes. "
              "The run prints its loss, and writes curves, samples and checkpoints to runs/first:") +
          example(R"(cat > train.toml <<'END'
output = "runs/first"

[model]
num_layers = 5
hidden_size = 256
num_heads = 4
init_std = 0.02
tie_embeddings = true

[data]
directory = "data"

[train]
sequence_length = 256
global_batch = 8
max_minutes = 5

[schedule]
peak = 3e-3
warmup_steps = 100
END
fathom train train.toml)") +
          paragraph(
              "Stopped by Ctrl-C or a power cut, the last command goes on from its newest "
              "checkpoint "
              "when it is given again. Open runs/first/report.html in a browser to see the curves. "
              "Now "
              "the model writes, in the terminal or behind OpenAI's HTTP API and a web page:") +
          example(R"(fathom generate runs/first/model --prompt "In the beginning" --temperature 0.7
fathom serve runs/first/model --port 8000)"));
}

std::string exit_status() {
  return section(
      "EXIT STATUS",
      item("0", "Success.") + item("1", "Failure while running.") +
          item("2", "Bad usage, config or input; nothing was lost.") +
          item("128+N",
               "Signal N stopped a training run after it had saved a checkpoint: 130 for Ctrl-C, "
               "143 for SIGTERM. The same command goes on."));
}

std::string environment() {
  return section("ENVIRONMENT",
                 item("FATHOM_API_KEY",
                      "Key that fathom serve demands of its clients, and that chat and eval send "
                      "to a server.") +
                     item("FATHOM_CUDA_LIBRARIES",
                          "Folders, with colons between, in which cuBLASLt, cuDNN and NCCL are "
                          "looked for first.") +
                     item("FATHOM_CUDNN",
                          "off: attention on a GPU by Fathom's own kernels instead of cuDNN's.") +
                     item("FATHOM_CACHE",
                          "Folder for measured choices of GPU kernels. Default: fathom in "
                          "XDG_CACHE_HOME, or ~/.cache/fathom.") +
                     item("OMP_WAIT_POLICY, GOMP_SPINCOUNT",
                          "How idle threads wait. By default they sleep after about "
                          "40 microseconds; active makes them spin, for a machine that "
                          "runs nothing else."));
}

std::string files() {
  return section("FILES",
                 item("/usr/share/fathom/configs/",
                      "Shapes of models, runs, recipes, scaling studies and tasks of "
                      "fathom eval. A path configs/... that does not exist is looked "
                      "for there, so that fathom scaling flops "
                      "configs/models/deepseek-llm-7b.toml works in any folder. An "
                      "installation elsewhere has share/fathom/configs beside its bin.") +
                     item("/usr/share/doc/fathom/",
                          "README.md, and docs/, a book from the first run to a cluster: "
                          "docs/README.md lists its chapters, among them data.md, training.md, "
                          "alignment.md, evaluation.md, serving.md and parallelism.md."));
}

}  // namespace

std::string manual_guide() {
  return description() + first_model() + files() + environment() + exit_status();
}

}  // namespace fathom::cli
