// Heartbeats between thread ranks, and against a neighbour whose words the test says itself.
#include "comm/heartbeat.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>

#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

const double silence = HeartbeatOptions{}.silence_seconds;
constexpr int round_milliseconds = 2;  // so that no test waits for long

// That a test waits in vain before it fails.
constexpr int patience_milliseconds = 10'000;
constexpr std::chrono::milliseconds patience(patience_milliseconds);

// Failures as the heartbeats tell them, "rank: reason".
class Told {
 public:
  Heartbeat::Failed teller() {
    return [this](int rank, const std::string& reason) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::to_string(rank) + ": " + reason);
      changed_.notify_all();
    };
  }
  std::string await_first() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return !all_.empty(); });
    return all_.empty() ? "nothing" : all_.front();
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

// A clock that goes on when the test says so, and counts how often it is read: a heartbeat reads
// it once a round.
class TestClock {
 public:
  std::function<double()> reader() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++reads_;
      changed_.notify_all();
      return seconds_;
    };
  }
  void advance(double seconds) {
    const std::lock_guard lock(mutex_);
    seconds_ += seconds;
  }
  void await_rounds(int rounds) {
    std::unique_lock lock(mutex_);
    const int wanted = reads_ + rounds;
    if (!changed_.wait_for(lock, patience, [&] { return reads_ >= wanted; })) {
      fail_runtime("the heartbeat has ended");
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  double seconds_ = 100;
  int reads_ = 0;
};

// Each time one rank ends first, as a rank does that has nothing left to write.
TEST(Heartbeat, AnOrderlyEndIsNeverTakenForADeath) {
  Told told;
  run_thread_ranks(3, {60}, [&](Communicator& world) {
    for (int i = 0; i < 334; ++i) {  // three ends each
      TestClock clock;
      std::optional<Heartbeat> heartbeat;
      heartbeat.emplace(world, told.teller(),
                        HeartbeatOptions{silence, round_milliseconds, clock.reader()});
      if (world.rank() == i % 3) heartbeat.reset();
      world.barrier();
      if (world.rank() != i % 3) clock.await_rounds(2);
      if (!told.all().empty()) return;
    }
  });
  EXPECT_THAT(told.all(), testing::IsEmpty());
}

// As after SIGSTOP and SIGCONT, of one rank or of the whole job.
TEST(Heartbeat, ARankThatWasStoppedKnowsNothingOfTheOthers) {
  // Longer than a silence that ends the job, and one that is warned of.
  for (const auto& [seconds, all] : {std::pair(10 * silence, false),
                                     {10 * silence, true},
                                     {silence / 2, false},
                                     {silence / 2, true}}) {
    Told told, news;
    run_thread_ranks(2, {60}, [&](Communicator& world) {
      TestClock clock;
      const Heartbeat heartbeat(world, told.teller(),
                                {silence, round_milliseconds, clock.reader(), news.teller()});
      clock.await_rounds(3);
      world.barrier();
      clock.await_rounds(3);  // has heard what the other said
      world.barrier();
      if (all || world.rank() == 0) clock.advance(seconds);
      clock.await_rounds(4);
      world.barrier();
    });
    EXPECT_THAT(told.all(), testing::IsEmpty()) << seconds << (all ? " both" : " one");
    EXPECT_THAT(news.all(), testing::IsEmpty()) << seconds << (all ? " both" : " one");
  }
}

TEST(Heartbeat, RanksThatSayThatTheyLiveAreNeverTold) {
  Told told;
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    TestClock clock;
    const Heartbeat heartbeat(world, told.teller(), {silence, round_milliseconds, clock.reader()});
    for (double passed = 0; passed < 2 * silence; ++passed) {
      clock.advance(1);
      clock.await_rounds(2);  // has said so
      world.barrier();
      clock.await_rounds(2);  // has heard the other
    }
    world.barrier();
  });
  EXPECT_THAT(told.all(), testing::IsEmpty());
}

TEST(Heartbeat, ASilentRankIsToldAfterItsTimeAndNotBefore) {
  Told told;
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    TestClock clock;  // rank 1's does not go on, so that it says nothing after its first word
    const Heartbeat heartbeat(world, world.rank() == 0 ? told.teller() : [](auto, auto&) {},
                              {silence, round_milliseconds, clock.reader()});
    clock.await_rounds(3);
    world.barrier();
    if (world.rank() == 0) {
      for (double passed = 0; passed + 2 < silence; ++passed) {
        clock.advance(1);
        clock.await_rounds(2);
      }
      EXPECT_THAT(told.all(), testing::IsEmpty());
      clock.advance(4);
      EXPECT_THAT(told.await_first(), testing::StartsWith("1: has not answered for 1"));
    }
    world.barrier();
  });
}

// Rank 1 falls silent until rank 0 has warned of it and done `meanwhile`, and then speaks again.
void with_a_silence(Told& failures, Told& news, const std::function<void(TestClock&)>& meanwhile) {
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    TestClock clock;
    HeartbeatOptions options{silence, round_milliseconds, clock.reader()};
    if (world.rank() == 0) options.warned = news.teller();
    {
      const Heartbeat heartbeat(world, failures.teller(), std::move(options));
      clock.await_rounds(3);
      world.barrier();  // rank 1 is silent from here
      for (int i = 0; i < 7 && world.rank() == 0; ++i) {
        clock.advance(1);
        clock.await_rounds(2);
      }
      if (world.rank() == 0) meanwhile(clock);
      world.barrier();
      if (world.rank() == 1) {
        clock.advance(1);  // and speaks again
        clock.await_rounds(3);
      }
      world.barrier();
      clock.await_rounds(3);
    }
    world.barrier();
  });
}

constexpr const char* silence_of_one = "1: has not answered for 5 s: after 15 s the job ends";

TEST(Heartbeat, WarnsOnceOfASilenceAndTellsThatItIsOver) {
  Told failures, news;
  with_a_silence(failures, news, [](TestClock&) {});
  EXPECT_THAT(failures.all(), testing::IsEmpty());
  EXPECT_THAT(news.all(), testing::ElementsAre(silence_of_one, "1: answers again"));
}

// Rank 1 falls silent twice, and speaks several times in between.
TEST(Heartbeat, WarnsOfEachSilenceAndOfEachEndOnce) {
  Told failures, news;
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    TestClock clock;
    HeartbeatOptions options{silence, round_milliseconds, clock.reader()};
    if (world.rank() == 0) options.warned = news.teller();
    {
      const Heartbeat heartbeat(world, failures.teller(), std::move(options));
      clock.await_rounds(3);
      for (int time = 0; time < 2; ++time) {
        world.barrier();  // rank 1 is silent from here
        for (int i = 0; i < 7 && world.rank() == 0; ++i) {
          clock.advance(1);
          clock.await_rounds(2);
        }
        for (int word = 0; word < 3; ++word) {
          world.barrier();
          if (world.rank() == 1) {
            clock.advance(1);
            clock.await_rounds(3);
          }
          world.barrier();
          clock.await_rounds(3);  // has heard it
        }
      }
      world.barrier();
    }
    world.barrier();
  });
  EXPECT_THAT(failures.all(), testing::IsEmpty());
  EXPECT_THAT(news.all(), testing::ElementsAre(silence_of_one, "1: answers again", silence_of_one,
                                               "1: answers again"));
}

TEST(Heartbeat, AStopOfItsOwnIsNoAnswerOfASilentRank) {
  Told failures, news;
  with_a_silence(failures, news, [&](TestClock& clock) {
    clock.advance(10 * silence);
    clock.await_rounds(4);
    EXPECT_THAT(news.all(), testing::ElementsAre(silence_of_one));
  });
  EXPECT_THAT(failures.all(), testing::IsEmpty());
  EXPECT_THAT(news.all(), testing::ElementsAre(silence_of_one, "1: answers again"));
}

// One rank with a heartbeat, and one whose sockets the test holds.
void beside_a_neighbour(Told& told, const std::function<void(RingSockets&)>& neighbour) {
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    if (world.rank() == 0) {
      const Heartbeat heartbeat(world, told.teller());
      world.barrier();
    } else {
      RingSockets ring = connect_ring(world);
      ASSERT_TRUE(ring.next && ring.previous);
      neighbour(ring);
      world.barrier();
    }
  });
}

void say(const Socket& socket, const std::string& words) {
  EXPECT_EQ(send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL), std::ssize(words));
}

// Words up to the end of the other's direction, or the first `last`.
std::string listen(const Socket& socket, char last = '\0') {
  std::string words;
  char word = 0;
  for (pollfd wanted{socket.get(), POLLIN, 0}; poll(&wanted, 1, patience_milliseconds) > 0;) {
    if (recv(socket.get(), &word, 1, 0) != 1) return words;
    words += word;
    if (word == last) return words;
  }
  ADD_FAILURE() << "the other says nothing more and does not end";
  return words;
}

TEST(Heartbeat, AnEndWithoutAWordIsADeathAndOthersNeedNotTellIt) {
  Told told;
  beside_a_neighbour(told, [&](RingSockets& ring) {
    ring.next = Socket();
    EXPECT_EQ(told.await_first(), "1: has died: its process has ended without a word");
    EXPECT_EQ(listen(ring.previous, 'f').back(), 'f');
  });
  EXPECT_EQ(told.all().size(), 1u);
}

TEST(Heartbeat, NamesWhichNeighbourDied) {
  for (const int dead : {1, 2}) {
    Told told;
    run_thread_ranks(3, {60}, [&](Communicator& world) {
      if (world.rank() == 0) {
        const Heartbeat heartbeat(world, told.teller());
        EXPECT_THAT(told.await_first(), testing::StartsWith(std::to_string(dead) + ": has died"));
        world.barrier();
      } else {
        RingSockets ring = connect_ring(world);
        if (world.rank() == dead) ring = {};
        world.barrier();
      }
    });
  }
}

TEST(Heartbeat, AGoodbyeIsAnsweredAtOnceSoThatNobodyWaits) {
  Told told;
  beside_a_neighbour(told, [&](RingSockets& ring) {
    say(ring.next, "ag");  // in one piece, as after a stop
    say(ring.previous, "ag");
    EXPECT_EQ(listen(ring.next).find_first_not_of('a'), std::string::npos);
    EXPECT_EQ(listen(ring.previous).find_first_not_of('a'), std::string::npos);
    ring = {};
  });
  EXPECT_THAT(told.all(), testing::IsEmpty());
}

TEST(Heartbeat, AFailureThatIsToldElsewhereIsPassedOn) {
  Told told;
  beside_a_neighbour(told, [&](RingSockets& ring) {
    say(ring.next, "f");
    EXPECT_EQ(listen(ring.previous, 'f').back(), 'f');
    ring = {};
  });
  EXPECT_THAT(told.all(), testing::IsEmpty());
}

// Unread words of a neighbour would reset a connection that is closed, and cost it the goodbye.
TEST(Heartbeat, SaysGoodbyeAndKeepsListeningUntilTheNeighbourHasEndedToo) {
  Told told;
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    if (world.rank() == 0) {
      const Heartbeat heartbeat(world, told.teller());
    } else {
      RingSockets ring = connect_ring(world);
      for (const Socket* socket : {&ring.next, &ring.previous}) {
        EXPECT_EQ(listen(*socket).back(), 'g');
        say(*socket, "a");
        say(*socket, "a");  // fails once the first has been answered with a reset
      }
    }
  });
}

}  // namespace
}  // namespace fathom
