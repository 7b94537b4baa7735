#include "scaling/fit_files.h"

#include <cctype>
#include <filesystem>
#include <map>
#include <system_error>

#include "core/error.h"
#include "io/atomic_file.h"
#include "report/page.h"
#include "report/png.h"
#include "report/svg.h"
#include "scaling/compare_data.h"
#include "scaling/fit_charts.h"
#include "scaling/fit_report.h"
#include "scaling/laws_file.h"

namespace fathom::scaling {
namespace {

namespace fs = std::filesystem;

void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path)) {
    fail_input("{}: cannot be made a directory: {}", path,
               error ? error.message() : "there is a file of this name");
  }
}

// Letters, digits, '.', '_' and '-' of a data set's name stay; all else becomes '_'.
std::string file_name(const std::string& dataset) {
  std::string name;
  for (const char c : dataset) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    name += plain ? c : '_';
  }
  return name;
}

Section section_of(const DatasetFit& fit) {
  Section section{fit.dataset, {}};
  for (const std::string& warning : fit.warnings) {
    section.parts.push_back(Paragraph{"Warning: " + warning + "."});
  }
  for (auto& [name, chart] : fit_charts(fit)) section.parts.push_back(std::move(chart));
  for (auto& [title, table] : fit_tables(fit)) section.parts.push_back(std::move(table));
  return section;
}

Page page_of(std::span<const DatasetFit> fits) {
  Page page{"Scaling laws", {}};
  if (const auto comparisons = compare_data(fits); !comparisons.empty()) {
    Section section{"Data sets side by side", {}};
    for (const DataComparison& comparison : comparisons) {
      section.parts.push_back(Paragraph{finding(comparison)});
    }
    section.parts.push_back(comparison_chart(fits));
    page.sections.push_back(std::move(section));
  }
  for (const DatasetFit& fit : fits) page.sections.push_back(section_of(fit));
  return page;
}

}  // namespace

std::vector<std::string> file_suffixes(std::span<const DatasetFit> fits) {
  if (fits.size() == 1) return {""};
  std::map<std::string, std::string> owners;
  std::vector<std::string> suffixes;
  for (const DatasetFit& fit : fits) {
    const std::string name = file_name(fit.dataset);
    const auto [owner, fresh] = owners.try_emplace(name, fit.dataset);
    if (!fresh) {
      fail_input("data sets '{}' and '{}' would share files named '{}'; rename one", owner->second,
                 fit.dataset, name);
    }
    suffixes.push_back("-" + name);
  }
  return suffixes;
}

std::vector<std::string> write_fit(const std::string& directory, std::span<const DatasetFit> fits,
                                   Pictures pictures) {
  const std::vector<std::string> suffixes = file_suffixes(fits);
  make_directory(directory);
  std::vector<std::string> paths;
  const auto path = [&](const std::string& name) {
    return paths.emplace_back(directory + "/" + name);
  };
  const auto write_picture = [&](const std::string& name, const Chart& chart) {
    if (const std::string svg = chart_svg(chart); !svg.empty()) {
      write_file_atomically(path(name + ".svg"), svg);
      if (pictures == Pictures::svg) return;
      write_png(directory + "/" + name + ".svg", path(name + ".png"));
    }
  };
  for (std::size_t i = 0; i < fits.size(); ++i) {
    save_laws(path("laws" + suffixes[i] + ".json"), fits[i].laws());
  }
  write_page(path("report.html"), page_of(fits));
  for (std::size_t i = 0; i < fits.size(); ++i) {
    for (const auto& [name, chart] : fit_charts(fits[i])) write_picture(name + suffixes[i], chart);
  }
  if (fits.size() > 1) write_picture("comparison", comparison_chart(fits));
  return paths;
}

}  // namespace fathom::scaling
