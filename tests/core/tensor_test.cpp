#include "core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "core/buffer.h"
#include "core/error.h"

namespace fathom {
namespace {

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Bfloat16, RoundsToNearestEvenAndKeepsSpecials) {
  EXPECT_EQ(float(bfloat16(1.0f)), 1.0f);
  EXPECT_EQ(float(bfloat16(1.0f + 0x1p-8f)), 1.0f);                // a tie goes to even
  EXPECT_EQ(float(bfloat16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);  // a tie goes to even
  EXPECT_EQ(float(bfloat16(1.0f + 0x1.1p-8f)), 1.0f + 0x1p-7f);
  EXPECT_TRUE(std::isnan(float(bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isinf(float(bfloat16(std::numeric_limits<float>::infinity()))));
  EXPECT_TRUE(std::isinf(float(bfloat16(std::numeric_limits<float>::max()))));
}

TEST(DType, EveryTypeIsCountedAndSomeAreFloating) {
  std::set<std::string_view> names, floating;
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype{static_cast<std::uint8_t>(i)};
    names.insert(name_of(dtype));
    EXPECT_GT(size_of(dtype), 0u) << name_of(dtype);
    bool dispatched = false;
    try {
      dispatch_floating(dtype, [&](auto) { dispatched = true; });
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "dtype " + std::string(name_of(dtype)) +
                                               " is not a floating-point type (f32 or bf16)");
    }
    EXPECT_EQ(dispatched, is_floating(dtype)) << name_of(dtype);
    if (dispatched) floating.insert(name_of(dtype));
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"bf16", "f32", "i32", "u16", "u32", "u8"}));
  EXPECT_EQ(floating, (std::set<std::string_view>{"bf16", "f32"}));
}

TEST(Tensor, ColumnsAndSlicesAddressTheSameMemory) {
  Buffer buffer(cpu_device, 4 * 6 * sizeof(float));
  Tensor t = buffer.tensor(DType::f32, {2, 2, 6});
  for (int i = 0; i < 24; ++i) t.as<float>()[i] = static_cast<float>(i);
  const Tensor middle = t.columns(2, 3);
  EXPECT_EQ(middle.shape, (Shape{2, 2, 3}));
  EXPECT_FALSE(middle.contiguous());
  EXPECT_EQ(middle.as<float>()[middle.row_stride], 8.0f);
  const Tensor second = middle.slice(1, 1);
  EXPECT_EQ(second.as<float>()[0], 14.0f);
  EXPECT_EQ(middle.view({4, 3}).row_stride, 6);
  EXPECT_THROW(middle.view({12}), Error);
  EXPECT_THROW(t.columns(4, 3), Error);
  EXPECT_THROW(t.slice(2, 1), Error);
  EXPECT_THROW(t.as<bfloat16>(), Error);
}

TEST(Tensor, PartsEndAtTheEdges) {
  Buffer buffer(cpu_device, 6 * sizeof(float));
  const Tensor t = buffer.tensor(DType::f32, {2, 3});
  EXPECT_EQ(t.columns(3, 0).shape, (Shape{2, 0}));
  EXPECT_EQ(t.columns(0, 3).shape, (Shape{2, 3}));
  EXPECT_EQ(t.slice(2, 0).shape, (Shape{0, 3}));
  EXPECT_EQ(t.slice(0, 2).shape, (Shape{2, 3}));
  EXPECT_EQ(t.slice(2, 0).slice(0, 0).data, static_cast<float*>(buffer.data()) + 6);
  for (const auto& [begin, end, count] : {std::tuple{-1, 0, 1}, {1, 0, -1}, {2, 4, 2}}) {
    const std::string range = "[" + std::to_string(begin) + ", " + std::to_string(end) + ")";
    EXPECT_EQ(error_of([&] { t.columns(begin, count); }),
              "no columns " + range + " in f32[2, 3] on cpu");
  }
  for (const auto& [begin, end, count] : {std::tuple{-1, 0, 1}, {1, 0, -1}, {1, 3, 2}}) {
    const std::string range = "[" + std::to_string(begin) + ", " + std::to_string(end) + ")";
    EXPECT_EQ(error_of([&] { t.slice(begin, count); }),
              "no entries " + range + " in f32[2, 3] on cpu");
  }
  EXPECT_EQ(error_of([] { Tensor(nullptr, DType::f32, {}).slice(0, 0); }),
            "no entries [0, 0) in f32[] on cpu");
  EXPECT_EQ(error_of([&] { t.view({2, 2}); }), "cannot view f32[2, 3] on cpu as [2, 2]");
  EXPECT_EQ(error_of([&] { t.as<bfloat16>(); }), "f32[2, 3] on cpu was read as bf16");
}

// Without memory a part has a shape alone.
TEST(Tensor, PartsOfNoMemoryHaveNone) {
  const Tensor t(nullptr, DType::f32, {4, 6}, meta_device);
  EXPECT_EQ(t.columns(2, 2).data, nullptr);
  EXPECT_EQ(t.columns(2, 2).row_stride, 6);
  EXPECT_EQ(t.slice(1, 2).data, nullptr);
}

// Only as many elements, in rows that keep their length, or all of them side by side.
TEST(Tensor, ViewsKeepRowsThatAreApart) {
  Buffer buffer(cpu_device, 24 * sizeof(float));
  const Tensor t = buffer.tensor(DType::f32, {4, 6}), part = t.columns(1, 3);
  EXPECT_EQ(part.view({2, 2, 3}).row_stride, 6);
  EXPECT_EQ(t.view({2, 12}).row_stride, 12);
  EXPECT_EQ(t.slice(0, 1).columns(1, 1).view({}).shape.rank(), 0);
  EXPECT_EQ(error_of([&] { part.view({6, 2}); }), "cannot view f32[4, 3] on cpu as [6, 2]");
  EXPECT_EQ(error_of([&] { part.view({5, 3}); }), "cannot view f32[4, 3] on cpu as [5, 3]");
}

TEST(Tensor, OneDimensionAndRowsThatAreApart) {
  Buffer buffer(cpu_device, 10 * sizeof(float));
  Tensor t = buffer.tensor(DType::f32, {10});
  for (int i = 0; i < 10; ++i) t.as<float>()[i] = static_cast<float>(i);
  const Tensor part = t.slice(3, 4);
  EXPECT_EQ(part.as<float>()[0], 3.0f);
  EXPECT_EQ(part.row_stride, 4);
  EXPECT_TRUE(part.contiguous());
  const Tensor rows = t.view({5, 2});
  EXPECT_EQ(rows.rows(), 5);
  EXPECT_EQ(rows.cols(), 2);
  EXPECT_EQ(rows.slice(4, 1).as<float>()[1], 9.0f);
  EXPECT_FALSE(rows.columns(1, 1).contiguous());
  EXPECT_TRUE(rows.columns(1, 1).slice(0, 1).contiguous()) << "one row is";
  EXPECT_EQ(rows.columns(0, 2).bytes(), 40u);
  EXPECT_THROW(t.slice(-1, 1), Error);
  EXPECT_THROW(t.slice(0, -1), Error);
  EXPECT_THROW(t.view({3, 3}), Error);
  EXPECT_FALSE(Tensor());
  EXPECT_EQ(Tensor().elements(), 1);
}

TEST(Shape, CountsAndNames) {
  EXPECT_EQ((Shape{2, 3, 4}).elements(), 24);
  EXPECT_EQ((Shape{2, 3, 4})[-1], 4);
  EXPECT_EQ((Shape{2, 3, 4})[-3], 2);
  EXPECT_EQ((Shape{1 << 20, 1 << 20}).elements(), std::int64_t{1} << 40);
  EXPECT_EQ(to_string(Shape{2, 3}), "[2, 3]");
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_EQ((Shape{2, 3, 4, 5}).elements(), 120);
  EXPECT_EQ((Shape{0, 3}).elements(), 0);
  EXPECT_EQ(error_of([] { Shape{1, 1, 1, 1, 1}; }), "a shape has at most 4 dimensions, not 5");
  EXPECT_EQ(error_of([] { Shape{2, -1}; }), "a dimension cannot be -1");
  EXPECT_EQ(to_string(Tensor(nullptr, DType::bf16, {2, 3}, meta_device)), "bf16[2, 3] on meta");
  EXPECT_EQ(to_string(Tensor()), "no tensor");
}

TEST(Buffer, RefusesATensorThatDoesNotFit) {
  Buffer buffer(cpu_device, 16);
  EXPECT_NO_THROW(buffer.tensor(DType::f32, {4}));
  EXPECT_THROW(buffer.tensor(DType::f32, {5}), Error);
  EXPECT_EQ(error_of([&] { buffer.tensor(DType::f32, {4}, 4); }),
            "f32[4] on cpu at byte 4 does not fit in a buffer of 16 bytes");
  EXPECT_NO_THROW(buffer.tensor(DType::f32, {0}, 16));
  EXPECT_EQ(error_of([&] { buffer.tensor(DType::f32, {0}, 17); }),
            "f32[0] on cpu at byte 17 does not fit in a buffer of 16 bytes");
  EXPECT_EQ(buffer.tensor(DType::f32, {2}, 8).data, static_cast<float*>(buffer.data()) + 2);
}

TEST(Buffer, MovesItsMemory) {
  Buffer first(cpu_device, 64);
  void* const memory = first.data();
  Buffer second(std::move(first));
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(first.bytes(), 0u);
  Buffer third(meta_device, 32);
  third = std::move(second);
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(third.bytes(), 64u);
  EXPECT_EQ(third.device(), cpu_device);
  EXPECT_EQ(second.device(), meta_device);
}

// The most that was in use at one time, also once less is.
TEST(Arena, RemembersItsPeak) {
  Arena arena(cpu_device, 2048);
  EXPECT_EQ(arena.capacity(), 2048u);
  EXPECT_EQ(arena.peak(), 0u);
  const std::size_t empty = arena.mark();
  arena.take(DType::u8, {1024});
  arena.release_to(empty);
  arena.take(DType::u8, {256});
  EXPECT_EQ(arena.mark(), 256u);
  EXPECT_EQ(arena.peak(), 1024u);
  arena.take(DType::u8, {1280});
  EXPECT_EQ(arena.peak(), 1536u);
}

// Of three dimensions an entry is a matrix, of four three dimensions.
TEST(Tensor, EntriesBeginWhereAllBeforeThemEnd) {
  Buffer buffer(cpu_device, 5 * 4 * 3 * 2 * sizeof(float));
  const auto place_of = [&](Tensor x) {
    return static_cast<float*>(x.data) - static_cast<float*>(buffer.data());
  };
  const Tensor three = buffer.tensor(DType::f32, {5, 4, 3}), four = three.view({5, 2, 2, 3});
  EXPECT_EQ(place_of(three.slice(1, 2)), 12);
  EXPECT_EQ(three.slice(1, 2).shape, (Shape{2, 4, 3}));
  EXPECT_EQ(place_of(four.slice(2, 3)), 24);
  EXPECT_EQ(place_of(three.columns(1, 1).slice(3, 1)), 37);
  const Tensor halves = buffer.tensor(DType::bf16, {5, 4, 3});
  EXPECT_EQ(static_cast<std::byte*>(halves.slice(1, 1).data) - static_cast<std::byte*>(halves.data),
            24);
  EXPECT_EQ(buffer.tensor(DType::f32, {3, 0, 2}).slice(2, 1).data, buffer.data());
}

TEST(Arena, GivesMultiplesOf256BytesToItsLastOne) {
  Arena arena(cpu_device, 1024);
  const Tensor first = arena.take(DType::u8, {1}), second = arena.take(DType::u8, {256});
  EXPECT_EQ(second.as<std::uint8_t>(), first.as<std::uint8_t>() + 256);
  EXPECT_EQ(error_of([&] { arena.take(DType::f32, {129}); }),
            "the arena of 1024 bytes on cpu is full: 512 in use, 768 more wanted for f32[129]");
  EXPECT_EQ(arena.take(DType::f32, {128}).as<float>(), static_cast<float*>(first.data) + 128);
  EXPECT_NO_THROW(arena.take(DType::u8, {0}));
  EXPECT_EQ(arena.peak(), 1024u);
}

TEST(Arena, MeasuresOnMetaWhatTheRealRunTakes) {
  const auto work = [](Arena& arena) {
    arena.take(DType::bf16, {3, 5});
    const ArenaScope scope(arena);
    arena.take(DType::f32, {100});
  };
  Arena measured = Arena::measuring();
  work(measured);
  work(measured);
  Arena real(cpu_device, measured.peak());
  work(real);
  work(real);
  EXPECT_EQ(real.peak(), measured.peak());
  EXPECT_THROW(work(real), Error);
}

}  // namespace
}  // namespace fathom
