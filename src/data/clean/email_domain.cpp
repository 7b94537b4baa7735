#include "data/clean/email_domain.h"

#include <algorithm>
#include <string>

#include "text/ascii.h"

namespace fathom::clean {
namespace {

// Countries' codes and others, between blanks. File extensions that are also rare top-level
// domains, as zip, are left out.
constexpr std::string_view top_level_domains =
    " ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo "
    "br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm "
    "do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs "
    "gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km "
    "kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp "
    "mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk "
    "pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss "
    "st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va "
    "vc ve vg vi vn vu wf ws ye yt za zm zw com org net edu gov mil int info biz name pro "
    "aero coop museum mobi jobs travel tel cat asia xyz top online site shop club app dev "
    "tech store blog cloud email live life work world today news media agency academy center "
    "company digital group global network solutions services team systems space website wiki "
    "vip wang ltd fun art link click one law bank london berlin tokyo nyc paris amsterdam "
    "wien koeln hamburg bayern africa lat eus gal scot wales cymru swiss health care church "
    "foundation university school studio design consulting international earth eco ngo ong "
    "energy finance legal events software support education institute press science social "
    "expert ventures capital ";

bool is_top_level_domain(std::string_view part) {
  const auto is_small = [](char c) { return ascii::small(c) == c; };
  const auto small = std::ranges::count_if(part, is_small);
  if (small != 0 && small != std::ssize(part)) return false;  // "Model.Name"
  std::string name = " ";
  for (const char c : part) name += ascii::small(c);
  return top_level_domains.find(name + " ") != std::string_view::npos;
}

// Whether a text begins as "4.17".
bool begins_as_version(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits > 0 && digits + 1 < text.size() && text[digits] == '.' &&
         ascii::is_digit(text[digits + 1]);
}

}  // namespace

std::size_t domain_length(std::string_view text) {
  const auto outside = std::ranges::find_if(
      text, [](char c) { return !ascii::is_alphanumeric(c) && c != '.' && c != '-'; });
  text = text.substr(0, static_cast<std::size_t>(outside - text.begin()));
  if (begins_as_version(text)) return 0;
  // The last part that begins with a top-level domain ends it.
  while (true) {
    const std::size_t dot = text.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return 0;
    std::size_t end = dot + 1;
    while (end < text.size() && ascii::is_letter(text[end])) ++end;
    const bool whole_part = end == text.size() || text[end] == '-';
    if (whole_part && is_top_level_domain(text.substr(dot + 1, end - dot - 1))) {
      text = text.substr(0, end);
      break;
    }
    text = text.substr(0, dot);
  }
  const bool empty_part = text.find("..") != std::string_view::npos || text.starts_with('-');
  return empty_part ? 0 : text.size();
}

}  // namespace fathom::clean
