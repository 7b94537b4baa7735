// Personal data masked.
#include "data/clean/personal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/clean/clean.h"
#include "data/clean/email_domain.h"
#include "io/line_reader.h"
#include "io/temp_dir.h"

namespace fathom::clean {
namespace {

constexpr PersonalConfig all_kinds{true, true, true, true};

// Masked with all rules; a masked text stays as it is.
std::string mask(std::string_view text, const PersonalConfig& config = all_kinds) {
  MaskedCounts counts{}, again{};
  const std::string out = masked(text, config, counts);
  EXPECT_EQ(masked(out, config, again), out) << text;
  EXPECT_EQ(again, MaskedCounts{}) << text;
  return out;
}

// Each of `texts` is masked as a whole, between blanks, in Han characters and at a sentence's end.
void expect_masked(std::initializer_list<std::string> texts, const std::string& by) {
  for (const std::string& text : texts) {
    EXPECT_EQ(mask(text), by) << text;
    EXPECT_EQ(mask("to " + text + ", (" + text + ")."), "to " + by + ", (" + by + ").") << text;
    EXPECT_EQ(mask("请联系" + text + "。或" + text + "谢谢"), "请联系" + by + "。或" + by + "谢谢")
        << text;
  }
}

void expect_kept(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    EXPECT_EQ(mask(text), text);
    EXPECT_EQ(mask("见" + text + "。"), "见" + text + "。");
  }
}

TEST(Personal, Emails) {
  expect_masked({"a@b.cn", "first.last+tag@mail.some-host.co.uk", "x_1%2-3@1st.example.com.au",
                 "13812345678@qq.com", "A@B.COM", "a@163.com", std::string(64, 'a') + "@b.org"},
                "email@example.com");
  expect_kept({"email@example.com", "me@EXAMPLE.org", "a@b", "@name", "a@b.c", "a@b.1c", "a@-b.com",
               "a@b..com", "a.@b.com", std::string(65, 'a') + "@b.org", "a @b.com", "pkg@1.2.3"});
  expect_kept({"icon@2x.png", "getty@tty1.service", "user@1000.service", "q@k.transpose(-2,-1)",
               "x@w.to(device)", "foo@1.0.0.tgz", "lodash@4.17.21-rc.beta", "text@Model.Name",
               "git@github.com:torvalds/linux.git", "ssh://git@gitlab.com/x", "ftp://me@b.com/x"});
  EXPECT_EQ(mask("a@b.com@张三"), "email@example.com@张三");
  EXPECT_EQ(mask("a@b.com.Then"), "email@example.com.Then");
  EXPECT_EQ(mask("mail a@b.com.\nnext"), "mail email@example.com.\nnext");
  EXPECT_EQ(mask("..a@b.com-c"), "..email@example.com-c");
  EXPECT_EQ(mask("a@b.com,c@d.de;e@f.fr"), "email@example.com,email@example.com;email@example.com");
  EXPECT_EQ(mask("a@b.com@c.de"), "a@b.com@c.de");
  EXPECT_EQ(mask("é@b.com josé_1@b.com"), "é@b.com joséemail@example.com");
}

TEST(Personal, PublicAddresses) {
  expect_masked(
      {"93.184.216.34", "20.18.8.1", "223.255.255.255", "100.63.0.1", "100.128.0.1", "172.15.0.1",
       "172.32.0.1", "192.0.1.11", "192.167.1.1", "198.17.1.1", "11.0.0.20"},
      "192.0.2.1");
  expect_kept({"0.1.2.3", "10.255.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1",
               "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
               "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
               "224.0.0.1", "255.255.255.255"});
  expect_kept({"8.8.8", "8.8.8.8.8", "256.8.8.8", "8.8.8.256", "08.8.8.8", "8.8.8.8a", "v8.8.8.8",
               "8.8.8.1234", "8..8.8", "1.8.8.8.8"});
  expect_kept({"93.184.216", "93.184.216.34.5", "93.184.216.340", "093.184.216.34",
               "93.184.216.34a", "v93.184.216.34", "93..184.216.34"});
  expect_kept({"8.8.8.8", "1.0.0.1", "12.14.2.19", "9.9.9.200", "version 10.2.30.44",
               "Version: 10.20.30.44", "v 11.22.33.44", "section 25.11.12.3", "since 11.22.33.44",
               "§ 52.21.13.4", "§52.21.13.4", "pkg (>=11.22.33.44)", "pkg (>= 11.22.33.44)"});
  EXPECT_EQ(mask("http://93.184.216.34:80/ 91.9.9.20/24"), "http://192.0.2.1:80/ 192.0.2.1/24");
  expect_masked({"2001:4860:4860::8888", "2400:3200:0:0:0:0:0:1", "3fff:ffff::", "2000::1"},
                "2001:db8::1");
  expect_kept({"2001:db8::7", "fe80::1", "::1", "1fff::1", "4000::1", "2001:4860", "20:30:45",
               "2001::4860::1", "2001:4860:4860::8888:12345", "2400:1:2:3:4:5:6"});
  EXPECT_EQ(mask("at 2001:4860::1: it"), "at 2001:db8::1: it");
  EXPECT_EQ(mask("x:2001:4860::1"), "x:2001:4860::1");
}

TEST(Personal, VersionsAreNoAddresses) {
  expect_kept({"19.18.17.16", "9.9.9.200", "200.9.9.9"});
  expect_masked({"20.18.17.16", "9.9.20.200", "11.9.9.200", "200.10.9.9"}, "192.0.2.1");
  const std::string address = "93.184.216.34";
  for (const std::string word : {"version", "v", "ver", "Section", "sections", "since", "release",
                                 "sec", "Versions", "§", ">=", "<=", "==", "~=", "版本", "章节"}) {
    EXPECT_EQ(mask(word + " " + address), word + " " + address);
    EXPECT_EQ(mask(word + ". " + address), word + ". " + address);
  }
  for (const std::string word : {"aversion", "server", "w", "versions of", ">", "<", "=", "本"}) {
    EXPECT_EQ(mask(word + " " + address), word + " 192.0.2.1");
  }
}

TEST(Personal, Phones) {
  expect_masked(
      {"13812345678",        "138-1234-5678",     "8613812345678",     "86-13812345678",
       "+8613812345678",     "+86 138 1234 5678", "008613812345678",   "0086-138-1234-5678",
       "0086 138 1234 5678", "010-12345678",      "021-12345678",      "0755-1234567",
       "0755-12345678",      "(010)12345678",     "(0755) 1234567",    "(212) 555-0123",
       "212-555-0123",       "1-212-555-0123",    "1 (212) 555-0123",  "+1 (212) 555-0123",
       "+44 20 7946 0958",   "+49-30-123456",     "+33 6 12 34 56 78", "+12125550123",
       "+44 (20) 7946 0958"},
      "000-0000-0000");
  expect_kept({"12812345678",  "1381234567",    "138123456789",   "x13812345678",
               "13812345678x", "112-555-0123",  "212-155-0123",   "212 555 0123",
               "2024-12-2024", "010-1234567",   "+1234567",       "+1234567890123456",
               "+0123456789",  "1.13812345678", "13812345678.5",  "a/13812345678",
               "_13812345678", "000-0000-0000", "20241231",       "3-212-555-0123",
               "212.555-0123", "252.227-7013",  "1.212-555-0123", "212-555-0123-4",
               "212.555.0123", "+49.30.123456", "+12345678",      "+123456789012345"});
  EXPECT_EQ(mask("Tel:13812345678"), "Tel:000-0000-0000");
  EXPECT_EQ(mask("Tel.(010)12345678"), "Tel.000-0000-0000");
  EXPECT_EQ(mask("call +1  212 555 0123"), "call +1  212 555 0123") << "two blanks end a number";
  for (const std::string label : {"Tel: ", "mobile ", "手机：", "电话 "}) {
    EXPECT_EQ(mask(label + "138 1234 5678"), label + "000-0000-0000");
  }
}

// The networks of China by the first three digits.
TEST(Personal, MobileNumbersHaveAPrefixOfANetwork) {
  const std::string thirds[] = {"",          "",     "",         "0123456789", "56789",
                                "012356789", "2567", "01235678", "0123456789", "012356789"};
  for (char second = '0'; second <= '9'; ++second) {
    for (char third = '0'; third <= '9'; ++third) {
      const std::string number = std::string("1") + second + third + "12345678";
      if (thirds[second - '0'].find(third) == std::string::npos) {
        expect_kept({number});
      } else {
        expect_masked({number}, "000-0000-0000");
      }
    }
  }
  expect_kept({"13812300000"});
  expect_masked({"13812340000"}, "000-0000-0000");
}

TEST(Personal, PhonesOfAreasAreWrittenInManyWays) {
  expect_masked({"020-12345678", "029-12345678", "0312-1234567", "0999-12345678", "(010) 12345678",
                 "(021)12345678", "(021) 12345678", "(0755)1234567", "(0755) 1234567",
                 "0086-13812345678", "0086 13812345678", "86-138-1234-5678", "(212)555-0123",
                 "1 (212) 555-0123", "(999) 999-0123"},
                "000-0000-0000");
  expect_kept({"011-12345678", "0255-1234567", "030-12345678", "(112) 555-0123", "(212) 155-0123",
               "2-212-555-0123"});
}

TEST(Personal, LabelsTellThatAPhoneComes) {
  const std::string number = "138 1234 5678";
  for (const std::string label :
       {"tel", "Phone", "Telephone", "MOBILE", "cell", "fax", "call", "WhatsApp", "mob", "电话",
        "手机", "热线", "号码", "传真", "微信"}) {
    for (const std::string mark : {":", "：", ". ", " ", "\u3000"}) {
      EXPECT_EQ(mask(label + mark + number), label + mark + "000-0000-0000");
    }
  }
  for (const std::string label : {"motel", "phones", "model", "电", "话机"}) {
    EXPECT_EQ(mask(label + ": " + number), label + ": " + number);
  }
}

TEST(Personal, AmountsAreNoPhones) {
  const std::string number = "13812345678";
  for (const std::string mark : {"$", "¥", "￥", "€", "£", "=", "＄"}) {
    expect_kept({mark + number, mark + " " + number, mark + "\u3000" + number});
  }
  for (const std::string unit :
       {"元", "美元", "万", "亿", "円", "日元", "dollars", "yuan", "USD", "%"}) {
    expect_kept({number + " " + unit});
  }
  EXPECT_EQ(mask(number + " dollar"), "000-0000-0000 dollar");
  EXPECT_EQ(mask(number + "人"), "000-0000-0000人");
}

// The codes that ITU-T E.164 assigns, by the first digits of a number.
TEST(Personal, PhonesBeginWithACodeOfACountry) {
  const std::string codes =
      " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 "
      "63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 "
      "226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 "
      "249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 "
      "298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 "
      "382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 "
      "594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 "
      "689 690 691 692 800 850 852 853 855 856 870 880 881 882 883 886 960 961 962 963 964 965 966 "
      "967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998 ";
  const auto assigned = [&](const std::string& code) {
    return codes.find(" " + code + " ") != std::string::npos;
  };
  for (int first = 120; first <= 999; ++first) {
    const std::string begin = std::to_string(first);
    // 12 digits, but for the countries that have 11.
    const bool eleven = begin[0] == '1' || begin[0] == '7' || begin.starts_with("33") ||
                        begin.starts_with("61") || begin == "852";
    const std::string number = "+" + begin + " 4567" + (eleven ? "8902" : "89023");
    if (assigned(begin.substr(0, 1)) || assigned(begin.substr(0, 2)) || assigned(begin)) {
      EXPECT_EQ(mask(number), "000-0000-0000") << number;
    } else {
      EXPECT_EQ(mask(number), number);
    }
  }
}

// Each country has its own number of digits// Each country has its own number of digits, the
// country code included.
TEST(Personal, PhonesHaveTheDigitsOfTheirCountry) {
  struct Country {
    std::string code;
    std::size_t fewest, most;
  };
  for (const auto& [code, fewest, most] : {Country{"1", 11, 11},
                                           {"7", 11, 11},
                                           {"33", 11, 11},
                                           {"44", 11, 12},
                                           {"61", 11, 11},
                                           {"86", 12, 13},
                                           {"91", 12, 12},
                                           {"852", 11, 11},
                                           {"49", 8, 15},
                                           {"420", 8, 15}}) {
    const auto number = [&](std::size_t digits) {
      return "+" + code + " " + std::string("2345678902345678").substr(0, digits - code.size());
    };
    expect_kept({number(fewest - 1), number(most + 1)});
    for (std::size_t digits = fewest; digits <= most; ++digits) {
      expect_masked({number(digits)}, "000-0000-0000");
    }
  }
  expect_masked({"+86 10 1234 5678", "+86-755-1234567", "+86 755 12345678"}, "000-0000-0000");
}

TEST(Personal, OtherNumbersAreNoPhones) {
  expect_kept({"1:14~++20220202101403+91632c8",
               "1:10~+20191229111838+",
               "Decimal('+35236450.6')",
               "15000000000 dollars",
               "uint64_t x = 16000000000;",
               "x = 13812345678",
               "总额13812345678元",
               "13812345678 美元",
               "$13812345678",
               "¥ 13812345678",
               "150 1200 1300",
               "138 1234 5678",
               "86 150 1200 1300",
               "+10 20 30 40 50",
               "+1.23456789",
               "+48.856614",
               "+40.6894-074.0447/",
               "a +12345678 - 1",
               "+35236450",
               "ABC-200-300-4000",
               "SKU-13812345678",
               "ISBN 0201-3456789",
               "234.567.8901",
               "?id=13812345678",
               "f(200)200-2000",
               "f(+8613812345678)",
               "2(+8613812345678)",
               "16012345678",
               "15412345678",
               "+99912345678",
               "+1 112 555 0123",
               "+44 20 7946 0958+"});
}

TEST(Personal, PhonesEndBeforeTheNextWord) {
  EXPECT_EQ(mask("+1 212 555 0123 2nd floor"), "000-0000-0000 2nd floor");
  EXPECT_EQ(mask("+44 20 7946 0958 9am"), "000-0000-0000 9am");
  EXPECT_EQ(mask("+44 20 7946 0958 24 hours"), "000-0000-0000 24 hours");
  EXPECT_EQ(mask("+86 138 0013 8000 10:30"), "000-0000-0000 10:30");
  EXPECT_EQ(mask("+49 30 123456 24 hours"), "000-0000-0000 24 hours");
  EXPECT_EQ(mask("+49 30 12345678 24 hours"), "000-0000-0000 24 hours");
  EXPECT_EQ(mask("13800138000-13800138001"), "000-0000-0000-000-0000-0000");
  EXPECT_EQ(mask("13800138000/13800138001/13800138002"),
            "000-0000-0000/000-0000-0000/000-0000-0000");
}

// 11010519491231002X is the example of GB 11643.
TEST(Personal, IdNumbers) {
  expect_masked({"11010519491231002X", "11010519491231002x"}, "000000000000000000");
  expect_kept({"110105194912310021", "11010519491231003X", "11010519491331002X",
               "01010519491231002X", "1101051949123100X2", "11010519491231002",
               "11010519491231002XY", "211010519491231002X"});
}

// The checksum holds, and the date is one or none.
TEST(Personal, IdNumbersHoldADate) {
  const auto number_of = [](const std::string& date) {
    static constexpr int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    const std::string digits = "110105" + date + "002";
    int sum = 0;
    for (std::size_t i = 0; i < 17; ++i) sum += weights[i] * (digits[i] - '0');
    return digits + "10X98765432"[sum % 11];
  };
  const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int month = 1; month <= 12; ++month) {
    const auto on = [&](int day) { return number_of(fmt::format("1949{:02}{:02}", month, day)); };
    expect_masked({on(1), on(days[month - 1])}, "000000000000000000");
    expect_kept({on(0), on(days[month - 1] + 1)});
  }
  expect_masked({number_of("19000101"), number_of("20991231")}, "000000000000000000");
  expect_kept(
      {number_of("18991231"), number_of("21000101"), number_of("19490001"), number_of("19491301")});
}

TEST(Personal, KindsAreByChoice) {
  const std::string text = "a@b.com 93.184.216.34 13812345678 11010519491231002X";
  EXPECT_EQ(mask(text, {}), text);
  EXPECT_EQ(mask(text, {.emails = true}),
            "email@example.com 93.184.216.34 13812345678 11010519491231002X");
  EXPECT_EQ(mask(text, {.ip_addresses = true}), "a@b.com 192.0.2.1 13812345678 11010519491231002X");
  EXPECT_EQ(mask(text, {.phones = true}), "a@b.com 93.184.216.34 000-0000-0000 11010519491231002X");
  EXPECT_EQ(mask(text, {.id_numbers = true}),
            "a@b.com 93.184.216.34 13812345678 000000000000000000");
  MaskedCounts counts{};
  masked(text + " " + text + " 94.9.9.19", all_kinds, counts);
  EXPECT_EQ(counts, (MaskedCounts{2, 3, 2, 2}));
}

TEST(Personal, MasksWhatIsKept) {
  const test::TempDir dir;
  test::write_file(dir / "a.jsonl",
                   "{\"text\": \"Write to a@b.com or call 8.8.8.8 about the mill. dontâ€™t\"}\n"
                   "{\"text\": \"c@d.com\"}\n");
  CleanConfig config;
  config.output = dir / "out";
  FilterConfig words;
  words.rule = "words";
  words.min = 3;
  config.filters = {words};
  config.personal.emails = true;
  config.repair_mojibake = true;
  TextSourceConfig source;
  source.name = "a";
  source.paths = {dir / "a.jsonl"};
  config.sources = {source};
  const std::string table = summary(clean_data(config));
  EXPECT_THAT(table, testing::HasSubstr("email masked: 1\n"));
  EXPECT_THAT(table, testing::HasSubstr("1 piece of mojibake repaired\n"));
  EXPECT_THAT(table, testing::Not(testing::HasSubstr("ip_address masked")));
  EXPECT_THAT(
      read_text(dir / "out/texts/a-00000.jsonl.zst"),
      testing::HasSubstr("Write to email@example.com or call 8.8.8.8 about the mill. dont’t"));
  EXPECT_EQ(summary(clean_data(config)), table) << "of parts that are done";
  // Neither does the report show an address, of what is kept or dropped.
  for (const std::string& shown :
       {test::read_file(dir / "out/clean.json"), test::read_file(dir / "out/parts/a-00000.json"),
        samples_text(try_out(config, 10))}) {
    EXPECT_THAT(shown, testing::Not(testing::HasSubstr("a@b.com")));
    EXPECT_THAT(shown, testing::Not(testing::HasSubstr("c@d.com")));
    EXPECT_THAT(shown, testing::HasSubstr("email@example.com or call"));
    EXPECT_THAT(shown, testing::HasSubstr("dont’t"));
  }
}

// Outputs that were made before these keys were there still hold.
TEST(Personal, StampsNameWhatIsAskedForAlone) {
  const test::TempDir dir;
  test::write_file(dir / "a.txt", "one text");
  CleanConfig config;
  config.output = dir / "out";
  TextSourceConfig source;
  source.name = "a";
  source.paths = {dir / "a.txt"};
  config.sources = {source};
  clean_data(config);
  const std::string json = test::read_file(dir / "out/clean.json");
  EXPECT_THAT(json, testing::Not(testing::HasSubstr("[personal]")));
  EXPECT_THAT(json, testing::Not(testing::HasSubstr("repair_mojibake")));
  config.personal.phones = true;
  EXPECT_THAT(test::input_error_of([&] { clean_data(config); }),
              testing::HasSubstr("was cleaned with another config"));
}

TEST(EmailDomain, EndsWithItsTopLevelDomain) {
  for (const auto& [text, length] :
       std::vector<std::pair<std::string, std::size_t>>{{"b.com", 5},
                                                        {"mail.b.co.uk and", 12},
                                                        {"b.com.", 5},
                                                        {"b.com.Then", 5},
                                                        {"b.com-x", 5},
                                                        {"b.commerce", 0},
                                                        {"b.COM", 5},
                                                        {"b.Com", 0},
                                                        {"com", 0},
                                                        {".com", 0},
                                                        {"-b.com", 0},
                                                        {"b..com", 0},
                                                        {"4.17.com", 0},
                                                        {"4.x.com", 7},
                                                        {"b.zip", 0},
                                                        {"b.com/x", 5},
                                                        {"", 0}}) {
    EXPECT_EQ(domain_length(text), length) << text;
  }
}

}  // namespace
}  // namespace fathom::clean
