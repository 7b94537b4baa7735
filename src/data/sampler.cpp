#include "data/sampler.h"

#include <algorithm>

#include "core/error.h"
#include "core/philox.h"
#include "data/permutation.h"

namespace fathom {

void reset(Batch& batch, std::int64_t sequence_length, std::int64_t first_sample) {
  batch.sequences = 0;
  batch.sequence_length = sequence_length;
  batch.first_sample = first_sample;
  batch.num_targets = batch.num_padding = 0;
  batch.inputs.clear();
  batch.targets.clear();
  batch.positions.clear();
  batch.sources.clear();
  batch.cu_seqlens.assign(1, 0);
}

namespace {

// Appends the positions and segment offsets of the last sequence, whose segments begin at
// `starts` (relative to the sequence, ascending, without 0).
void append_segments(const std::vector<std::int64_t>& starts, Batch& batch) {
  const std::int64_t length = batch.sequence_length;
  const std::int64_t base = (batch.sequences - 1) * length;
  std::int64_t segment = 0;
  for (std::size_t i = 0; i <= starts.size(); ++i) {
    const std::int64_t next = i < starts.size() ? starts[i] : length;
    for (std::int64_t position = 0; position < next - segment; ++position) {
      batch.positions.push_back(static_cast<std::int32_t>(position));
    }
    segment = next;
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(base + segment));
  }
}

}  // namespace

void append_sequence(const Window& window, std::int32_t eos, AttentionSpan span, Batch& batch) {
  const auto& [stream, first_target, end, source] = window;
  const std::int64_t length = batch.sequence_length;
  const std::int64_t targets = std::clamp<std::int64_t>(end - first_target, 0, length);
  const std::size_t old = batch.inputs.size();
  const std::size_t size = old + static_cast<std::size_t>(length);
  batch.inputs.resize(size, eos);
  batch.targets.resize(size, -1);
  if (targets > 0) {
    stream.read(first_target, std::span(batch.targets).subspan(old, std::size_t(targets)));
    batch.inputs[old] = eos;
    if (first_target > 0) stream.read(first_target - 1, std::span(batch.inputs).subspan(old, 1));
    std::copy_n(batch.targets.begin() + std::ptrdiff_t(old), targets - 1,
                batch.inputs.begin() + std::ptrdiff_t(old) + 1);
  }
  ++batch.sequences;
  batch.num_targets += targets;
  batch.sources.push_back(source);

  std::vector<std::int64_t> starts;
  if (span == AttentionSpan::document && targets > 0) {
    stream.document_starts(first_target, first_target + targets, starts);
    for (std::int64_t& start : starts) start -= first_target;
  }
  append_segments(starts, batch);
}

Sampler::Sampler(std::shared_ptr<const PreparedData> data, std::int64_t sequence_length,
                 std::uint64_t seed, AttentionSpan span, const SamplerStart& start,
                 const std::vector<MixPhase>& phases)
    : data_(std::move(data)), sequence_length_(sequence_length), seed_(seed), span_(span) {
  require(sequence_length >= 1, "a sequence length of {}", sequence_length);
  MixPhase first{start.first_sample, {}};
  for (const PreparedSource& source : data_->sources) first.weights.push_back(source.weight);
  auto next = phases.begin();
  for (; next != phases.end() && next->first_sample <= start.first_sample; ++next) {
    first.weights = next->weights;
  }
  std::vector<std::int64_t> read = start.read;
  read.resize(data_->sources.size(), 0);
  mixes_.push_back(make_mix(std::move(first), std::move(read)));
  for (; next != phases.end(); ++next) {
    require(next->first_sample > mixes_.back().phase.first_sample,
            "a phase from sample {} on behind one from sample {} on", next->first_sample,
            mixes_.back().phase.first_sample);
    mixes_.push_back(make_mix(*next, windows_read(next->first_sample)));
  }
}

Sampler::Mix Sampler::make_mix(MixPhase phase, std::vector<std::int64_t> read) const {
  std::vector<double> weights;
  std::vector<Active> active;
  for (std::size_t s = 0; s < data_->sources.size(); ++s) {
    if (phase.weights[s] == 0) continue;
    const PreparedSource& source = data_->sources[s];
    const std::int64_t windows = source.train.tokens() / sequence_length_;
    if (windows == 0) {
      fail_input(
          "{}: source '{}' has {} tokens for training, fewer than one sequence of {}; add "
          "data, shorten the sequences, or set its weight to 0",
          data_->directory, source.name, source.train.tokens(), sequence_length_);
    }
    weights.push_back(phase.weights[s]);
    active.push_back(
        {static_cast<int>(s), windows, stream_of(source.name.data(), source.name.size())});
  }
  if (active.empty()) fail_input("{}: no source has a weight above 0", data_->directory);
  Mix mix{std::move(phase), std::move(read), std::move(active), Mixture(weights)};
  for (std::size_t i = 0; i < mix.active.size(); ++i) {
    mix.active[i].ahead = mix.read[static_cast<std::size_t>(mix.active[i].source)] -
                          mix.mixture.turns_before(static_cast<int>(i), mix.phase.first_sample);
  }
  return mix;
}

const Sampler::Mix& Sampler::mix_at(std::int64_t sample) const {
  const std::int64_t first = mixes_.front().phase.first_sample;
  require(sample >= first, "sample {} of a sampler that begins at {}", sample, first);
  const auto begin = [](const Mix& mix) { return mix.phase.first_sample; };
  return *(std::ranges::upper_bound(mixes_, sample, {}, begin) - 1);
}

Sampler::Place Sampler::place(std::int64_t sample) const {
  const Mix& mix = mix_at(sample);
  const Mixture::Turn turn = mix.mixture.turn(sample);
  const Active& active = mix.active[static_cast<std::size_t>(turn.source)];
  const std::int64_t ordinal = turn.ordinal + active.ahead;
  const std::int64_t epoch = ordinal / active.windows;
  // The epoch's own key: Philox of the seed at the epoch's number.
  const std::uint64_t key = Philox{seed_, active.stream}.bits(static_cast<std::uint64_t>(epoch));
  const Permutation permutation(active.windows, key, active.stream);
  return {active.source, epoch, permutation(ordinal % active.windows)};
}

std::vector<std::int64_t> Sampler::windows_read(std::int64_t sample) const {
  const Mix& mix = mix_at(sample);
  std::vector<std::int64_t> read = mix.read;
  for (std::size_t i = 0; i < mix.active.size(); ++i) {
    read[static_cast<std::size_t>(mix.active[i].source)] =
        mix.mixture.turns_before(static_cast<int>(i), sample) + mix.active[i].ahead;
  }
  return read;
}

void Sampler::fill(std::int64_t first, std::int64_t count, Batch& batch) const {
  reset(batch, sequence_length_, first);
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    const Place where = place(sample);
    const TokenStream& stream = data_->sources[static_cast<std::size_t>(where.source)].train;
    append_sequence({stream, where.window * sequence_length_, stream.tokens(), where.source},
                    data_->eos, span_, batch);
  }
}

std::int64_t Sampler::windows(int source) const {
  return data_->sources[static_cast<std::size_t>(source)].train.tokens() / sequence_length_;
}

std::uint64_t Sampler::fingerprint(std::size_t number) const {
  const Mix& mix = mixes_[number];
  std::string text = fmt::format("{} {} {}", seed_, sequence_length_, static_cast<int>(span_));
  for (std::size_t i = 0; i < mix.active.size(); ++i) {
    const Active& active = mix.active[i];
    const PreparedSource& source = data_->sources[static_cast<std::size_t>(active.source)];
    text += fmt::format("\n{} {} {} {}", source.name, source.train.tokens(),
                        source.train.counts().documents, mix.mixture.quota(static_cast<int>(i)));
    if (active.ahead != 0) text += fmt::format(" {}", active.ahead);
  }
  return checksum_of(text + checksum_text(data_->tokenizer_hash));
}

}  // namespace fathom
