#include "train/trainer.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "comm/mpi_ranks.h"
#include "comm/thread_ranks.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/loader.h"
#include "io/atomic_file.h"
#include "model/hugging_face.h"
#include "train/display.h"
#include "train/evaluator.h"
#include "train/memory_table.h"
#include "train/peak.h"
#include "train/plan.h"
#include "train/report.h"
#include "train/stop_signals.h"
#include "train/tensorboard.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

AttentionSpan span_of(const TrainConfig& config) {
  return config.data.attention_within_documents ? AttentionSpan::document : AttentionSpan::sequence;
}

LearnerOptions learner_options(const TrainPlan& plan, const RankGroups* ranks) {
  LearnerOptions options;
  options.model = plan.config.model;
  options.dtype = plan.dtype;
  options.device = plan.device;
  options.stage = plan.stage_options();
  options.optimizer = plan.config.optimizer;
  options.micro_tokens = plan.micro_tokens;
  options.tokens_per_step = plan.micro_batches * plan.micro_tokens;
  options.ranks = ranks;
  return options;
}

MemoryTable plan_memory(const TrainPlan& plan, const RankGroups* ranks) {
  const Learner::Bytes bytes = Learner::bytes(learner_options(plan, ranks));
  MemoryTable table(plan.device);
  table.add("weights", bytes.weights);
  table.add("gradients (f32)", bytes.gradients);
  table.add("rest of the f32 masters", bytes.remainders);
  table.add("moments (f32)", bytes.moments);
  table.add("activations", bytes.activations);
  table.add("workspace", bytes.workspace);
  table.add("rotary table", bytes.rope_table);
  table.add("losses", bytes.losses);
  table.add("batches",
            DeviceBatch::bytes(plan.micro_tokens) * static_cast<std::size_t>(plan.micro_batches));
  table.add_host("checkpoint snapshot", bytes.checkpoint);
  // What oneDNN generates and caches for the model's shapes, as measured on small and
  // middling models in f32 and bf16.
  constexpr std::size_t kernels = std::size_t{8} << 20;
  table.add_host("program and libraries", ProcessMemory::now().resident + kernels);
  return table;
}

// What is known of the machine before the run takes its memory.
struct Machine {
  double gemm_peak = 0;
  std::string memory_table;
};

// Measures the peak first: what the libraries then hold (oneDNN's code alone is tens
// of megabytes) so stands in the table. Refuses a run that does not fit. Of several
// ranks the first measures, taking the others to be as fast, and tells; `sharing` of
// them share this machine's memory.
Machine examine_machine(const TrainPlan& plan, const RankGroups* ranks, int sharing) {
  Machine machine;
  const bool first = !ranks || ranks->first();
  if (first) {
    Context context(plan.device);
    machine.gemm_peak = measure_gemm_peak(context, plan.dtype) * plan.parallel.layout.world();
  }
  if (ranks) ranks->world().barrier();
  const MemoryTable table = plan_memory(plan, ranks);
  machine.memory_table = table.text();
  if (first) log::info("{}{}", ranks ? "of the first rank: " : "", machine.memory_table);
  table.require_fits(0, available_host_memory() / static_cast<std::size_t>(sharing));
  if (first) {
    log::info("GEMM peak of this machine in {}: {:.1f} GFLOP/s", name_of(plan.dtype),
              machine.gemm_peak / 1e9);
  }
  return machine;
}

// One run, from its first step or a resumed one to its end.
class Trainer {
 public:
  // `ranks` null: one rank. Of several, the first writes what people read.
  Trainer(TrainPlan plan, std::shared_ptr<const PreparedData> data, Machine machine,
          const RankGroups* ranks)
      : plan_(std::move(plan)),
        machine_(std::move(machine)),
        ranks_(ranks),
        data_(std::move(data)),
        sampler_(std::make_shared<const Sampler>(data_, plan_.config.train.sequence_length,
                                                 static_cast<std::uint64_t>(plan_.config.seed),
                                                 span_of(plan_.config))),
        validation_(data_, plan_.config.train.sequence_length, plan_.config.train.micro_batch,
                    plan_.config.data.validation_tokens, span_of(plan_.config)),
        evaluator_(data_, validation_),
        learner_(learner_options(plan_, ranks)),
        guard_(plan_.config.guard) {
    for (std::int64_t i = 0; i < plan_.micro_batches; ++i) {
      batches_.emplace_back(plan_.device, plan_.micro_tokens);
    }
  }

  int run(const TrainOptions& options, const StopSignals& signals);

 private:
  // What all ranks have to do alike, as the first one sees it.
  struct Agreement {
    double elapsed = 0;
    int signal = 0;  // any rank's
    bool save = false;
  };

  void start(const TrainOptions& options);
  void start_reports();
  std::optional<Checkpoint> find_checkpoint(const std::string& resume) const;
  Agreement agree(const StopSignals& signals);
  bool first() const { return !ranks_ || ranks_->first(); }
  void restore(const Checkpoint& checkpoint);
  void step(double elapsed_seconds);
  void report_step(const Learner::Result& result, double learning_rate, double seconds,
                   bool skipped);
  void evaluate();
  void finish();
  void write_model();
  TrainingState state() const;
  double elapsed() const { return elapsed_before_ + seconds_since(start_); }
  std::string path(const char* name) const { return plan_.config.output + "/" + name; }

  TrainPlan plan_;
  Machine machine_;
  const RankGroups* ranks_;
  std::shared_ptr<const PreparedData> data_;
  std::shared_ptr<const Sampler> sampler_;
  Validation validation_;
  Evaluator evaluator_;
  Learner learner_;
  SpikeGuard guard_;
  std::vector<DeviceBatch> batches_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<CheckpointWriter> checkpoints_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<TensorBoardWriter> tensorboard_;
  std::unique_ptr<RunDisplay> display_;

  std::int64_t steps_ = 0, tokens_ = 0, next_sample_ = 0, evaluated_at_ = -1;
  double elapsed_before_ = 0;
  Clock::time_point start_ = Clock::now();
};

TrainingState Trainer::state() const {
  const SpikeGuard::State& g = guard_.state();
  TrainingState s;
  s.step = steps_;
  s.tokens = tokens_;
  s.data_position = {next_sample_, static_cast<std::int64_t>(sampler_->fingerprint())};
  s.seed = static_cast<std::uint64_t>(plan_.config.seed);
  s.guard = {g.mean, g.variance, double(g.seen), double(g.skipped), double(g.consecutive)};
  s.elapsed_seconds = elapsed();
  TrainConfig config = plan_.config;
  s.config_toml = config_to_toml(config);
  s.tokenizer_hash = fmt::format("{:016x}", data_->tokenizer_hash);
  return s;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const TrainingState& s = checkpoint.state();
  const std::string hash = fmt::format("{:016x}", data_->tokenizer_hash);
  if (s.tokenizer_hash != hash) {
    fail_input(
        "{}: made with tokenizer {}, but the data with {}: use the data it began with, or "
        "--resume none with another output",
        checkpoint.directory(), s.tokenizer_hash, hash);
  }
  if (s.data_position.size() != 2 || s.guard.size() != 5) {
    fail_input("{}: holds no training state to resume from", checkpoint.directory());
  }
  if (s.data_position[1] != static_cast<std::int64_t>(sampler_->fingerprint())) {
    fail_input(
        "{}: the data, their weights, the seed or train.sequence_length are not those of "
        "this checkpoint; restore them, or start a run in another output directory",
        checkpoint.directory());
  }
  // All of the model's: of several ranks each has a part of them.
  const std::vector<ParameterSpec> table = parameter_table(plan_.config.model);
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    const auto has_name = [&](const ParameterSpec& spec) { return spec.name == entry.name; };
    if (std::ranges::none_of(table, has_name)) {
      fail_input("{}: holds '{}', which this model has not: restore the [model] it began with",
                 checkpoint.directory(), entry.name);
    }
  }
  learner_.load(checkpoint);
  guard_.restore({s.guard[0], s.guard[1], static_cast<std::int64_t>(s.guard[2]),
                  static_cast<std::int64_t>(s.guard[3]), static_cast<std::int64_t>(s.guard[4])});
  steps_ = s.step;
  tokens_ = s.tokens;
  next_sample_ = s.data_position[0];
  elapsed_before_ = s.elapsed_seconds;
  if (first()) log::info("resuming {} at step {}", checkpoint.directory(), steps_);
}

// The first rank looks and verifies; the others open what it found.
std::optional<Checkpoint> Trainer::find_checkpoint(const std::string& resume) const {
  std::optional<Checkpoint> checkpoint;
  if (first() && resume == "auto") {
    checkpoint = latest_checkpoint(path("checkpoints"));
  } else if (first() && resume != "none") {
    checkpoint.emplace(open_checkpoint(resume));
  }
  if (!ranks_) return checkpoint;
  const auto found = gather_texts(ranks_->world(), checkpoint ? checkpoint->directory() : "");
  if (!first() && !found.front().empty()) {
    checkpoint.emplace(found.front(), Checkpoint::Verify::sizes);
  }
  return checkpoint;
}

void Trainer::start(const TrainOptions& options) {
  const std::optional<Checkpoint> checkpoint = find_checkpoint(options.resume);
  if (checkpoint)
    restore(*checkpoint);
  else
    learner_.initialize_weights(static_cast<std::uint64_t>(plan_.config.seed));

  checkpoints_ = std::make_unique<CheckpointWriter>(
      path("checkpoints"), plan_.config.checkpoint, learner_.checkpoint_tensors(), steps_,
      ranks_ ? ranks_->world().split(0, "checkpoint") : nullptr);
  const LoaderOptions loader{plan_.config.train.micro_batch, ranks_ ? ranks_->place().dp : 0,
                             plan_.parallel.layout.dp, plan_.config.data.prefetch};
  loader_ = std::make_unique<Loader>(sampler_, loader, next_sample_);
  if (first()) start_reports();
  start_ = Clock::now();
}

void Trainer::start_reports() {
  metrics_ = std::make_unique<MetricsLog>(path("metrics.jsonl"), steps_);
  tensorboard_ = std::make_unique<TensorBoardWriter>(path("tensorboard"), steps_);
  display_ = std::make_unique<RunDisplay>(plan_.total_steps, plan_.flops_per_token,
                                          machine_.gemm_peak, plan_.config.train.log_seconds);
}

Trainer::Agreement Trainer::agree(const StopSignals& signals) {
  checkpoints_->poll();
  Agreement now{elapsed(), signals.received(), checkpoints_->due(steps_)};
  if (!ranks_) return now;
  const std::vector<Agreement> all = gather_values(ranks_->world(), now);
  now = all.front();
  for (const Agreement& other : all) {
    if (now.signal == 0) now.signal = other.signal;
  }
  return now;
}

void Trainer::step(double elapsed_seconds) {
  const auto begin = Clock::now();
  std::vector<MicroBatch> micro_batches;
  std::int64_t targets = 0;
  const std::int64_t first_sample = next_sample_;
  for (DeviceBatch& memory : batches_) {
    const Batch batch = loader_->next();
    targets += batch.num_targets;
    micro_batches.push_back(memory.upload(learner_.context(), batch));
  }
  next_sample_ = loader_->state().next_sample;
  const double rate = plan_.learning_rate(steps_, elapsed_seconds);
  const Learner::Result result = learner_.compute_gradients(micro_batches, targets);
  const auto verdict =
      guard_.judge(steps_ + 1, result.loss, result.gradient_norm,
                   fmt::format("samples {} to {}", first_sample, next_sample_ - 1));
  if (first() && !verdict.message.empty()) log::warning("{}", verdict.message);
  if (verdict.action == GuardAction::stop) {
    checkpoints_->save_and_wait(learner_.context(), state());
    fail_runtime("stopped by the guard at step {}: {}", steps_ + 1, verdict.message);
  }
  const bool skipped =
      verdict.finding != SpikeGuard::Finding::fine && verdict.action == GuardAction::skip;
  ++steps_;
  if (!skipped) learner_.update(rate, steps_);
  tokens_ += plan_.tokens_per_step;
  if (first()) report_step(result, rate, seconds_since(begin), skipped);
}

void Trainer::report_step(const Learner::Result& result, double learning_rate, double seconds,
                          bool skipped) {
  MetricsRecord record{steps_, {}};
  record.add(metric::loss, result.loss);
  record.add(metric::gradient_norm, result.gradient_norm);
  record.add(metric::learning_rate, learning_rate);
  record.add(metric::tokens, static_cast<double>(tokens_));
  const double tokens_per_second = static_cast<double>(plan_.tokens_per_step) / seconds;
  record.add(metric::tokens_per_second, tokens_per_second);
  record.add(metric::share_of_peak, tokens_per_second * plan_.flops_per_token / machine_.gemm_peak);
  record.add(metric::seconds, elapsed());
  metrics_->write(record);
  tensorboard_->write(record);
  StepReport report;
  report.step = steps_;
  report.loss = result.loss;
  report.gradient_norm = result.gradient_norm;
  report.learning_rate = learning_rate;
  report.tokens = plan_.tokens_per_step;
  report.seconds = seconds;
  report.progress = plan_.progress(steps_, elapsed());
  report.skipped = skipped;
  if (report.progress > 0) report.seconds_left = elapsed() * (1 / report.progress - 1);
  display_->show(report);
}

void Trainer::evaluate() {
  if (validation_.num_batches() == 0 || evaluated_at_ == steps_) return;
  evaluated_at_ = steps_;
  MetricsRecord record{steps_, {}};
  const Evaluator::Score score = evaluator_.run(learner_, batches_.front(), record);
  if (!first()) return;
  metrics_->write(record);
  tensorboard_->write(record);
  log::info("step {}: validation loss {:.4f}, {:.4f} bits per byte", steps_, score.loss,
            score.bits_per_byte);
}

void Trainer::write_model() {
  SaveModelOptions save;
  save.dtype = plan_.dtype;
  save.eos_tokens = {data_->eos};
  save.replace = true;
  if (std::filesystem::exists(path("tokenizer.json"))) save.tokenizer_path = path("tokenizer.json");
  if (!ranks_) {
    return save_model(path("model"), plan_.config.model,
                      weights_of(learner_.parameters(), learner_.context()), save);
  }
  // No rank has the whole model; the checkpoint has.
  const Checkpoint checkpoint(path("checkpoints/") + checkpoint_name(steps_),
                              Checkpoint::Verify::sizes);
  Context host(cpu_device, 0);
  const WeightReader reader = [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
    offset.front() = first_row;
    checkpoint.load_slice(host, StateKind::weight, spec.name, offset, rows);
  };
  save_model(path("model"), plan_.config.model, reader, save);
}

void Trainer::finish() {
  evaluate();
  const SaveResult saved = checkpoints_->save_and_wait(learner_.context(), state());
  if (ranks_ && !saved.committed()) {
    fail_runtime("the model cannot be written without its checkpoint: {}", saved.error);
  }
  if (!first()) return;
  metrics_->sync();
  write_model();
  ReportContent content;
  content.title = std::filesystem::path(plan_.config.output).filename().string();
  content.figures = {{"parameters", human_count(double(count_parameters(plan_.config.model)))},
                     {"tokens", human_count(double(tokens_))},
                     {"time", human_seconds(elapsed())}};
  content.config_toml = state().config_toml;
  content.memory_table = machine_.memory_table;
  write_report(path("report.html"), path("metrics.jsonl"), content);
  log::info(
      "the model is in {0}/model, the curves in {0}/report.html; try:\n"
      "  fathom generate {0}/model --prompt \"Once\"",
      plan_.config.output);
}

int Trainer::run(const TrainOptions& options, const StopSignals& signals) {
  start(options);
  const std::int64_t every = plan_.config.validation.every_steps;
  Agreement now = agree(signals);
  while (!plan_.finished(steps_, now.elapsed)) {
    step(now.elapsed);
    if (every > 0 && steps_ % every == 0) evaluate();
    now = agree(signals);
    if (now.signal != 0) {
      const SaveResult saved = checkpoints_->save_and_wait(learner_.context(), state());
      if (first() && saved.committed()) {
        log::info("stopped by a signal after step {}; the same command goes on from there", steps_);
      } else if (first()) {
        log::warning("stopped by a signal after step {}, which could not be saved", steps_);
      }
      return now.signal;
    }
    if (now.save) {
      if (first()) metrics_->sync();
      checkpoints_->save(learner_.context(), state());
    }
  }
  finish();
  return 0;
}

DataFacts facts_of(const PreparedData& data) {
  DataFacts facts;
  facts.vocab_size = data.vocab_size;
  for (const PreparedSource& source : data.sources) {
    facts.train_tokens += source.train.counts().tokens;
  }
  return facts;
}

// What the first rank does to the run's directory before any other touches it.
DirectoryLock prepare_directory(const TrainPlan& plan, const PreparedData& data) {
  TrainConfig config = plan.config;
  DirectoryLock lock(config.output);
  write_file_atomically(config.output + "/config.toml", config_to_toml(config));
  const std::string tokenizer = data.directory + "/tokenizer.json";
  if (std::filesystem::exists(tokenizer)) {
    std::filesystem::copy_file(tokenizer, config.output + "/tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
  }
  return lock;
}

// One rank's run. `world` null: the only one.
int train_rank(const TrainConfig& config, const TrainOptions& options, const StopSignals& signals,
               Communicator* world) {
  auto data = std::make_shared<const PreparedData>(open_prepared(config.data));
  TrainPlan plan = resolve(config, facts_of(*data), world ? world->size() : 1);
  // Ranks that are threads share the machine's cores.
  if (options.ranks > 1) plan.threads = std::max(1, plan.threads / options.ranks);
  set_num_threads(plan.threads);
  std::optional<RankGroups> ranks;
  if (world) ranks.emplace(*world, plan.parallel, plan.config.model);
  const RankGroups* groups = ranks ? &*ranks : nullptr;
  const bool first = !world || world->rank() == 0;
  Machine machine = examine_machine(plan, groups, options.ranks);
  std::optional<DirectoryLock> lock;
  if (first) lock.emplace(prepare_directory(plan, *data));
  if (world) world->barrier();
  const int signal =
      Trainer(std::move(plan), std::move(data), std::move(machine), groups).run(options, signals);
  if (world) world->barrier();
  return signal;
}

}  // namespace

int train(const TrainConfig& config, const TrainOptions& options) {
  const StopSignals signals;
  const CommunicatorOptions communication{config.parallel.timeout_seconds};
  std::atomic<int> signal = 0;
  const auto body = [&](Communicator& world) {
    const int received = train_rank(config, options, signals, &world);
    if (world.rank() == 0) signal = received;
  };
  if (options.ranks > 1 && launched_ranks() > 1) {
    fail_input("--ranks starts threads of one process; under mpirun or srun leave it out");
  }
  if (launched_ranks() > 1) {
    run_mpi_rank(communication, body);
  } else if (options.ranks > 1) {
    run_thread_ranks(options.ranks, communication, body);
  } else {
    return train_rank(config, options, signals, nullptr);
  }
  return signal;
}

}  // namespace fathom
