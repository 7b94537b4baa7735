#include "text/html/implied_ends.h"

namespace fathom::html {
namespace {

using enum Tag;

}  // namespace

bool is_scope(Tag tag) {
  switch (tag) {
    case applet:
    case caption:
    case html:
    case marquee:
    case object:
    case table:
    case td:
    case template_:
    case th:
      return true;
    default:
      return false;
  }
}

bool is_table_part(Tag tag) {
  switch (tag) {
    case caption:
    case colgroup:
    case table:
    case tbody:
    case td:
    case tfoot:
    case th:
    case thead:
    case tr:
      return true;
    default:
      return false;
  }
}

bool ends_open(Tag opened, Tag open) {
  switch (opened) {
    case li:
      return open == li;
    case dd:
    case dt:
      return open == dd || open == dt;
    case td:
    case th:
      return open == td || open == th;
    case tr:
      return open == td || open == th || open == tr;
    case tbody:
    case tfoot:
    case thead:
      return open == td || open == th || open == tr || open == tbody || open == tfoot ||
             open == thead || open == caption;
    case option:
      return open == option;
    case optgroup:
      return open == option || open == optgroup;
    case a:
      return open == a;
    default:
      return false;
  }
}

bool stops_search(Tag opened, Tag open) {
  switch (opened) {
    case a:  // one that is around a block stays, but is no link
      return is_block(open) || is_scope(open);
    case li:
      return open == ul || open == ol || open == menu || open == dir || is_scope(open);
    case dd:
    case dt:
      return open == dl || is_scope(open);
    case td:
    case th:
      return open == tr || open == table;
    case tr:
    case tbody:
    case tfoot:
    case thead:
      return open == table;
    case optgroup:
    case option:
      return open == select || is_scope(open);
    default:
      return is_scope(open);
  }
}

}  // namespace fathom::html
