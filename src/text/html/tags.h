// The elements of HTML that parsing and extraction tell apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace fathom::html {

enum class Tag : std::uint8_t {
  other,  // any element that is not listed
  text,   // no element: a run of text
  a,
  address,
  applet,
  area,
  article,
  aside,
  audio,
  base,
  blockquote,
  body,
  br,
  button,
  canvas,
  caption,
  center,
  code,
  col,
  colgroup,
  datalist,
  dd,
  details,
  dialog,
  dir,
  div,
  dl,
  dt,
  embed,
  fieldset,
  figcaption,
  figure,
  footer,
  form,
  h1,
  h2,
  h3,
  h4,
  h5,
  h6,
  head,
  header,
  hgroup,
  hr,
  html,
  iframe,
  img,
  input,
  label,
  li,
  link,
  listing,
  main,
  marquee,
  menu,
  meta,
  nav,
  noembed,
  noframes,
  noscript,
  object,
  ol,
  optgroup,
  option,
  p,
  param,
  picture,
  plaintext,
  pre,
  script,
  search,
  section,
  select,
  source,
  style,
  summary,
  svg,
  table,
  tbody,
  td,
  template_,
  textarea,
  tfoot,
  th,
  thead,
  time,
  title,
  tr,
  track,
  ul,
  video,
  wbr,
  xmp,
};

// `name` in any case.
Tag tag_of(std::string_view name);

bool is_void(Tag tag);  // has no content and no end tag: br, img, ...

// Starts a new line in a page: p, div, li, ...
bool is_block(Tag tag);

bool is_heading(Tag tag);  // h1 to h6

// Its content is characters up to its own end tag, never elements.
bool is_raw_text(Tag tag);

// Never part of what a reader sees as text: scripts, styles, forms' fields, media.
bool is_invisible(Tag tag);

}  // namespace fathom::html
