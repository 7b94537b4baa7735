// OpenAssistant's trees of messages.
#include <algorithm>

#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom::formats {

std::vector<const RowJson*> replies_of(const RowJson& node) {
  std::vector<const RowJson*> replies;
  if (!has_field(node, "replies")) return replies;
  for (const RowJson& reply : list_field(node, "replies")) {
    if (!reply.is_object()) fail_input("'replies' holds {}, not a message", reply.type_name());
    const bool deleted = reply.value("deleted", RowJson(false)) == true;
    if (!deleted) replies.push_back(&reply);
  }
  const auto rank = [](const RowJson* reply) {
    const auto found = reply->find("rank");
    return found != reply->end() && found->is_number() ? found->get<double>() : 1e9;
  };
  std::ranges::stable_sort(replies, {}, rank);
  return replies;
}

const RowJson& tree_root(const RowJson& row) {
  const auto root = row.find("prompt");
  if (root == row.end() || !root->is_object()) {
    fail_input("'prompt' is not the tree's first message");
  }
  return *root;
}

Message tree_message(const RowJson& node, std::string_view role) {
  const std::string& given = text_field(node, "role");
  const std::string found = given == "prompter" ? "user" : given;
  if (found != role) fail_input("a reply's role is '{}' where the {} speaks", given, role);
  return make_message(found, text_field(node, "text"));
}

namespace {

struct Walk {
  std::vector<Message> path;
  std::vector<Conversation> conversations;

  // The path ends with `node`, a user's message.
  void follow_user(const RowJson& node) {
    const auto answers = replies_of(node);
    if (answers.empty()) return;
    path.push_back(tree_message(*answers[0], "assistant"));
    follow_assistant(*answers[0]);
    path.pop_back();
  }

  void follow_assistant(const RowJson& node) {
    const std::size_t before = conversations.size();
    for (const RowJson* question : replies_of(node)) {
      path.push_back(tree_message(*question, "user"));
      follow_user(*question);
      path.pop_back();
    }
    if (conversations.size() == before) conversations.push_back({path, nullptr});
    // The first conversation below learns this answer; the others would learn it again.
    for (std::size_t i = before + 1; i < conversations.size(); ++i) {
      conversations[i].messages[path.size() - 1].learned = false;
    }
  }
};

}  // namespace

std::vector<Conversation> tree_rows(const RowJson& row) {
  const RowJson& root = tree_root(row);
  Walk walk;
  walk.path.push_back(tree_message(root, "user"));
  walk.follow_user(root);
  if (walk.conversations.empty()) fail_input("the tree has no answers");
  return std::move(walk.conversations);
}

}  // namespace fathom::formats
