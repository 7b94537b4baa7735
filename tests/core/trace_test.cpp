// The records of a stream's work, and the file for viewers.
#include "core/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(Trace, NotesSpansInTheOrderOfTheirEnds) {
  Trace trace(cpu_device);
  Context context(cpu_device, 0);
  { const TraceSpan nowhere(context, TraceKind::forward, "nowhere"); }
  context.trace = &trace;
  {
    const TraceSpan outer(context, TraceKind::pipeline, "step", 7);
    context.lane = TraceLane::communication;
    const TraceSpan inner(context, TraceKind::communication, "gather");
  }
  const std::vector<Trace::Span> spans = trace.spans();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_STREQ(spans[0].name, "gather");
  EXPECT_EQ(spans[0].kind, TraceKind::communication);
  EXPECT_EQ(spans[0].lane, TraceLane::communication);
  EXPECT_EQ(spans[0].number, -1);
  EXPECT_STREQ(spans[1].name, "step");
  EXPECT_EQ(spans[1].number, 7);
  EXPECT_LE(spans[1].begin, spans[0].begin);
  EXPECT_LE(spans[0].begin, spans[0].end);
  EXPECT_LE(spans[0].end, spans[1].end);
}

TEST(Trace, ChromeGetsMicrosecondsAndALaneAThread) {
  const std::vector<Trace::Span> spans = {
      {TraceLane::compute, TraceKind::forward, "layer", 3, 1.5, 1.75},
      {TraceLane::communication, TraceKind::wait, "stage", -1, 2.0, 2.000001}};
  EXPECT_EQ(chrome_events(spans, 4, "rank 4", -1.0),
            R"({"ph":"M","name":"process_name","pid":4,"args":{"name":"rank 4"}},
{"ph":"M","name":"thread_name","pid":4,"tid":0,"args":{"name":"compute"}},
{"ph":"M","name":"thread_name","pid":4,"tid":1,"args":{"name":"communication"}},
{"ph":"X","name":"layer 3","cat":"forward","pid":4,"tid":0,"ts":500000.000,"dur":250000.000},
{"ph":"X","name":"stage","cat":"wait","pid":4,"tid":1,"ts":1000000.000,"dur":1.000})");
}

// The first micro-batch and layer have the number 0.
TEST(Trace, NamesHaveTheirNumbersFromZeroOn) {
  const auto name_with = [](int number) {
    const std::string text =
        chrome_events({{TraceLane::compute, TraceKind::forward, "F", number, 0, 0}}, 0, "rank", 0);
    const auto at = text.find("\"X\",\"name\":\"") + 12;
    return text.substr(at, text.find('"', at) - at);
  };
  EXPECT_EQ(name_with(0), "F 0");
  EXPECT_EQ(name_with(12), "F 12");
  EXPECT_EQ(name_with(-1), "F");
}

TEST(Trace, EachKindHasItsName) {
  const auto category = [](TraceKind kind) {
    const std::string text =
        chrome_events({{TraceLane::compute, kind, "x", -1, 0, 0}}, 0, "rank", 0);
    const auto at = text.rfind("\"cat\":\"") + 7;
    return text.substr(at, text.find('"', at) - at);
  };
  EXPECT_EQ(category(TraceKind::pipeline), "pipeline");
  EXPECT_EQ(category(TraceKind::forward), "forward");
  EXPECT_EQ(category(TraceKind::backward), "backward");
  EXPECT_EQ(category(TraceKind::communication), "communication");
  EXPECT_EQ(category(TraceKind::join), "join");
  EXPECT_EQ(category(TraceKind::wait), "wait");
  EXPECT_EQ(category(TraceKind::update), "update");
}

}  // namespace
}  // namespace fathom
