// fathom serve as a user starts it: its switches, its messages, and SIGTERM under load.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "cli/process.h"
#include "cli/random_model.h"
#include "cli/tiny_run.h"
#include "serve/http_client.h"
#include "text/utf8.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;
using Arguments = std::vector<std::string>;

class Serve : public testing::Test {
 protected:
  Serve() { save_random_model(model_, dir_ / "tokenizer.json"); }

  // Starts the server on a free port, and waits until it listens.
  void start(const Arguments& more, const Arguments& environment = {}) {
    Arguments arguments{"/usr/bin/env", "-u", "FATHOM_API_KEY"};
    arguments.insert(arguments.end(), environment.begin(), environment.end());
    arguments.insert(arguments.end(),
                     {FATHOM_BINARY, "serve", model_, "--port", "0", "--threads", "1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::filesystem::remove(dir_ / "stderr");  // of an earlier server
    process_.emplace(dir_, arguments, Process::Program::any);
    const auto listens = [&] {
      const std::string err = read_file(dir_ / "stderr");
      const std::size_t at = err.find(" on http://"), end = err.find("/v1", at);
      if (at == std::string::npos || end == std::string::npos) return false;
      port_ = static_cast<std::uint16_t>(std::stoi(err.substr(err.rfind(':', end) + 1)));
      return true;
    };
    ASSERT_TRUE(process_->until(listens)) << read_file(dir_ / "stderr");
  }
  Outcome stop() {
    process_->send(SIGTERM);
    return process_->wait();
  }
  Received get(const std::string& path, const std::string& headers = "") const {
    HttpClient client(port_);
    client.get(path, headers);
    return client.receive();
  }
  Received post(const std::string& path, const std::string& body) const {
    HttpClient client(port_);
    client.post(path, body);
    return client.receive();
  }
  double metric(const std::string& name) const {
    const std::string text = get("/metrics").body;
    const std::size_t at = text.find("\nvllm:" + name);
    return at == std::string::npos ? -1 : std::stod(text.substr(text.find("} ", at) + 2));
  }
  Outcome refused(Arguments more) {
    Arguments arguments{"serve", model_, "--port", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }

  TempDir dir_;
  std::string model_ = dir_ / "model";
  std::optional<Process> process_;
  std::uint16_t port_ = 0;
};

TEST_F(Serve, AnswersAsGenerateDoes) {
  // Before the server, whose output goes to files of the same names.
  const Outcome generated = run_fathom(
      dir_, {"generate", model_, "--prompt", "Hi", "--prompt", "x", "--max-tokens", "9",
             "--temperature", "0", "--threads", "1"});
  start({});
  std::string expected;
  std::istringstream lines(generated.out);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.at("index") == 0) expected = json.at("text");
  }
  const auto json =
      post("/v1/completions", R"({"prompt":"Hi","max_tokens":9,"temperature":0})").json();
  EXPECT_EQ(json["choices"][0]["text"], expected);
  EXPECT_EQ(json["model"], model_);
  EXPECT_EQ(post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}]})").status,
            400);
  const Outcome outcome = stop();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("without chat completions: "));
}

TEST_F(Serve, SwitchesDoWhatTheySay) {
  write_file(dir_ / "chat.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}");
  start({"--served-model-name", "mine", "--template", dir_ / "chat.jinja", "--cors",
         "https://a.example", "--max-length", "48", "--max-sequences", "1", "--max-waiting", "1",
         "--max-body-mib", "0.01", "--max-unsent-mib", "0.003", "--drain-seconds", "0",
         "--tokens-per-step", "8", "--cache-gib", "0.001", "--dtype", "bf16", "--host",
         "localhost"});
  const auto model = get("/v1/models").json()["data"][0];
  EXPECT_EQ(model["id"], "mine");
  EXPECT_EQ(model["max_model_len"], 48);
  EXPECT_EQ(post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}],
                                              "max_tokens":2})")
                .status,
            200);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"x","n":3})").status, 400);
  EXPECT_EQ(post("/v1/completions", std::string(11000, ' ')).status, 413);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"x","max_tokens":40,"logprobs":20})").status, 503);
  EXPECT_EQ(get("/v1/models", "Origin: https://a.example\r\n").status, 200);
  EXPECT_EQ(get("/v1/models", "Origin: https://b.example\r\n").status, 403);
  EXPECT_EQ(stop().code, 0);
}

TEST_F(Serve, TakesKeysFromAFileOrTheEnvironment) {
  write_file(dir_ / "keys", "one\r\n\ntwo \n");
  start({"--api-key-file", dir_ / "keys"}, {"FATHOM_API_KEY=three"});
  EXPECT_EQ(get("/v1/models").status, 401);
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer one\r\n").status, 200);
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer two\r\n").status, 200);
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer three\r\n").status, 401);
  EXPECT_EQ(stop().code, 0);
  start({}, {"FATHOM_API_KEY=three"});
  EXPECT_EQ(get("/v1/models").status, 401);
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer three\r\n").status, 200);
  EXPECT_EQ(stop().code, 0);
}

TEST_F(Serve, ChatsWithATerminalsClient) {
  write_file(dir_ / "chat.jinja",
             "{% for m in messages %}{{ m.role + ': ' + m.content + '|' }}{% endfor %}");
  write_file(dir_ / "keys", "secret\n");
  write_file(dir_ / "turns", "Hi\n/system Be brief.\nYes\n");
  // The turns are standard input; its outcome goes to files of its own.
  const auto chat = [&](const std::string& arguments) {
    const std::string command =
        fmt::format("{} {} chat {} --max-tokens 5 --temperature 0 < '{}' > '{}' 2> '{}'",
                    "env -u FATHOM_API_KEY", FATHOM_BINARY, arguments, dir_ / "turns",
                    dir_ / "chat.out", dir_ / "chat.err");
    const int status = std::system(command.c_str());
    Outcome outcome;
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.out = read_file(dir_ / "chat.out");
    outcome.err = read_file(dir_ / "chat.err");
    return outcome;
  };
  const std::string chat_template = dir_ / "chat.jinja";
  const Outcome local = chat(model_ + " --threads 1 --template " + chat_template);
  EXPECT_EQ(local.code, 0) << local.err;
  std::string expected = local.out;
  utf8::replace_invalid(expected);  // a server's JSON holds nothing else
  start({"--template", chat_template, "--api-key-file", dir_ / "keys"});
  const std::string server = fmt::format("--server http://localhost:{}", port_);
  const Outcome remote = chat(server + " --api-key-file " + dir_ / "keys");
  EXPECT_EQ(remote.code, 0) << remote.err;
  EXPECT_EQ(remote.out, expected);
  EXPECT_EQ(remote.err, local.err);
  // A client sends the first key of a file of several.
  write_file(dir_ / "several", "\nsecret\nother\n");
  EXPECT_EQ(chat(server + " --api-key-file " + dir_ / "several").code, 0);
  write_file(dir_ / "others", "other\nsecret\n");
  EXPECT_THAT(chat(server + " --api-key-file " + dir_ / "others").err,
              HasSubstr("the API key is wrong"));
  const Outcome keyless = chat(server);
  EXPECT_EQ(keyless.code, 2);
  EXPECT_THAT(keyless.err, HasSubstr("the API key is missing"));
  EXPECT_EQ(chat(server + " " + model_).code, 2) << "a model and a server";
  EXPECT_EQ(chat(server + " --batch-invariant").code, 2) << "the server's own";
  EXPECT_EQ(chat(model_ + " --api-key-file " + dir_ / "keys").code, 2) << "a key and no server";
  EXPECT_EQ(stop().code, 0);
  const Outcome gone = chat(server);
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.err, HasSubstr("no server answers at http://localhost:"));
}

// An evaluation by a server sends the first key of a file of several, too.
TEST_F(Serve, IsEvaluatedWithAKey) {
  const TempDir client("client-of-" + std::to_string(getpid()));
  write_file(client / "data/rows.jsonl", "{\"q\": \"one\"}\n");
  write_file(client / "own.toml",
             "mode = \"generate\"\n[data]\nfiles = [\"rows.jsonl\"]\n"
             "[prompt]\ncontext = \"{{ q }}\"\ntarget = \"x\"\n[generate]\nmax_tokens = 2\n");
  write_file(dir_ / "keys", "secret\n");
  write_file(client / "several", "\nsecret\nother\n");
  write_file(client / "others", "other\nsecret\n");
  start({"--api-key-file", dir_ / "keys"});
  const auto evaluate = [&](const std::string& keys) {
    return run_fathom(
        client, {"eval", fmt::format("http://localhost:{}", port_), "--tasks", "own", "--data",
                 client / "data", "--configs", client.path(), "--api-key-file", client / keys});
  };
  const Outcome known = evaluate("several"), unknown = evaluate("others");
  EXPECT_EQ(known.code, 0) << known.err;
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("the API key is wrong"));
  EXPECT_EQ(stop().code, 0);
}

TEST_F(Serve, SaysWhatItCannotUse) {
  write_file(dir_ / "empty", "\n");
  for (const auto& [more, message] : std::vector<std::pair<Arguments, std::string>>{
           {{"--host", "192.0.2.1"}, "cannot listen on 192.0.2.1 port 0: "},
           {{"--api-key-file", dir_ / "empty"}, "it holds no API key"},
           {{"--tls-cert", dir_ / "cert.pem"}, "--tls-cert requires --tls-key"},
           {{"--tls-cert", dir_ / "cert.pem", "--tls-key", dir_ / "key.pem"},
            "cert.pem: cannot be read: No such file or directory"},
           {{"--follow", "--weights", "int8"}, "leave out --weights int8"},
           {{"--follow", "--batch-invariant"}, "leave out --batch-invariant"},
           {{"--template", "nothing"}, "there is no chat template 'nothing'"}}) {
    const Outcome outcome = refused(more);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  Process keyless(dir_, {"/usr/bin/env", "FATHOM_API_KEY= ", FATHOM_BINARY, "serve", model_},
                  Process::Program::any);
  const Outcome outcome = keyless.wait();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("FATHOM_API_KEY is set and holds no API key"));
  start({});
  const Outcome taken = run_fathom(dir_, {"serve", model_, "--port", std::to_string(port_)});
  EXPECT_EQ(taken.code, 2);
  EXPECT_THAT(taken.err,
              HasSubstr(fmt::format("cannot listen on 127.0.0.1 port {}: Address already "
                                    "in use: choose another with --host or --port",
                                    port_)));
}

// Without a key only those on this machine may use a server: others are told of.
TEST_F(Serve, WarnsOfAnOpenServer) {
  for (const auto& [host, is_open] : {std::pair("127.0.0.1", false),
                                      {"localhost", false},
                                      {"::1", false},
                                      {"0.0.0.0", true},
                                      {"::", true},
                                      {"192.0.2.1", true},
                                      {"2001:db8::1", true}}) {
    const Outcome outcome = Process(dir_,
                                    {"/usr/bin/env", "-u", "FATHOM_API_KEY", FATHOM_BINARY, "serve",
                                     dir_ / "none", "--host", host},
                                    Process::Program::any)
                                .wait();
    EXPECT_EQ(outcome.code, 2);
    const std::string warning = fmt::format("anybody who reaches {} may use the server", host);
    EXPECT_EQ(outcome.err.find(warning) != std::string::npos, is_open) << outcome.err;
  }
}

TEST_F(Serve, ShowsAnAddressThatClientsCanTake) {
  const std::string loopback = "00000000000000000000000000000001 ";
  std::ifstream addresses("/proc/net/if_inet6");
  const std::string all(std::istreambuf_iterator<char>(addresses), {});
  if (all.find(loopback) == std::string::npos) GTEST_SKIP() << "needs IPv6";
  start({"--host", "::1"});
  EXPECT_THAT(read_file(dir_ / "stderr"),
              HasSubstr(fmt::format(" on http://[::1]:{}/v1\n", port_)));
  EXPECT_EQ(stop().code, 0);
}

// A checkpoint that comes while the server runs.
TEST_F(Serve, FollowsARun) {
  namespace fs = std::filesystem;
  const TempDir training("serve-follows");
  make_tiny_data(training);
  must(run_fathom(training, {"train", make_tiny_config(training), "--set", "train.steps=4"}));
  model_ = training / "run";
  const std::string last = model_ + "/checkpoints/step-00000004", away = training / "away";
  fs::rename(last, away);
  start({"--follow", "--swap-seconds", "0"});
  EXPECT_EQ(get("/v1/models").json()["data"][0]["step"], 2);
  EXPECT_EQ(get("/health").json()["step"], 2);
  fs::rename(away, last);
  EXPECT_TRUE(process_->until([&] { return get("/health").json()["step"] == 4; }));
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"7 ships","max_tokens":2})").status, 200);
  const Outcome outcome = stop();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("serving step 4"));
}

TEST_F(Serve, SigtermUnderLoadLetsAnswersEnd) {
  start({"--max-sequences", "2"});
  std::vector<std::thread> clients;
  std::atomic<int> whole{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      HttpClient client(port_);
      client.post("/v1/completions", fmt::format(R"({{"prompt":"x","n":2,"max_tokens":30,)"
                                                 R"("ignore_eos":true,"stream":{}}})",
                                                 i % 2 == 0));
      const Received received = client.receive();
      if (i % 2 == 0) {
        whole += stream_data(received.body).back() == "[DONE]";
      } else {
        whole += received.json()["usage"]["completion_tokens"] == 60;
      }
    });
  }
  // A request that the server has not read when it stops gets no answer.
  EXPECT_TRUE(process_->until([&] {
    return metric("num_requests_running") + metric("num_requests_waiting") +
               metric("request_success_total{model_name=\"" + model_ +
                      "\",finished_reason=\"length\"}") ==
           16;
  }));
  const Outcome outcome = stop();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stopped"));
  EXPECT_EQ(whole, 8);
}

}  // namespace
}  // namespace fathom::test
