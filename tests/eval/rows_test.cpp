// Rows from files of every format, and what is no row.
#include "eval/rows.h"

#include <gmock/gmock.h>
#include <zip.h>

#include <nlohmann/json.hpp>

#include "eval/csv.h"
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
  std::filesystem::remove(dir_ / "more/y.txt");
  EXPECT_THAT(error(data), testing::AllOf(HasSubstr("a.jsonl:2: "), HasSubstr("more/y.txt")));
}

}  // namespace
}  // namespace fathom::eval
