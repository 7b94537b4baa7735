#include "io/input_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <sys/stat.h>

#include <filesystem>

#include "io/glob.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::IsEmpty;

// Paths relative to the directory, which keeps the tests readable.
class Tree {
 public:
  explicit Tree(std::initializer_list<const char*> files) {
    for (const char* file : files) write_file(dir / file, file);
  }
  void link(const std::string& to, const std::string& name) {
    fs::create_directories(fs::path(dir / name).parent_path());
    fs::create_symlink(to, dir / name);
  }
  std::vector<std::string> find(std::vector<std::string> entries) {
    for (std::string& entry : entries) entry = dir / entry;
    found = find_input_files(entries, "source 's'");
    notes.clear();
    for (std::string note : found.notes) notes.push_back(shortened(std::move(note)));
    return relative(found.paths);
  }
  std::vector<std::string> match(const std::string& pattern) {
    return relative(match_pattern(dir / pattern));
  }
  std::string error(const std::string& entry) {
    return shortened(input_error_of([&] { find({entry}); }));
  }
  std::vector<std::string> relative(std::vector<std::string> paths) const {
    for (std::string& path : paths) path = shortened(std::move(path));
    return paths;
  }

  TempDir dir;
  InputFiles found;
  std::vector<std::string> notes;

 private:
  std::string shortened(std::string text) const {
    const std::string prefix = dir.path() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }
};

TEST(Glob, NamesOfOneDirectory) {
  Tree tree{"a1.txt", "a2.txt", "b1.txt", "c[1].txt", ".a3.txt", "d/a4.txt"};
  EXPECT_THAT(tree.match("a?.txt"), ElementsAre("a1.txt", "a2.txt"));
  EXPECT_THAT(tree.match("*1*"), ElementsAre("a1.txt", "b1.txt", "c[1].txt"));
  EXPECT_THAT(tree.match("[a-b]1.txt"), ElementsAre("a1.txt", "b1.txt"));
  EXPECT_THAT(tree.match("[!a]1.txt"), ElementsAre("b1.txt"));
  EXPECT_THAT(tree.match("c[[]1].txt"), ElementsAre("c[1].txt"));
  EXPECT_THAT(tree.match("*"), ElementsAre("a1.txt", "a2.txt", "b1.txt", "c[1].txt", "d"));
  EXPECT_THAT(tree.match(".*.txt"), ElementsAre(".a3.txt"));
  EXPECT_THAT(tree.match("*/*.txt"), ElementsAre("d/a4.txt"));
  EXPECT_THAT(tree.match("*.md"), IsEmpty());
  EXPECT_THAT(tree.match("{a1,a?,a1}.txt"), ElementsAre("a1.txt", "a2.txt")) << "each once";
}

TEST(Glob, CharactersOfUtf8AreMatchedWhole) {
  Tree tree{"é.txt", "中1.txt", "ab.txt", "\xff.txt"};
  EXPECT_THAT(tree.match("?.txt"), ElementsAre("é.txt", "\xff.txt"));
  EXPECT_THAT(tree.match("[à-ï].txt"), ElementsAre("é.txt"));
  EXPECT_THAT(tree.match("[!a]1.txt"), ElementsAre("中1.txt"));
  EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE) << "the thread's locale is as before";
}

TEST(Glob, ASlashAtTheEndMatchesDirectoriesOnly) {
  Tree tree{"d/x", "e"};
  EXPECT_THAT(tree.match("*/"), ElementsAre("d"));
  EXPECT_THAT(tree.match("{d,e}/"), ElementsAre("d"));
}

TEST(Glob, TwoStarsAreAnyNumberOfDirectories) {
  Tree tree{"top.txt", "a/x.txt", "a/b/y.txt", "a/b/z.md", ".h/n.txt", "a/.i/n.txt"};
  EXPECT_THAT(tree.match("**/*.txt"), ElementsAre("a/b/y.txt", "a/x.txt", "top.txt"));
  EXPECT_THAT(tree.match("a/**/y.txt"), ElementsAre("a/b/y.txt"));
  EXPECT_THAT(tree.match("**/b/**/*.md"), ElementsAre("a/b/z.md"));
  EXPECT_THAT(tree.match("a/**"), ElementsAre("a"));
  EXPECT_THAT(tree.match("top.txt/**"), IsEmpty());
  tree.link("..", "a/loop");
  tree.link("../../a", "a/b/loop");
  EXPECT_THAT(tree.match("**/b/**/*.md"), ElementsAre("a/b/z.md"));
}

TEST(Glob, BracesGiveEachChoice) {
  EXPECT_THAT(expand_braces("x"), ElementsAre("x"));
  EXPECT_THAT(expand_braces("a{b,c}d{,e}"), ElementsAre("abd", "abde", "acd", "acde"));
  EXPECT_THAT(expand_braces("{a,b{c,d}}"), ElementsAre("a", "bc", "bd"));
  EXPECT_THAT(expand_braces("{a}{b"), ElementsAre("{a}{b"));
  EXPECT_THAT(expand_braces("{a}{b,c}"), ElementsAre("{a}b", "{a}c"));
  const std::string ten = "{0,1,2,3,4,5,6,7,8,9}";
  EXPECT_EQ(expand_braces(ten + ten + ten + ten).size(), 10'000u);
  EXPECT_EQ(input_error_of([&] { expand_braces("{a," + ten + ten + ten + ten + "}"); }),
            "'9999': its braces give more than 10000 patterns; use fewer");
  std::string many;
  for (int i = 0; i < 20; ++i) many += "{a,b}";
  EXPECT_THAT(input_error_of([&] { expand_braces(many); }), testing::HasSubstr("more than 10000"));
  Tree tree{"en/a.txt", "zh/b.txt", "fr/c.txt"};
  EXPECT_THAT(tree.match("{zh,en}/*.txt"), ElementsAre("en/a.txt", "zh/b.txt"));
  EXPECT_THAT(match_pattern("{,}"), IsEmpty());
}

TEST(Glob, ABackslashIsACharacter) {
  Tree tree{"a\\b", "ab", "a*b"};
  EXPECT_THAT(tree.match("a\\[b]"), ElementsAre("a\\b"));
  EXPECT_THAT(tree.match("a\\?"), ElementsAre("a\\b"));
  EXPECT_THAT(tree.match("a[*]b"), ElementsAre("a*b"));
}

TEST(Glob, PatternsAreToldByTheirMarks) {
  for (const char* pattern : {"*", "a?", "[", "x{", "dir/*.txt"}) EXPECT_TRUE(is_pattern(pattern));
  for (const char* path : {"", "a.txt", "a]", "x}", "-,!\\"})
    EXPECT_FALSE(is_pattern(path)) << path;
}

TEST(Glob, NamesAreJoinedByOneSlash) {
  EXPECT_EQ(join_path("", "a"), "a");
  EXPECT_EQ(join_path("/", "a"), "/a");
  EXPECT_EQ(join_path("d", "a"), "d/a");
  EXPECT_EQ(join_path("d/", "a"), "d/a");
}

TEST(Glob, NamesOfADirectoryAreSortedByBytes) {
  Tree tree{"b", "a/x", "B", ".h", "é", "a.txt"};
  EXPECT_THAT(sorted_names(tree.dir.path()), ElementsAre(".h", "B", "a", "a.txt", "b", "é"));
  EXPECT_EQ(input_error_of([&] { sorted_names(tree.dir / "none"); }),
            (tree.dir / "none") + ": cannot read this directory: No such file or directory");
}

TEST(InputFiles, ComeInOrderAndOnce) {
  Tree tree{"b/2.txt", "b/1.txt", "a/z.txt"};
  EXPECT_THAT(tree.find({"b/2.txt", "", "b/*"}), ElementsAre("b/2.txt", "a/z.txt", "b/1.txt"));
  EXPECT_THAT(tree.notes,
              ElementsAre("source 's': 3 files are named more than once and are read once"));
  EXPECT_THAT(tree.find({"*/[12].txt"}), ElementsAre("b/1.txt", "b/2.txt"));
  EXPECT_THAT(tree.notes, IsEmpty());
  EXPECT_EQ(tree.error("*.md"), "source 's': '*.md' matches no file; check the path");
  EXPECT_EQ(tree.error("none"), "source 's': 'none' matches no file; check the path");
  EXPECT_EQ(input_error_of([] { find_input_files({}, "source 's'"); }),
            "source 's': no files; name at least one file or directory");
}

TEST(InputFiles, EachChoiceOfBracesHasToBeThere) {
  Tree tree{"a.txt", "b.md"};
  EXPECT_THAT(tree.find({"{a.txt,*.md,a*}"}), ElementsAre("a.txt", "b.md"));
  EXPECT_THAT(tree.notes, IsEmpty());
  EXPECT_EQ(tree.error("{a,c}.txt"),
            "source 's': '{a,c}.txt': 'c.txt' matches no file; check the path");
  EXPECT_EQ(tree.error("*.{txt,html}"),
            "source 's': '*.{txt,html}': '*.html' matches no file; check the path");
}

TEST(InputFiles, AnEmptyChoiceOfBracesIsNoFile) {
  const TempDir dir;
  write_file(dir / "a.txt", "a");
  EXPECT_THAT(find_input_files(std::vector<std::string>{"{" + (dir / "a.txt") + ",}"}, "s").paths,
              ElementsAre(dir / "a.txt"));
}

TEST(InputFiles, PathsThatCannotBeReachedSayWhy) {
  Tree tree{"a.txt"};
  const std::string name(300, 'n');
  EXPECT_EQ(tree.error(name), "source 's': " + name + ": cannot be read: File name too long");
  tree.link("round", "about");
  tree.link("about", "round");
  for (const char* entry : {"round", "r*"}) {
    EXPECT_EQ(tree.error(entry),
              "source 's': round: cannot be read: Too many levels of symbolic links");
  }
  EXPECT_EQ(tree.error("a.txt/b"), "source 's': 'a.txt/b' matches no file; check the path");
}

TEST(InputFiles, NamesThatLookLikePatternsAreFiles) {
  Tree tree{"a[1].txt", "b{1,2}.txt"};
  EXPECT_THAT(tree.find({"a[1].txt", "b{1,2}.txt"}), ElementsAre("a[1].txt", "b{1,2}.txt"));
}

TEST(InputFiles, DirectoriesThatAPatternMatchesAreReadWhole) {
  Tree tree{"corpus/top.txt", "corpus/zh/b.txt", "corpus/deep/x/c.txt", "elsewhere/a.txt"};
  tree.link("../elsewhere", "corpus/en");
  for (const char* entry : {"corpus", "corpus/*", "corpus/**"}) {
    EXPECT_THAT(tree.find({entry}), ElementsAre("corpus/deep/x/c.txt", "corpus/en/a.txt",
                                                "corpus/top.txt", "corpus/zh/b.txt"));
    EXPECT_THAT(tree.notes, IsEmpty());
  }
  EXPECT_THAT(tree.relative(tree.found.directories),
              ElementsAre("corpus", "corpus/deep", "corpus/deep/x", "corpus/en", "corpus/zh"));
}

TEST(InputFiles, DirectoriesAreEnteredOnceAndLoopsAreSaid) {
  Tree tree{"a/b/x.txt"};
  tree.link("..", "a/b/up");
  tree.link("b", "a/c");
  EXPECT_THAT(tree.find({"a"}), ElementsAre("a/b/x.txt"));
  EXPECT_THAT(tree.notes,
              ElementsAre("source 's': a/b/up is the directory a again; it is read once",
                          "source 's': a/c is the directory a/b again; it is read once"));
  EXPECT_THAT(tree.find({"a/b/x.txt", "a", "a"}), ElementsAre("a/b/x.txt"));
}

TEST(InputFiles, AnEmptyDirectoryBehindARepeatedOneIsStillAnError) {
  Tree tree{"a/x.txt"};
  fs::create_directory(tree.dir / "empty");
  EXPECT_THAT(input_error_of([&] {
                tree.find({"a", "a", "empty"});
              }),
              testing::HasSubstr("empty' matches no file"));
}

TEST(InputFiles, HiddenOnesAreCountedAndReadWhenNamed) {
  Tree tree{"a/x.txt", "a/.y.txt", "a/.git/z", "a/b/.w", ".only/.v"};
  EXPECT_THAT(tree.find({"a"}), ElementsAre("a/x.txt"));
  EXPECT_THAT(tree.notes,
              ElementsAre("source 's': 'a': 3 hidden files or directories are left out"));
  EXPECT_THAT(tree.find({"a/.y.txt", "a/.git"}), ElementsAre("a/.y.txt", "a/.git/z"));
  EXPECT_EQ(tree.error(".only"),
            "source 's': '.only' matches no file (1 hidden files or directories are left out); "
            "check the path");
}

TEST(InputFiles, HiddenOnesAreCountedForEachEntry) {
  Tree tree{"a/x.txt", "a/.y.txt", "b/z.txt", "c/v.txt", "c/.1", "c/.2"};
  EXPECT_THAT(tree.find({"a", "b", "c"}), ElementsAre("a/x.txt", "b/z.txt", "c/v.txt"));
  EXPECT_THAT(tree.notes,
              ElementsAre("source 's': 'a': 1 hidden files or directories are left out",
                          "source 's': 'c': 2 hidden files or directories are left out"));
  fs::create_directory(tree.dir / "empty");
  EXPECT_EQ(input_error_of([&] {
              tree.find({"c", "empty"});
            }),
            "source 's': '" + (tree.dir / "empty") + "' matches no file; check the path");
}

TEST(InputFiles, DanglingLinksAreErrors) {
  Tree tree{"a/x.txt"};
  tree.link("gone", "a/link");
  const std::string error =
      "source 's': a/link is a link to gone, which is not there; mend or remove the link";
  for (const char* entry : {"a", "a/*", "a/link", "**/link"}) EXPECT_EQ(tree.error(entry), error);
}

TEST(InputFiles, SpecialFilesAreReadOnlyWhenNamedThemselves) {
  Tree tree{"a/x.txt"};
  ASSERT_EQ(mkfifo((tree.dir / "a/pipe").c_str(), 0600), 0);
  for (const char* entry : {"a", "a/*"}) {
    EXPECT_EQ(tree.error(entry),
              "source 's': a/pipe is a FIFO; name it itself to read it, or move it away");
  }
  EXPECT_THAT(tree.find({"a/pipe"}), ElementsAre("a/pipe"));
  fs::remove(tree.dir / "a/pipe");
  ASSERT_EQ(mknod((tree.dir / "a/socket").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_EQ(tree.error("a"),
            "source 's': a/socket is a socket; name it itself to read it, or move it away");
}

TEST(InputFiles, OfDevicesAreReadOnlyWhenNamedThemselves) {
  EXPECT_EQ(input_error_of([] { find_input_files(std::vector<std::string>{"/dev/nul[l]"}, "s"); }),
            "s: /dev/null is a device; name it itself to read it, or move it away");
}

TEST(InputFiles, UnreadableDirectoriesAreErrors) {
  Tree tree{"a/x.txt", "a/locked/y.txt"};
  fs::permissions(tree.dir / "a/locked", fs::perms::none);
  fs::permissions(tree.dir.path(), fs::perms::all);
  // Root reads everything: who runs this as root becomes nobody for a while.
  const bool root = geteuid() == 0;
  ASSERT_EQ(root ? seteuid(65534) : 0, 0);
  std::error_code absent;
  const bool reached = fs::exists(tree.dir / "a/x.txt", absent);
  const std::string whole = tree.error("a"), pattern = tree.error("a/*/*.txt");
  const std::string inside = tree.error("a/locked/y.txt");
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
  fs::permissions(tree.dir / "a/locked", fs::perms::all);
  if (!reached) GTEST_SKIP() << "the directory of temporary files is closed to others";
  const std::string error = "source 's': a/locked: cannot read this directory: Permission denied";
  EXPECT_EQ(whole, error);
  EXPECT_EQ(pattern, error);
  EXPECT_EQ(inside, "source 's': a/locked/y.txt: cannot be read: Permission denied");
}

}  // namespace
}  // namespace fathom
