// Models in llama.cpp's GGUF files, in and out: config keys and weights. The tokenizer's keys are
// tokenizer/gguf_vocabulary.h's. Files of architecture "llama" whose mathematics is ours open here;
// llama.cpp opens what we write.
//
// ggml rotates neighbouring values of a head, Hugging Face values half a head apart, so within each
// head of q and k row 2i of the file is our row i, and row 2i + 1 is our row d/2 + i.
#pragma once

#include <string>

#include "io/gguf.h"
#include "model/hugging_face.h"

namespace fathom {

// The config and, from the tokenizer's keys, the tokens that begin and end a text. `dtype` is bf16
// when all matrices are stored so, else f32, which can hold all other types. Throws an input Error
// that names the file and the key when a key is missing or asks for what this model cannot do.
ModelDescription load_gguf_description(const GgufFile& file);

// Checks that the file holds the config's tensors and no others, then reads them, dequantised.
// Throws an input Error that names tensor and file. The file must outlive the reader.
WeightReader gguf_weights(const GgufFile& file, const ModelConfig& config);
// Of a file whose tensors gguf_weights() has checked: the parameters that it holds in one piece, in
// our order of rows; and the blocks of those that are Q8_0.
WeightsInPlace gguf_in_place(std::shared_ptr<const GgufFile> file);
BlockReader gguf_blocks(const GgufFile& file);

struct SaveGgufOptions {
  GgufType type = GgufType::bf16;  // of matrices: f32, f16, bf16 or q8_0; norms are f32
  std::string name;                // general.name
  GgufMetadata more;               // keys of the tokenizer
};

// Writes the file, atomically. With q8_0, a matrix whose rows are no multiple of 32 values is
// stored as f16. Throws an input Error for another type and for an existing directory `path`.
void save_gguf(const std::string& path, const ModelConfig& config, const WeightReader& weights,
               const SaveGgufOptions& options);

}  // namespace fathom
