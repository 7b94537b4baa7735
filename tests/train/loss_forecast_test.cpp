// What laws predict along a run, as its page draws it and as the run is compared with it.
#include "train/loss_forecast.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "train/metric_names.h"

namespace fathom {
namespace {

using testing::ElementsAre;

// 8 · D^-0.1 with a band of 1 %, from 1e5 to 1e7 tokens; a law's own points are denser.
LossForecast falling(LossForecast::Figure figure = LossForecast::Figure::loss) {
  LossForecast forecast;
  forecast.laws = "laws/mine.json";
  forecast.figure = figure;
  for (const double tokens : {1e5, 1e6, 1e7}) {
    const double loss = 8 * std::pow(tokens, -0.1);
    forecast.points.push_back({tokens, loss, 0.99 * loss, 1.01 * loss});
  }
  return forecast;
}

double loss_at(double tokens) {
  return 8 * std::pow(tokens, -0.1);
}

MetricsRecord record(std::int64_t step, double tokens) {
  MetricsRecord record{step, {}};
  record.add(metric::tokens, tokens);
  return record;
}

TEST(LossForecast, IsReadBetweenItsPointsOnLogarithmicScales) {
  const LossForecast forecast = falling();
  for (const double tokens : {1e5, 2e5, 1e6, 3e6, 1e7}) {
    const auto point = forecast.at(tokens);
    ASSERT_TRUE(point) << tokens;
    EXPECT_EQ(point->tokens, tokens);
    EXPECT_NEAR(point->loss, loss_at(tokens), 1e-12) << tokens;
    EXPECT_NEAR(point->low, 0.99 * loss_at(tokens), 1e-12) << tokens;
    EXPECT_NEAR(point->high, 1.01 * loss_at(tokens), 1e-12) << tokens;
  }
  EXPECT_FALSE(forecast.at(99999));
  EXPECT_FALSE(forecast.at(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(LossForecast{}.at(1));
  // The last step may read a little more than the run was to read.
  EXPECT_EQ(forecast.at(1.01e7)->loss, loss_at(1e7));
}

TEST(LossForecast, IsDrawnOverTheStepsOfARunWithItsEnd) {
  MetricsRecord validation{4, {}};
  validation.add(metric::validation_loss, 3);
  const std::vector<MetricsRecord> records{record(1, 5e4), record(2, 1e5), record(4, 1e6),
                                           validation, record(9, 1e7)};
  const std::vector<Series> drawn = forecast_series(falling(), records);
  ASSERT_EQ(drawn.size(), 2u);
  EXPECT_EQ(drawn[0].name, "predicted by mine.json for a run that ends there");
  EXPECT_EQ(drawn[0].mark, Series::Mark::line);
  EXPECT_THAT(drawn[0].x, ElementsAre(2, 4, 9));
  EXPECT_THAT(drawn[0].y, ElementsAre(loss_at(1e5), loss_at(1e6), loss_at(1e7)));
  EXPECT_THAT(drawn[0].low, ElementsAre(0.99 * loss_at(1e5), testing::_, 0.99 * loss_at(1e7)));
  EXPECT_THAT(drawn[0].high, ElementsAre(1.01 * loss_at(1e5), testing::_, 1.01 * loss_at(1e7)));
  EXPECT_EQ(drawn[1].mark, Series::Mark::points);
  EXPECT_EQ(drawn[1].name, "");  // in the curve's colour
  EXPECT_THAT(drawn[1].x, ElementsAre(9));
  EXPECT_THAT(drawn[1].y, ElementsAre(loss_at(1e7)));
  EXPECT_THAT(drawn[1].low, ElementsAre(0.99 * loss_at(1e7)));
}

TEST(LossForecast, HasNoEndWhereTheRunHasNotEnded) {
  const std::vector<Series> drawn = forecast_series(falling(), {record(2, 1e5), record(4, 9.9e6)});
  ASSERT_EQ(drawn.size(), 2u);
  EXPECT_THAT(drawn[0].x, ElementsAre(2, 4));
  EXPECT_THAT(drawn[1].x, ElementsAre());
  EXPECT_TRUE(forecast_series(falling(), {record(1, 10)}).empty());
}

TEST(LossForecast, IsDrawnWithoutABandWhereNoneIsKnown) {
  LossForecast forecast = falling();
  for (LossForecast::Point& point : forecast.points) {
    point.low = point.high = std::numeric_limits<double>::quiet_NaN();
  }
  for (const Series& series : forecast_series(forecast, {record(2, 1e5), record(4, 1e7)})) {
    EXPECT_TRUE(series.low.empty() && series.high.empty());
    EXPECT_FALSE(series.y.empty());
  }
  ForecastWatch watch(forecast, 10);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(watch.step(i, 1e7, 1, 100), "");
}

// As many steps of one loss as it is averaged over; what the last one tells.
std::string tell(ForecastWatch& watch, double tokens, double progress, double loss,
                 int steps = 10) {
  std::string told;
  for (int i = 0; i < steps; ++i) told += watch.step(7, tokens, progress, loss);
  return told;
}

TEST(ForecastWatch, ARunInTheBandIsLeftAlone) {
  for (const double factor : {0.991, 1.0, 1.009}) {
    for (const double tokens : {1e6, 1e7}) {
      ForecastWatch watch(falling(), 1000);
      EXPECT_EQ(tell(watch, tokens, tokens / 1e7, factor * loss_at(tokens)), "") << factor;
    }
  }
}

TEST(ForecastWatch, ALossBelowTheBandIsToldAtAnyTimeOnceALeave) {
  ForecastWatch watch(falling(), 1000);
  EXPECT_EQ(tell(watch, 1e6, 0.1, 1.9),
            "step 7: the loss (mean of the last 10 steps) is 1.9000, below the 1.9894 to 2.0296 "
            "that laws/mine.json predicts for a run of 1.00M tokens");
  EXPECT_EQ(tell(watch, 1e6, 0.1, 1.9), "");
  EXPECT_EQ(tell(watch, 1e6, 0.1, 2.01), "");  // inside again
  EXPECT_NE(tell(watch, 1e6, 0.1, 1.9), "");
}

// Back by a quarter of the way from the band's edge, 1.9894, to the forecast, 2.0095.
TEST(ForecastWatch, ALossBesideTheEdgeOfTheBandIsToldOnce) {
  ForecastWatch watch(falling(), 1000);
  EXPECT_NE(tell(watch, 1e6, 0.1, 1.989), "");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(tell(watch, 1e6, 0.1, 1.990), "");
    EXPECT_EQ(tell(watch, 1e6, 0.1, 1.989), "");
  }
  EXPECT_EQ(tell(watch, 1e6, 0.1, 1.995), "");
  EXPECT_NE(tell(watch, 1e6, 0.1, 1.989), "");
}

// While the rate is high a run is above one that ends there.
TEST(ForecastWatch, ALossAboveTheBandIsToldOverTheLastTwentiethAlone) {
  ForecastWatch watch(falling(), 1000);
  EXPECT_EQ(tell(watch, 9e6, 0.949, 3), "");
  EXPECT_EQ(tell(watch, 1e7, 0.951, 3),
            "step 7: the loss (mean of the last 10 steps) is 3.0000, above the 1.5802 to 1.6122 "
            "that laws/mine.json predicts for a run of 10.0M tokens");
  EXPECT_EQ(tell(watch, 1e7, 1, 3), "");
}

TEST(ForecastWatch, SingleLossesTellNothing) {
  ForecastWatch watch(falling(), 1000);
  EXPECT_EQ(tell(watch, 1e6, 0.1, 1.0, 9), "");  // not yet a mean
  ForecastWatch noisy(falling(), 1000);
  EXPECT_EQ(tell(noisy, 1e6, 0.1, 2.01), "");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(noisy.step(i, 1e6, 0.1, i % 2 == 0 ? 1.91 : 2.11), "") << i;
  }
  EXPECT_EQ(noisy.step(21, 1e6, 0.1, std::numeric_limits<double>::quiet_NaN()), "");
}

TEST(ForecastWatch, LongRunsAreAveragedOverAHundredthOfTheirSteps) {
  ForecastWatch watch(falling(), 5000);
  EXPECT_EQ(tell(watch, 1e6, 0.1, 1.9, 49), "");
  EXPECT_NE(tell(watch, 1e6, 0.1, 1.9, 1), "");
  ForecastWatch longest(falling(), 1000000);
  EXPECT_EQ(tell(longest, 1e6, 0.1, 1.9, 199), "");
  EXPECT_NE(tell(longest, 1e6, 0.1, 1.9, 1), "");
}

TEST(ForecastWatch, BeforeTheFirstPointNothingIsCompared) {
  ForecastWatch watch(falling(), 1000);
  EXPECT_EQ(tell(watch, 9e4, 0.01, 0.1), "");
}

TEST(ForecastWatch, HeldOutTextIsComparedWithBitsPerByteAlone) {
  ForecastWatch bits(falling(LossForecast::Figure::bits_per_byte), 1000);
  EXPECT_EQ(tell(bits, 1e6, 0.1, 0.1), "");
  EXPECT_EQ(bits.validation(7, 1e6, 0.1, 1.9),
            "step 7: held-out text takes 1.9000 bits per byte, below the 1.9894 to 2.0296 that "
            "laws/mine.json predicts for a run of 1.00M tokens");
  EXPECT_EQ(bits.validation(8, 1e6, 0.1, 1.9), "");
  EXPECT_EQ(bits.validation(9, 1e6, 0.5, 3), "");
  EXPECT_NE(bits.validation(10, 1e7, 1, 3), "");
  ForecastWatch loss(falling(), 1000);
  EXPECT_EQ(loss.validation(7, 1e6, 0.1, 0.1), "");
}

}  // namespace
}  // namespace fathom
