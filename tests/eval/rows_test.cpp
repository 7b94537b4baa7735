// Rows from files of every format, and what is no row.
#include "eval/rows.h"

#include <gmock/gmock.h>
#include <zip.h>

#include <nlohmann/json.hpp>

#include "eval/csv.h"
#include "eval/row_template.h"
#include "eval/zip.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

void write_zip(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

class Rows : public testing::Test {
 protected:
  std::vector<Row> read(const DataConfig& data) const { return read_rows(data, dir_.path(), "t.toml: data"); }
  std::string error(const DataConfig& data) const {
    return input_error_of([&] { read(data); });
  }
  void write(const std::string& name, const std::string& content) const { write_file(dir_ / name, content); }
  std::vector<std::string> texts(const DataConfig& data, const std::string& field) const {
    std::vector<std::string> out;
    for (const Row& row : read(data)) out.push_back((*row.fields)[field].dump());
    return out;
  }
  DataConfig of(const std::string& file) const {
    DataConfig data;
    data.files = {file};
    return data;
  }

  TempDir dir_;
};

TEST_F(Rows, OfJsonLinesArraysAndObjectsOneAfterAnother) {
  write("a.jsonl", "{\"q\": \"x\"}\n\n{\"q\": \"y\"}\n");
  write("b.json", "[{\"q\": 1},\n {\"q\": 2}]");
  write("c.json", "{\n \"q\": {\"deep\": [3]}\n}\n{\"q\": null}");
  EXPECT_THAT(texts(of("a.jsonl"), "q"), ElementsAre("\"x\"", "\"y\""));
  EXPECT_THAT(texts(of("b.json"), "q"), ElementsAre("1", "2"));
  EXPECT_THAT(texts(of("c.json"), "q"), ElementsAre("{\"deep\":[3]}", "null"));
  EXPECT_THAT(read(of("a.jsonl"))[1].where, HasSubstr("a.jsonl:3"));
}

// A value's place is the line on which it begins, an element's that of its array.
TEST_F(Rows, KnowTheLinesOfJson) {
  const auto lines = [&](const std::string& content) {
    write("a.json", content);
    std::vector<std::string> places;
    for (const Row& row : read(of("a.json")))
      places.push_back(row.where.substr(row.where.rfind(':') + 1));
    return places;
  };
  EXPECT_THAT(lines("{}\n{}\r\n\t{} {}\n\n{}"), ElementsAre("1", "2", "3", "3", "5"));
  EXPECT_THAT(lines("\n{\n\"a\":\n1}\n{}\n[{},\n{}]\n{}"), ElementsAre("2", "5", "6", "6", "8"));
  write("a.json", "{\n \"a\": 1\n}\n{\"a\" 2}\n");
  EXPECT_THAT(error(of("a.json")), HasSubstr("a.json:4: is not JSON"));
  write("a.json", "[{\n \"a\": 1\n},\n{}]\n\n3");
  EXPECT_THAT(error(of("a.json")), HasSubstr("a.json:6: a row must be an object"));
}

TEST_F(Rows, OfFilesByTheEndingsOfTheirNames) {
  const std::string table = "q,A\n\"x\"\"y\",z\n", lines = "{\"q\": \"json\"}\n";
  for (const char* name : {"a.csv", "b.csv.gz", "c.csv.zst", "d.csv.xz", "e.csv.bz2"}) {
    write(name, table);
    EXPECT_THAT(texts(of(name), "q"), ElementsAre("\"x\\\"y\"")) << name;
  }
  for (const char* name : {"a.jsonl", "b.json.gz", "c.csv.x", "d"}) {
    write(name, lines);
    EXPECT_THAT(texts(of(name), "q"), ElementsAre("\"json\"")) << name;
  }
  for (const char* name : {"a.txt", "b.lst", "c.txt.gz"}) {
    write(name, "whole\ntext\n");
    EXPECT_THAT(texts(of(name), "text"), ElementsAre("\"whole\\ntext\\n\"")) << name;
  }
  // The task's own word goes before the name.
  write("f.txt", lines);
  DataConfig data = of("f.txt");
  data.format = DataFormat::json;
  EXPECT_THAT(texts(data, "q"), ElementsAre("\"json\""));
  data.format = DataFormat::text;
  EXPECT_THAT(texts(data, "text"), ElementsAre("\"{\\\"q\\\": \\\"json\\\"}\\n\""));
  write("g.txt", "q\tA\n\"x\"\ty\n");
  data = of("g.txt");
  data.format = DataFormat::tsv;
  EXPECT_THAT(texts(data, "q"), ElementsAre("\"\\\"x\\\"\""));
}

TEST_F(Rows, OfFilesWhoseNamesMatchGiveTheParts) {
  for (const char* name :
       {"sub/law_test.csv", "sub/art_test.csv", "sub/law_dev.csv", "art_test.csv"})
    write(name, "n\n1\n");
  DataConfig data = of("**/*.csv");
  data.files = {"sub/*.csv", "art_test.csv"};
  data.names = "sub/(?P<subset>.*)_test\\.csv";
  std::vector<std::string> parts;
  for (const Row& row : read(data)) parts.push_back(row.subset);
  EXPECT_THAT(parts, ElementsAre("art", "law"));
  data.names = "sub/.*_test\\.csv";
  for (const Row& row : read(data)) EXPECT_EQ(row.subset, "");
  data.names = "law_test\\.csv";
  EXPECT_THAT(error(data), HasSubstr("t.toml: data: no file below " + dir_.path() +
                                     " has a name that matches 'law_test"));
}

TEST_F(Rows, OfNestedValuesByATemplate) {
  write("a.json", R"([[["p1", "p2"], [{"q": "x"}, {"q": "y"}]], [["p3"], [{"q": "z"}]]])");
  DataConfig data = of("a.json");
  data.rows = R"({% for q in value[1] %}
{{ {"passage": value[0] | join(" "), "q": q.q} | tojson }}
{% endfor %})";
  EXPECT_THAT(texts(data, "q"), ElementsAre("\"x\"", "\"y\"", "\"z\""));
  EXPECT_THAT(texts(data, "passage"), ElementsAre("\"p1 p2\"", "\"p1 p2\"", "\"p3\""));
  data.rows = "no json";
  EXPECT_THAT(error(data), HasSubstr("a.json:1: a line that 'rows' makes: is not JSON"));
}

TEST_F(Rows, OfTablesWithAndWithoutAHeader) {
  write("a.csv", "\xEF\xBB\xBFq,A\r\n\"one, \"\"two\"\"\nthree\",4\r\n\nfive,\"\"\n");
  EXPECT_THAT(texts(of("a.csv"), "q"), ElementsAre("\"one, \\\"two\\\"\\nthree\"", "\"five\""));
  EXPECT_THAT(texts(of("a.csv"), "A"), ElementsAre("\"4\"", "\"\""));
  EXPECT_THAT(read(of("a.csv"))[1].where, HasSubstr("a.csv:5"));
  DataConfig data = of("a.tsv");
  data.columns = {"x", "y"};
  write("a.tsv", "\"1\"\tb\n2\t\n");
  EXPECT_THAT(texts(data, "x"), ElementsAre("\"\\\"1\\\"\"", "\"2\""));
  EXPECT_THAT(texts(data, "y"), ElementsAre("\"b\"", "\"\""));
}

TEST_F(Rows, OfMembersOfAZipFileWhoseNamesGiveTheParts) {
  write_zip(dir_ / "z.zip", {{"d/test/law_test.csv", "1\n2\n"}, {"d/test/art_test.csv", "3\n"}, {"d/dev/law_dev.csv", "9\n"}});
  DataConfig data = of("z.zip");
  data.names = "d/test/(?P<subset>.*)_test\\.csv";
  data.columns = {"n"};
  std::vector<std::string> parts;
  for (const Row& row : read(data)) parts.push_back(row.subset + (*row.fields)["n"].get<std::string>());
  EXPECT_THAT(parts, ElementsAre("art3", "law1", "law2"));
  data.names = "none";
  EXPECT_THAT(error(data), HasSubstr("has a name that matches 'none'"));
  write("broken.zip", "PK\x03\x04 and no more");
  EXPECT_THAT(error(of("broken.zip")), HasSubstr("broken.zip: cannot be read as a zip file"));
}

TEST_F(Rows, TakeLabelsFromAFileOfLines) {
  write("a.jsonl", "{\"q\": 1}\n{\"q\": 2}\n");
  write("labels", "1\r\n0\n");
  DataConfig data = of("a.jsonl");
  data.labels = "labels";
  EXPECT_THAT(texts(data, "label"), ElementsAre("\"1\"", "\"0\""));
  write("labels", "1\n0\n1\n");
  EXPECT_THAT(error(data), HasSubstr("has 3 lines for 2 rows"));
  write("labels", "1\n");
  EXPECT_THAT(error(data), HasSubstr("labels: has 1 lines for 2 rows"));
  write("labels", "\n b");
  EXPECT_THAT(texts(data, "label"), ElementsAre("\"\"", "\" b\""));
}

TEST_F(Rows, RefuseWhatIsNoRow) {
  write("a.jsonl", "{\"q\": 1}\n{\"q\": \n");
  EXPECT_THAT(error(of("a.jsonl")), HasSubstr("a.jsonl:2: is not JSON"));
  write("b.jsonl", "{}\n3\n");
  EXPECT_THAT(error(of("b.jsonl")), HasSubstr("b.jsonl:2: a row must be an object"));
  write("c.jsonl", "\n");
  EXPECT_THAT(error(of("c.jsonl")), HasSubstr("its files hold no rows"));
  write("d.csv", "a,b\n1\n");
  EXPECT_THAT(error(of("d.csv")), HasSubstr("d.csv:2: the row has 1 columns, not 2"));
  write("e.csv", "a,b\n1,\"x\n\n");
  EXPECT_THAT(error(of("e.csv")), HasSubstr("e.csv:2: the quote of this row's field is never closed"));
  write("f.csv", "a,b\n\"x\"y,1\n");
  EXPECT_THAT(error(of("f.csv")), HasSubstr("f.csv:2: text stands behind a quoted field"));
  write("g.csv", "a,b\n1,x\xE9y\n");
  EXPECT_THAT(error(of("g.csv")), HasSubstr("g.csv: is not UTF-8 at its byte 7: convert it"));
  EXPECT_THAT(error(of("absent.json")), HasSubstr("absent.json"));
}

// "row with its fields" of each row, and the message at the end if there is one.
std::vector<std::string> rows_of(TableReader reader) {
  std::vector<std::string> rows;
  try {
    while (const auto row = reader.next()) {
      std::string& text = rows.emplace_back(std::to_string(reader.line()));
      for (const std::string& field : *row) text += "|" + field;
    }
  } catch (const Error& error) {
    rows.emplace_back(error.what());
  }
  return rows;
}

TEST(TableReader, CutsFieldsAndCountsLines) {
  const auto csv = [](const char* text) { return rows_of({text, TableReader::Kind::csv, "a"}); };
  EXPECT_THAT(csv(""), ElementsAre());
  EXPECT_THAT(csv("\n\r\n"), ElementsAre());
  EXPECT_THAT(csv("x"), ElementsAre("1|x"));
  EXPECT_THAT(csv("x,"), ElementsAre("1|x|"));
  EXPECT_THAT(csv(","), ElementsAre("1||"));
  EXPECT_THAT(csv(",,\n"), ElementsAre("1|||"));
  EXPECT_THAT(csv("x,\"\"\n\"\",y"), ElementsAre("1|x|", "2||y"));
  EXPECT_THAT(csv("\"a\"\"\""), ElementsAre("1|a\""));
  EXPECT_THAT(csv("\"\"\"a\"\"b\"\r\nc"), ElementsAre("1|\"a\"b", "2|c"));
  EXPECT_THAT(csv("a\"b\",c\n"), ElementsAre("1|a\"b\"|c"));
  EXPECT_THAT(csv(" x , y \n"), ElementsAre("1| x | y "));
  EXPECT_THAT(csv("\"a,\n\r\nb\",c\r\n\r\nd,e"), ElementsAre("1|a,\n\r\nb|c", "5|d|e"));
  EXPECT_THAT(csv("\n\n\"a\nb\"\nc\n"), ElementsAre("3|a\nb", "5|c"));
  EXPECT_THAT(csv("a\rb"), ElementsAre("1|a", "1|b"));
  EXPECT_THAT(csv("\xEF\xBB\xBF\"a\""), ElementsAre("1|a"));
  EXPECT_THAT(csv("x\ty"), ElementsAre("1|x\ty"));
  // Mistakes have the line on which they are, and one without an end that of its row.
  EXPECT_THAT(
      csv("a\n\"b\nc\nd\"e\n"),
      ElementsAre("1|a", "a:4: text stands behind a quoted field: double the quotes inside it"));
  EXPECT_THAT(csv("a\n\"b\nc\nd\n"),
              ElementsAre("1|a", "a:2: the quote of this row's field is never closed"));
  EXPECT_THAT(csv("\""), ElementsAre("a:1: the quote of this row's field is never closed"));
}

TEST(TableReader, TabsHaveNoQuotes) {
  const auto tsv = [](const char* text) { return rows_of({text, TableReader::Kind::tsv, "a"}); };
  EXPECT_THAT(tsv("\"a\tb\"\r\n\"\n\t"), ElementsAre("1|\"a|b\"", "2|\"", "3||"));
  EXPECT_THAT(tsv("x,y\tz"), ElementsAre("1|x,y|z"));
}

TEST(ZipFiles, AreReadInTheOrderOfTheirNamesUpToASize) {
  const TempDir dir;
  const std::string path = dir / "z.zip";
  write_zip(
      path,
      {{"b", "12345"}, {"d/a", ""}, {"a", "x"}, {"d/", ""}, {"unwanted", std::string(100, 'x')}});
  const auto read = [&](std::size_t most) {
    std::string all;
    return input_error_of([&] {
             read_zip(
                 path, [](const std::string& name) { return name != "unwanted"; },
                 [&](const std::string& name, const std::string& content) {
                   all += name + "=" + content + ";";
                 },
                 most);
           }) +
           " " + all;
  };
  EXPECT_EQ(read(5), "no error a=x;b=12345;d/a=;");
  EXPECT_EQ(read(4), path + ":b: unpacks to 5 bytes, and at most 4 are read a=x;");
  std::string bytes = test::read_file(path);
  bytes[bytes.find("12345")] = '9';
  write_file(path, bytes);
  EXPECT_THAT(read(5), HasSubstr("z.zip:b: is damaged"));
}

Row row_of(const std::string& json) {
  return {std::make_shared<Json>(Json::parse(json)), "data:1", "part"};
}

TEST(RowTemplates, KnowTheRowAndItsPart) {
  const auto text = [](const std::string& source) {
    return TextTemplate(source, "t").render(row_of(R"({"q": "x", "a b": 7})"));
  };
  EXPECT_EQ(text("{{ q }} {{ row['a b'] }} {{ subset }}"), "x 7 part");
  EXPECT_EQ(text("{{ q }}\n"), "x\n");
  EXPECT_EQ(text("{{ q }}\n\n"), "x\n\n");
  EXPECT_EQ(text("\n"), "\n");
  EXPECT_EQ(text(""), "");
  EXPECT_THAT(input_error_of([&] { text("{{ missing.x }}"); }), HasSubstr("data:1: "));
}

TEST(RowTemplates, MakeListsOfTextsAndNumbers) {
  const auto list = [](const std::string& source) {
    return ValueTemplate(source, "t").list(row_of(R"({"l": ["a", 1, 2.5], "m": []})"));
  };
  EXPECT_THAT(list("l"), ElementsAre("a", "1", "2.5"));
  EXPECT_THAT(list("m"), ElementsAre());
  EXPECT_THAT(list("[subset] + l"), ElementsAre("part", "a", "1", "2.5"));
  const auto error = [&](const char* source) { return input_error_of([&] { list(source); }); };
  EXPECT_EQ(error("'a'"), "data:1: t gives no list");
  EXPECT_EQ(error("{'a': 1}"), "data:1: t gives no list");
  EXPECT_EQ(error("['a', true]"), "data:1: t gives a list with true, which is no text");
  EXPECT_EQ(error("[none]"), "data:1: t gives a list with null, which is no text");
  EXPECT_EQ(error("[l]"), R"(data:1: t gives a list with ["a",1,2.5], which is no text)");
  const auto lists = [](const std::string& source) {
    return ValueTemplate(source, "t").lists(row_of("{}"));
  };
  EXPECT_THAT(lists("['a', ['b', 1], 2]"),
              ElementsAre(ElementsAre("a"), ElementsAre("b", "1"), ElementsAre("2")));
  EXPECT_THAT(lists("[]"), ElementsAre());
  EXPECT_EQ(input_error_of([&] { lists("[['a'], []]"); }), "data:1: t gives an empty list");
  EXPECT_EQ(input_error_of([&] { lists("[[['a']]]"); }),
            R"(data:1: t gives a list with ["a"], which is no text)");
}

TEST_F(Rows, OfTextGoThroughTheTemplateToo) {
  write("a.txt", "one|two");
  DataConfig data = of("a.txt");
  data.rows = "{% for part in value.text.split('|') %}{{ {\"q\": part} | tojson }}\n{% endfor %}";
  EXPECT_THAT(texts(data, "q"), ElementsAre("\"one\"", "\"two\""));
}

TEST_F(Rows, HaveAttachedFiles) {
  write("a.jsonl", "{\"q\": \"x\"}\n{\"q\": \"y\"}\n");
  write("more/x.txt", "of x\n");
  write("more/y.txt", "of y");
  DataConfig data = of("a.jsonl");
  data.attached = "more/{{ q }}.txt";
  EXPECT_THAT(texts(data, "attached"), ElementsAre("\"of x\\n\"", "\"of y\""));
  write("a.jsonl", "{\"q\": \"x\"}\n{\"q\": \"y\"}\n{\"q\": \"x\"}\n");
  EXPECT_THAT(texts(data, "attached"), ElementsAre("\"of x\\n\"", "\"of y\"", "\"of x\\n\""));
  std::filesystem::remove(dir_ / "more/y.txt");
  EXPECT_THAT(error(data), testing::AllOf(HasSubstr("a.jsonl:2: "), HasSubstr("more/y.txt")));
}

}  // namespace
}  // namespace fathom::eval
