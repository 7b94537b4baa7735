// Checkpoints: what is saved comes back exactly, in any slices, and every kind of
// damage is one clear line and a step back to the checkpoint before.
#include "checkpoint/checkpoint.h"

#include <gmock/gmock.h>

#include <cmath>
#include <deque>
#include <random>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/manifest.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Checkpoint, ComesBackExactly) {
  const std::string directory = fresh_directory("exact");
  State state;
  const Checkpoint checkpoint(saved(directory, state, 12));
  EXPECT_EQ(checkpoint.state(), state.training(12));
  EXPECT_EQ(checkpoint.entries().size(), state.tensors.size());
  EXPECT_TRUE(checkpoint.has(StateKind::first_moment));
  state.expect_loads(checkpoint);
}

// The form in which state.json kept position and guard before they had names.
TEST(Checkpoint, AnOlderStateWithoutNamesIsRead) {
  const auto text = [](const char* position, const char* guard) {
    return fmt::format(
        R"({{"step": 7, "tokens": 28672, "data_position": {}, "seed": 3, "guard": {},
            "elapsed_seconds": "1.5", "tokenizer_hash": "abc", "config_toml": "x"}})",
        position, guard);
  };
  const TrainingState state =
      parse_state(text("[448, -3]", R"(["2.5", "inf", "6", "2", "1"])"), "state.json");
  DataState data;
  data.next_sample = 448;
  data.sample_order = ~0ULL - 2;
  EXPECT_EQ(state.data, data);
  EXPECT_EQ(state.guard, (GuardState{2.5, std::numeric_limits<double>::infinity(), 6, 2, 1}));
  EXPECT_EQ(state.tokens, 28672);
  const TrainingState weights = parse_state(text("[]", "[]"), "state.json");
  EXPECT_FALSE(weights.data || weights.guard);
  EXPECT_THAT(message_of([&] { parse_state(text("[448]", "[]"), "state.json"); }),
              HasSubstr("state.json: 'data_position' has 1 entries and 'guard' 0"));
}

TEST(Checkpoint, AnySliceFromAnySlices) {
  const std::string directory = fresh_directory("slices");
  constexpr std::int64_t rows = 9, columns = 6;
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i) + 0.5f;
  State unused;
  std::mt19937 random(5);
  for (int trial = 0; trial < 20; ++trial) {
    // Stored as boxes, cut at random rows, and between those at random columns.
    std::vector<CheckpointTensor> tensors;
    std::deque<std::vector<float>> boxes;
    for (std::int64_t row = 0, height = 0; row < rows; row += height) {
      height = std::min<std::int64_t>(rows - row, 1 + random() % 4);
      for (std::int64_t column = 0, width = 0; column < columns; column += width) {
        width = std::min<std::int64_t>(columns - column, 1 + random() % 4);
        std::vector<float>& box = boxes.emplace_back();
        for (std::int64_t i = row; i < row + height; ++i) {
          const auto* begin = values.data() + i * columns + column;
          box.insert(box.end(), begin, begin + width);
        }
        tensors.push_back({StateKind::first_moment,
                           "m",
                           {rows, columns},
                           {row, column},
                           Tensor(box.data(), DType::f32, {height, width})});
      }
    }
    const std::string path = directory + "/" + checkpoint_name(trial);
    write_checkpoint(path, tensors, unused.training(trial));
    const Checkpoint checkpoint(path);
    const std::int64_t r = random() % rows, c = random() % columns;
    const std::int64_t height = 1 + random() % (rows - r), width = 1 + random() % (columns - c);
    std::vector<bfloat16> wide(static_cast<std::size_t>(height * columns));
    const Tensor into = Tensor(wide.data(), DType::bf16, {height, columns}).columns(c, width);
    const std::int64_t offset[] = {r, c};
    checkpoint.load_slice(unused.context, StateKind::first_moment, "m", offset, into);
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const bool inside = j >= c && j < c + width;
        const float want = inside ? values[static_cast<std::size_t>((r + i) * columns + j)] : 0;
        ASSERT_EQ(static_cast<float>(wide[static_cast<std::size_t>(i * columns + j)]), want);
      }
    }
  }
}

TEST(Checkpoint, WrongRequestsNameTheTensor) {
  const std::string directory = fresh_directory("requests");
  State state;
  const Checkpoint checkpoint(saved(directory, state, 1));
  std::vector<float> memory(100);
  const auto load = [&](const char* name, Shape shape) {
    return message_of([&] {
      checkpoint.load(state.context, StateKind::weight, name,
                      Tensor(memory.data(), DType::f32, shape));
    });
  };
  EXPECT_THAT(load("absent", {3}), HasSubstr("holds no weight of 'absent'"));
  EXPECT_THAT(load("vector", {4}), HasSubstr("'vector' has the shape [3], but [4] is wanted"));
  const std::int64_t offset[] = {6, 0};
  EXPECT_THAT(message_of([&] {
                checkpoint.load_slice(state.context, StateKind::weight, "matrix", offset,
                                      Tensor(memory.data(), DType::f32, {2, 5}));
              }),
              HasSubstr("'matrix' has the shape [7, 5], which holds no [2, 5] at [6, 0]"));
}

// Each dimension's first and last place, and one beyond.
TEST(Checkpoint, ASliceLiesInsideItsTensor) {
  const std::string directory = fresh_directory("inside");
  State state;
  const Checkpoint checkpoint(saved(directory, state, 1));
  std::vector<float> memory(100);
  const auto load = [&](std::vector<std::int64_t> offset, Shape shape) {
    return message_of([&] {
      checkpoint.load_slice(state.context, StateKind::weight, "matrix", offset,
                            Tensor(memory.data(), DType::f32, shape));
    });
  };
  for (const auto& [offset, shape] : {std::pair{std::vector<std::int64_t>{0, 0}, Shape{7, 5}},
                                      {{6, 4}, {1, 1}},
                                      {{7, 0}, {0, 5}},
                                      {{0, 5}, {7, 0}}}) {
    EXPECT_EQ(load(offset, shape), "") << testing::PrintToString(offset);
  }
  for (const auto& [offset, shape] : {std::pair{std::vector<std::int64_t>{-1, 0}, Shape{1, 5}},
                                      {{0, -1}, {7, 1}},
                                      {{1, 0}, {7, 5}},
                                      {{0, 1}, {7, 5}},
                                      {{7, 0}, {1, 5}},
                                      {{8, 0}, {0, 5}},
                                      {{0, 0}, {8, 5}},
                                      {{0, 0}, {7, 6}},
                                      {{0, 0}, {35}},
                                      {{0}, {7, 5}},
                                      {{0, 0, 0}, {7, 5}}}) {
    EXPECT_THAT(load(offset, shape), HasSubstr("'matrix' has the shape [7, 5], which holds no "))
        << testing::PrintToString(offset);
  }
}

TEST(Checkpoint, SaysWhatItHolds) {
  const std::string path = fresh_directory("holds") + "/" + checkpoint_name(1);
  float values[6] = {};
  State state;
  write_checkpoint(
      path,
      {CheckpointTensor::whole(StateKind::weight, "m", Tensor(values, DType::f32, {2, 3})),
       CheckpointTensor::whole(StateKind::second_moment, "v", Tensor(values, DType::f32, {3}))},
      state.training(1));
  const Checkpoint checkpoint(path);
  EXPECT_EQ(checkpoint.directory(), path);
  EXPECT_EQ(checkpoint.step(), 1);
  EXPECT_TRUE(checkpoint.has(StateKind::weight));
  EXPECT_FALSE(checkpoint.has(StateKind::remainder));
  EXPECT_FALSE(checkpoint.has(StateKind::first_moment));
  EXPECT_TRUE(checkpoint.has(StateKind::second_moment));
  ASSERT_NE(checkpoint.find(StateKind::weight, "m"), nullptr);
  EXPECT_EQ(checkpoint.find(StateKind::weight, "m")->shape, (Shape{2, 3}));
  EXPECT_EQ(checkpoint.find(StateKind::second_moment, "v")->kind, StateKind::second_moment);
  EXPECT_EQ(checkpoint.find(StateKind::second_moment, "m"), nullptr);
  EXPECT_EQ(checkpoint.find(StateKind::weight, "v"), nullptr);
}

// Types without digits to convert, as the rest of a bf16 master, are read as they are or not at
// all.
TEST(Checkpoint, ConvertsFloatsAlone) {
  const std::string path = fresh_directory("types") + "/step-00000001";
  std::vector<std::uint16_t> rest{1, 2, 65535}, rest_read(3);
  std::vector<float> weight{1, 2.5, -3}, floats(3);
  std::vector<std::uint16_t> halves(3);
  State state;
  const Shape three{3};
  write_checkpoint(
      path,
      {CheckpointTensor::whole(StateKind::weight, "m", Tensor(weight.data(), DType::f32, three)),
       CheckpointTensor::whole(StateKind::remainder, "m", Tensor(rest.data(), DType::u16, three))},
      state.training(1));
  const Checkpoint checkpoint(path);
  const auto load = [&](StateKind kind, void* into, DType dtype) {
    return message_of(
        [&] { checkpoint.load(state.context, kind, "m", Tensor(into, dtype, three)); });
  };
  EXPECT_EQ(load(StateKind::remainder, rest_read.data(), DType::u16), "");
  EXPECT_EQ(rest_read, rest);
  EXPECT_THAT(load(StateKind::remainder, floats.data(), DType::f32),
              HasSubstr("'m' is u16, which cannot become f32"));
  EXPECT_THAT(load(StateKind::weight, rest_read.data(), DType::u16),
              HasSubstr("'m' is f32, which cannot become u16"));
  EXPECT_EQ(load(StateKind::weight, floats.data(), DType::f32), "");
  EXPECT_EQ(floats, weight);
  EXPECT_EQ(load(StateKind::weight, halves.data(), DType::bf16), "");
  EXPECT_EQ(halves, (std::vector<std::uint16_t>{0x3f80, 0x4020, 0xc040}));
}

// Every file of a checkpoint, cut short and with bytes flipped: the newest is left
// out, the one before opens.
TEST(Checkpoint, DamageToAnyFileIsSeen) {
  const std::string directory = fresh_directory("damage");
  State state;
  saved(directory, state, 1);
  const std::string newest = saved(directory, state, 2);
  std::mt19937 random(7);
  for (const auto& entry : fs::directory_iterator(newest)) {
    const std::string path = entry.path(), whole = read_file(path);
    for (int trial = 0; trial < 12; ++trial) {
      std::string damaged = whole;
      const std::size_t at = random() % whole.size();
      if (trial % 2) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      }
      write_file(path, damaged);
      EXPECT_THAT(message_of([&] { Checkpoint{newest}; }), HasSubstr(path)) << at;
      // A header's blanks may be damaged: then all is read as it was.
      const auto read = newest_step(directory, state);
      EXPECT_TRUE(read == 1 || (read == 2 && path.ends_with(".safetensors"))) << path << " " << at;
    }
    fs::remove(path);
    EXPECT_THAT(message_of([&] { Checkpoint{newest}; }), HasSubstr(path));
    write_file(path, whole);
  }
  EXPECT_EQ(newest_step(directory, state), 2);
}

// A manifest whose checksum is right, but whose claims are not.
TEST(Checkpoint, LyingManifestsAreRefused) {
  const std::string directory = fresh_directory("lies");
  State state;
  const std::string path = saved(directory, state, 3) + "/manifest.json";
  const CheckpointManifest honest = parse_checkpoint_manifest(read_file(path), path);
  const auto refused = [&](auto&& lie) {
    CheckpointManifest manifest = honest;
    lie(manifest);
    write_file(path, checkpoint_manifest_text(manifest));
    return message_of([&] { Checkpoint{fs::path(path).parent_path().string()}; });
  };
  EXPECT_EQ(refused([](CheckpointManifest&) {}), "");
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].shape = {8, 5};
              }),
              HasSubstr("35 of its 40"));
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].shape = {6, 5};
              }),
              HasSubstr("not inside"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].dtype = DType::bf16; }),
              HasSubstr("says BF16"));
  EXPECT_THAT(
      refused([](CheckpointManifest& m) { m.tensors[0].slices.push_back(m.tensors[0].slices[0]); }),
      HasSubstr("overlap"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].slices[0].key = "x"; }),
              HasSubstr("holds no tensor 'x'"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].slices[0].file = "x"; }),
              HasSubstr("no file of the checkpoint"));
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].slices[0].offset = {INT64_MAX, 0};
              }),
              HasSubstr("not inside"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.files[0].name = "../x"; }),
              HasSubstr("no name of a file"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.files.pop_back(); }),
              HasSubstr("lists no state.json"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors.push_back(m.tensors[0]); }),
              HasSubstr("twice"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.step = 4; }), HasSubstr("of step 3, but"));
}

TEST(Checkpoint, AllDamagedIsAnErrorAndNoneIsNot) {
  const std::string directory = fresh_directory("all");
  State state;
  EXPECT_FALSE(newest_step(directory, state));
  EXPECT_FALSE(newest_step(directory + "/absent", state));
  fs::remove(saved(directory, state, 1) + "/manifest.json");
  EXPECT_THAT(message_of([&] { newest_step(directory, state); }), HasSubstr("none of its 1"));
  EXPECT_THAT(message_of([&] { fail_no_checkpoint(directory + "/absent"); }),
              HasSubstr("no directory"));
  EXPECT_THAT(message_of([&] { fail_no_checkpoint(directory); }), HasSubstr("holds no checkpoint"));
}

TEST(Checkpoint, APathNamesItselfOrWhatIsInIt) {
  const std::string run = fresh_directory("paths");
  State state;
  fs::create_directories(run + "/checkpoints");
  const std::string one = saved(run + "/checkpoints", state, 1);
  const std::string two = saved(run + "/checkpoints", state, 2);
  EXPECT_THAT(checkpoints_at(run), ElementsAre(two, one));
  EXPECT_THAT(checkpoints_at(run + "/checkpoints"), ElementsAre(two, one));
  EXPECT_THAT(checkpoints_at(one), ElementsAre(one));
  EXPECT_THAT(checkpoints_at(run + "/absent"), IsEmpty());
  // What was named itself has no older one.
  fs::remove(two + "/weight.safetensors");
  EXPECT_EQ(newest_step(run, state), 1);
  EXPECT_THAT(message_of([&] { newest_step(two, state); }), HasSubstr("weight.safetensors"));
}

TEST(Checkpoint, ANameIsOfOne) {
  const std::string run = fresh_directory("named") + "/run";
  State state;
  fs::create_directories(run + "/checkpoints");
  const std::string one = saved(run + "/checkpoints", state, 1);
  const std::string two = saved(run + "/checkpoints", state, 2);
  EXPECT_EQ(named_checkpoint(run), two);
  EXPECT_EQ(named_checkpoint(run + "@1"), one);
  EXPECT_EQ(named_checkpoint(run + "/checkpoints@00000002"), two);
  EXPECT_EQ(named_checkpoint(one), one);
  EXPECT_EQ(named_checkpoint(one + "//"), one);
  EXPECT_EQ(named_checkpoint(one + "@1"), one);
  const auto error = [](const std::string& name) {
    return message_of([&] { named_checkpoint(name); });
  };
  EXPECT_EQ(error(run + "@3"),
            run + ": holds no checkpoint of step 3, but step-00000002, step-00000001");
  EXPECT_THAT(error(run + "/absent@3"), HasSubstr("absent: is no directory"));
  EXPECT_THAT(error(run + "/absent"), HasSubstr("absent: is no directory"));
  EXPECT_THAT(error(run + "@x"), HasSubstr("@x: is no directory"));
  EXPECT_THAT(error(run + "@"), HasSubstr("@: is no directory"));
  fs::rename(run, run + "@1");
  EXPECT_EQ(named_checkpoint(run + "@1"), run + "@1/checkpoints/step-00000002") << "a run's name";
  EXPECT_EQ(named_checkpoint(run + "@1@1"), run + "@1/checkpoints/step-00000001") << "of such a run";
}

// A link to itself stands for a directory that a disk or its permissions keep from being read.
TEST(Checkpoint, ADirectoryThatCannotBeListedIsNotTakenForAnEmptyOne) {
  const std::string loop = fresh_directory("unlisted") + "/checkpoints";
  fs::create_directory_symlink(loop, loop);
  State state;
  EXPECT_THAT(message_of([&] { newest_step(loop, state); }),
              AllOf(HasSubstr(loop), HasSubstr("cannot list the checkpoints")));
}

TEST(Checkpoint, AManifestThatCannotBeReadIsNotCalledMissing) {
  const std::string directory = fresh_directory("unread");
  State state;
  const std::string manifest = saved(directory, state, 1) + "/manifest.json";
  fs::remove(manifest);
  EXPECT_THAT(message_of([&] { newest_step(directory, state); }), HasSubstr("is missing"));
  fs::create_symlink(manifest, manifest);
  EXPECT_THAT(message_of([&] { newest_step(directory, state); }),
              HasSubstr("manifest.json: cannot be read: Too many levels"));
}

// What stands where a checksum belongs may be any bytes, which do not belong on a terminal.
TEST(Checkpoint, ADamagedChecksumIsNotPrinted) {
  const std::string directory = fresh_directory("checksum");
  State state;
  const std::string path = saved(directory, state, 1) + "/manifest.json";
  std::string text = read_file(path);
  text[text.find(": \"") + 3] = '\x9b';
  write_file(path, text);
  EXPECT_THAT(message_of([&] { newest_step(directory, state); }),
              AllOf(HasSubstr("a checksum in it is not 16 hexadecimal digits"),
                    testing::Not(HasSubstr("\x9b"))));
}

TEST(Checkpoint, NamesReadBack) {
  EXPECT_EQ(checkpoint_name(1200), "step-00001200");
  EXPECT_EQ(checkpoint_step("step-00001200"), 1200);
  for (const char* other : {"step-1200", "step-00001200.tmp-1-2", "step-", "x", "step-0000120x",
                            "step-000001200", "step-0001200", " step-00001200", "step-00001200 ",
                            "Step-00001200", "step-99999999999999999999"}) {
    EXPECT_FALSE(checkpoint_step(other)) << other;
  }
  for (const std::int64_t step :
       {std::int64_t{0}, std::int64_t{99'999'999}, std::int64_t{100'000'000}, INT64_MAX}) {
    EXPECT_EQ(checkpoint_step(checkpoint_name(step)), step);
  }
}

// In the order of their steps, which is not that of their names, and nothing else that is there.
TEST(Checkpoint, StepsAreListedInTheirOrder) {
  const std::string directory = fresh_directory("order");
  for (const std::int64_t step : {20, 100'000'000, 3, 99'999'999}) {
    fs::create_directories(directory + "/" + checkpoint_name(step));
  }
  for (const char* other : {"step-00000004.abandoned", "step-5", "notes"}) {
    fs::create_directories(directory + "/" + other);
  }
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(3, 20, 99'999'999, 100'000'000));
  EXPECT_THAT(checkpoints_at(directory).front(), testing::EndsWith("step-100000000"));
  EXPECT_THAT(checkpoint_steps(directory + "/absent"), IsEmpty());
  write_file(directory + "/file", "");
  EXPECT_THAT(checkpoint_steps(directory + "/file"), IsEmpty());
}

}  // namespace
}  // namespace fathom::test
