#include "text/html/phrases.h"

#include <algorithm>
#include <string>

#include "text/ascii.h"

namespace fathom::html {
namespace {

// In small letters.
constexpr std::string_view beginnings[] = {"advertisement",
                                           "copyright ©",
                                           "follow us on",
                                           "leave a comment",
                                           "like this story?",
                                           "read more:",
                                           "read next:",
                                           "related:",
                                           "share this",
                                           "we use cookies",
                                           "©",
                                           "上一篇",
                                           "下一篇",
                                           "分享到",
                                           "扫一扫",
                                           "扫描二维码",
                                           "推荐阅读",
                                           "热门推荐",
                                           "热门文章",
                                           "猜你喜欢",
                                           "相关推荐",
                                           "相关文章",
                                           "相关新闻",
                                           "相关阅读",
                                           "责任编辑",
                                           "（责任编辑",
                                           "(责任编辑"};

constexpr std::string_view anywhere[] = {
    "all rights reserved", "icp备", "icp证", "版权所有", "公网安备", "不良信息举报"};

}  // namespace

bool is_boilerplate_phrase(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\f");
  if (begin == std::string_view::npos) return false;
  const std::string small = ascii::lowered(text.substr(begin));
  return std::ranges::any_of(beginnings, [&](auto phrase) { return small.starts_with(phrase); }) ||
         std::ranges::any_of(anywhere,
                             [&](auto phrase) { return small.find(phrase) != std::string::npos; });
}

}  // namespace fathom::html
