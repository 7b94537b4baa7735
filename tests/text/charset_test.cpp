#include "text/charset.h"

#include <gtest/gtest.h>
#include <iconv.h>

#include <sstream>
#include <string>

#include "text/utf8.h"

namespace fathom {
namespace {

std::string encoded(std::string text, const char* encoding) {
  const iconv_t handle = iconv_open(encoding, "UTF-8");
  EXPECT_NE(handle, reinterpret_cast<iconv_t>(-1)) << encoding;
  std::string out(4 * text.size() + 16, '\0');
  char* from = text.data();
  char* to = out.data();
  std::size_t left = text.size(), room = out.size();
  EXPECT_EQ(iconv(handle, &from, &left, &to, &room), 0u) << encoding;
  iconv_close(handle);
  out.resize(out.size() - room);
  return out;
}

std::string page(const std::string& meta, const std::string& text) {
  return "<html><head>" + meta + "<title>" + text + "</title></head><body><p>" + text;
}

std::string decoded(const std::string& bytes, const std::string& declared = "") {
  std::size_t replaced = 0;
  const auto text = decode_page(bytes, declared, replaced);
  EXPECT_EQ(replaced, 0u);
  return text.value_or("none");
}

const std::string chinese = "河边的水磨建于一八二零年，三个村子的粮食都在这里磨。";
const std::string traditional = "河邊的水磨建於一八二零年，三個村子的糧食都在這裡磨。";
const std::string japanese = "川のそばの水車は千八百二十年に建てられました。";
const std::string russian =
    "Старая мельница у реки была построена в тысяча восемьсот двадцатом году.";
const std::string french =
    "Près du moulin, l’été, on entendait déjà la rivière où les enfants jouaient.";

struct Case {
  const char* label;
  const char* encoding;
  std::string text;
};
const Case cases[] = {{"gb2312", "GBK", chinese},
                      {"gbk", "GBK", chinese},
                      {"GB18030", "GB18030", chinese},
                      {"big5", "BIG5", traditional},
                      {"Shift_JIS", "CP932", japanese},
                      {"euc-jp", "EUC-JP", japanese},
                      {"windows-1251", "WINDOWS-1251", russian},
                      {"koi8-r", "KOI8-R", russian},
                      {"iso-8859-1", "WINDOWS-1252", french},
                      {"windows-1252", "WINDOWS-1252", french},
                      {"utf-8", "UTF-8", chinese}};

TEST(Charset, ServerNamesIt) {
  for (const Case& c : cases) {
    EXPECT_EQ(decoded(encoded(page("", c.text), c.encoding), c.label), page("", c.text)) << c.label;
  }
}

TEST(Charset, MetaNamesIt) {
  for (const Case& c : cases) {
    const std::string label = c.label;
    for (const std::string& meta :
         {"<meta charset=\"" + label + "\">",
          "<META http-equiv=Content-Type content=\"text/html; charset=" + label + "\">"}) {
      EXPECT_EQ(decoded(encoded(page(meta, c.text), c.encoding)), page(meta, c.text)) << meta;
    }
  }
}

TEST(Charset, IsFoundFromTheBytes) {
  for (const Case& c : cases) {
    if (std::string_view(c.label) == "koi8-r") continue;  // taken for windows-1251
    EXPECT_EQ(decoded(encoded(page("", c.text), c.encoding)), page("", c.text)) << c.label;
  }
}

TEST(Charset, ReadsNames) {
  const std::pair<const char*, const char*> names[] = {{"ISO-8859-1", "WINDOWS-1252"},
                                                       {"iso8859-2", "ISO-8859-2"},
                                                       {"iso_8859-2:1987", "ISO-8859-2"},
                                                       {"iso885915", "ISO-8859-15"},
                                                       {"iso-8859-8-i", "ISO-8859-8"},
                                                       {"iso-8859-9", "WINDOWS-1254"},
                                                       {"latin2", "ISO-8859-2"},
                                                       {"l1", "WINDOWS-1252"},
                                                       {"chinese", "GB18030"},
                                                       {"gb_2312", "GB18030"},
                                                       {"ibm866", "IBM866"},
                                                       {"x-cp1251", "WINDOWS-1251"},
                                                       {"euc-jp", "EUC-JP-MS"},
                                                       {"iso-8859-12", ""},
                                                       {"iso-8859-99", ""},
                                                       {"iso-8859-", ""},
                                                       {"iso-8859-1x", ""},
                                                       {"cp99", ""},
                                                       {"windows-1259", ""}};
  for (const auto& [label, encoding] : names) EXPECT_EQ(encoding_named(label), encoding) << label;
}

// Labels as the Encoding Standard has them, and those of pages beside.
TEST(Charset, KnowsEveryLabel) {
  for (const auto& [encoding, labels] :
       {std::pair("UTF-8",
                  "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 "
                  "x-unicode20utf8 utf-16 utf-16le utf-16be unicode"),
        {"GB18030",
         "gb2312 gb_2312 gb_2312-80 csgb2312 csiso58gb231280 iso-ir-58 "
         "chinese gbk gb18030 x-gbk"},
        {"HZ", "hz-gb-2312"},
        {"BIG5-HKSCS", "big5 big5-hkscs cn-big5 csbig5 x-x-big5"},
        {"CP932",
         "shift_jis shift-jis csshiftjis ms_kanji sjis x-sjis ms932 "
         "windows-31j"},
        {"EUC-JP-MS", "euc-jp x-euc-jp cseucpkdfmtjapanese"},
        {"ISO-2022-JP", "iso-2022-jp csiso2022jp"},
        {"CP949",
         "euc-kr cseuckr csksc56011987 iso-ir-149 korean "
         "ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"},
        {"WINDOWS-1252",
         "ascii us-ascii ansi_x3.4-1968 cp819 ibm819 iso-ir-100 latin1 "
         "latin-1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1:1987 "
         "windows-1252 cp1252 x-cp1252"},
        {"ISO-8859-2", "latin2 l2 iso-8859-2 iso8859_2 iso_8859-2:1987"},
        {"ISO-8859-3", "latin3 l3 iso-8859-3"},
        {"ISO-8859-4", "latin4 l4 iso-8859-4"},
        {"ISO-8859-5", "cyrillic iso-8859-5"},
        {"ISO-8859-6",
         "arabic asmo-708 ecma-114 iso-8859-6 iso-8859-6-e "
         "iso-8859-6-i"},
        {"ISO-8859-7", "greek greek8 ecma-118 elot_928 iso-8859-7"},
        {"ISO-8859-8",
         "hebrew visual logical csiso88598e csiso88598i iso-8859-8 "
         "iso-8859-8-e iso-8859-8-i"},
        {"WINDOWS-1254", "latin5 l5 iso-8859-9 windows-1254 cp1254 x-cp1254"},
        {"ISO-8859-10", "latin6 l6 iso-8859-10"},
        {"CP874", "tis-620 dos-874 windows-874 iso-8859-11"},
        {"ISO-8859-13", "iso-8859-13"},
        {"ISO-8859-14", "iso-8859-14"},
        {"ISO-8859-15", "l9 iso-8859-15 iso885915"},
        {"ISO-8859-16", "iso-8859-16"},
        {"WINDOWS-1250", "windows-1250 cp1250 x-cp1250"},
        {"WINDOWS-1251", "windows-1251 cp1251 x-cp1251"},
        {"WINDOWS-1253", "windows-1253 cp1253"},
        {"WINDOWS-1255", "windows-1255 cp1255"},
        {"WINDOWS-1256", "windows-1256 cp1256"},
        {"WINDOWS-1257", "windows-1257 cp1257"},
        {"WINDOWS-1258", "windows-1258 x-cp1258"},
        {"KOI8-R", "koi8-r koi8_r koi8 koi cskoi8r"},
        {"KOI8-U", "koi8-u koi8-ru"},
        {"IBM866", "866 cp866 ibm866 csibm866"},
        {"MACINTOSH", "mac macintosh csmacintosh x-mac-roman"},
        {"MAC-CYRILLIC", "x-mac-cyrillic x-mac-ukrainian"}}) {
    std::istringstream words(labels);
    for (std::string label; words >> label;) {
      EXPECT_EQ(encoding_named(label), encoding) << label;
    }
  }
  for (const char* label :
       {"", " ", "utf", "utf-7", "utf-32", "koi8-t", "l0", "l7", "latin0", "latin7", "iso-8859-0",
        "iso-8859-17", "iso-8859-2-x", "windows-", "windows-1249", "cp12510", "x-cp1259", "big6"}) {
    EXPECT_EQ(encoding_named(label), "") << label;
  }
}

// Characters of the vendors' supersets, without a name of the encoding.
TEST(Charset, LikelyNamesAreThoseOfPages) {
  for (const Case& c :
       {Case{"", "CP932", "川のそばの水車は千八百二十年に建てられました。㈱ ① "},
        Case{"", "CP949", "강가의 물레방아는 똠방각하 펲시콜라 강가의 물레방아는 지어졌다"}}) {
    EXPECT_EQ(decoded(encoded(page("", c.text), c.encoding)), page("", c.text)) << c.encoding;
  }
}

TEST(Charset, OrderOfWhatIsBelieved) {
  const std::string meta = "<meta charset=big5>";
  const std::string gbk = encoded(page(meta, chinese), "GBK");
  EXPECT_EQ(decoded(gbk, "gbk"), page(meta, chinese));  // the server before <meta>
  // UTF-8 that says that it is not.
  EXPECT_EQ(decoded(page(meta, chinese), "gbk"), page(meta, chinese));
  const std::string even = "中文中文中文中文中文中文中文中文中文中文";  // no broken GBK in it
  EXPECT_EQ(decoded(even, "gbk"), even);
  EXPECT_EQ(decoded("\xef\xbb\xbf" + page("", "é"), "gbk"), page("", "é"));
  EXPECT_EQ(decoded(encoded("\ufeff" + page("", chinese), "UTF-16LE"), "utf-8"), page("", chinese));
  EXPECT_EQ(decoded(encoded("\ufeff" + page("", chinese), "UTF-16BE")), page("", chinese));
  // Names that are not known, and that do not decode the page, are passed over.
  EXPECT_EQ(decoded(encoded(page("", chinese), "GBK"), "x-klingon"), page("", chinese));
  EXPECT_EQ(decoded(encoded(page("", chinese), "GBK"), "utf-8"), page("", chinese));
}

TEST(Charset, CountsWhatIsBroken) {
  std::size_t replaced = 0;
  const std::string many = chinese + chinese + chinese;
  const auto text = decode_page(encoded(many, "GBK") + "\xff!", "gbk", replaced);
  EXPECT_EQ(text, many + "\ufffd!");
  EXPECT_EQ(replaced, 1u);
  EXPECT_EQ(decode_page(chinese + chinese.substr(0, 1), "utf-8", replaced), chinese);
  EXPECT_EQ(replaced, 0u);
  // UTF-8 that is broken in one place, or cut short, with few characters or with many.
  EXPECT_EQ(decode_page("“The mill” – 1820 \xa9", "", replaced), "“The mill” – 1820 \ufffd");
  EXPECT_EQ(replaced, 1u);
  EXPECT_EQ(decode_page(many + chinese.substr(0, 2), "iso-8859-1", replaced), many);
  EXPECT_EQ(decode_page(many + "\xff!", "iso-8859-1", replaced), many + "\ufffd!");
  const std::string accents = "élèves été déjà là, élèves été déjà là, élèves été déjà là";
  EXPECT_EQ(decode_page(accents + "\xc3", "iso-8859-1", replaced), accents);
  const std::string longer = accents + accents + accents;
  EXPECT_EQ(decode_page(longer + "\xff!", "iso-8859-1", replaced), longer + "\ufffd!");
  // Bytes of no encoding, but very few.
  EXPECT_EQ(decode_page(std::string(5000, 'a') + "\x81\x8d\x8f\x90!", "", replaced),
            std::string(5000, 'a') + "\ufffd\ufffd\ufffd\ufffd!");
  EXPECT_EQ(replaced, 4u);
  std::string noise;
  for (int i = 0; i < 500; ++i) noise += "\x81\x8d\x8f\x90\x9d\xff ";
  const auto nothing = decode_page(noise, "", replaced);
  EXPECT_FALSE(nothing.has_value());
}

// A <meta> counts in the first 4096 bytes, when it names an encoding.
TEST(Charset, MetaStandsAtTheBeginning) {
  const std::string cyrillic = encoded(page("", russian), "KOI8-R");
  const auto is_read = [&](const std::string& meta, std::size_t before) {
    const std::string blanks(before, ' ');
    std::size_t replaced = 0;
    return decode_page(blanks + meta + cyrillic, "", replaced) == blanks + meta + page("", russian);
  };
  const std::string meta = "<meta charset=koi8-r>";
  EXPECT_TRUE(is_read(meta, 0));
  EXPECT_TRUE(is_read(meta, 4096 - meta.size()));
  EXPECT_FALSE(is_read(meta, 4096 - meta.size() + 1));
  for (const char* other :
       {"<meta http-equiv=a content='text/html; charset=KOI8-R'>",
        "<meta http-equiv=a content=\"x;charset=koi8-r;y\">", "<META CHARSET='Koi8-R'>",
        "<meta name=a><meta charset=koi8-r><meta charset=gbk>"}) {
    EXPECT_TRUE(is_read(other, 0)) << other;
  }
  for (const char* other : {"<meta content='text/html; charset=koi8-r'>", "<p charset=koi8-r>",
                            "<!-- <meta charset=koi8-r> -->", "<meta charset=''>",
                            "<meta http-equiv=a content='koi8-r'>"}) {
    EXPECT_FALSE(is_read(other, 0)) << other;
  }
}

// At most one broken byte in 50 characters, and UTF-8 from 16 characters on whatever is named.
TEST(Charset, BoundsWhatIsBroken) {
  const auto times = [](const char* text, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  std::size_t replaced = 0;
  EXPECT_EQ(decode_page(times("é", 16), "iso-8859-1", replaced), times("é", 16));
  EXPECT_NE(decode_page(times("é", 15), "iso-8859-1", replaced), times("é", 15));
  // With U+FFFD 50 characters beyond ASCII.
  EXPECT_EQ(decode_page(times("é", 49) + "\xff.", "iso-8859-1", replaced),
            times("é", 49) + "\ufffd.");
  EXPECT_EQ(replaced, 1u);
  EXPECT_NE(decode_page(times("é", 48) + "\xff.", "iso-8859-1", replaced),
            times("é", 48) + "\ufffd.");
}

TEST(Charset, OutputIsAlwaysUtf8) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (const char* label : {"gbk", "big5", "shift_jis", "euc-kr", "windows-1258", "iso-8859-16",
                            "iso-2022-jp", "hz-gb-2312", "utf-8", "windows-874"}) {
    EXPECT_FALSE(encoding_named(label).empty()) << label;
    for (const std::string& tail : {std::string(5000, 'a'), std::string(5000, '\xb0')}) {
      std::size_t replaced = 0;
      const auto text = decode_page(bytes + tail, label, replaced);
      if (text) {
        EXPECT_EQ(utf8::valid_prefix(*text), text->size()) << label;
      }
    }
  }
  EXPECT_EQ(encoding_named(" GB2312 "), "GB18030");
  EXPECT_EQ(encoding_named(std::string(1000, 'x')), "");
}

}  // namespace
}  // namespace fathom
