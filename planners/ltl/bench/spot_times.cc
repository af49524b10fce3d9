// Times Spot's translations of the formulas on standard input, one per line.
//
// For each line prints: milliseconds of ltlf_to_mtdfa + minimize_mtdfa (LTLf to minimal DFA), then
// milliseconds of ltl_to_tgba_fm (LTL to Büchi, without postprocessing), each the best of several runs.
// The library comes without headers, so the few entry points are declared here as the ABI has them: a
// formula is one pointer with a non-trivial destructor; it is leaked on purpose. With the argument `equiv`
// it instead times all pairwise equivalences of the lines and prints one number.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace spot {
class fnode;
class environment;
class formula {
public:
  const fnode* ptr;
  formula(const formula& other) : ptr(other.ptr) {}
  ~formula() {}
  bool operator<(const formula& other) const { return ptr < other.ptr; }
};
class default_environment {
public:
  static environment& instance();
};
formula parse_formula(const std::string& text, environment& env);
class bdd_dict {
public:
  bdd_dict();
  char space[8192];
};
class mtdfa;
class twa_graph;
class tl_simplifier;
class output_aborter;
std::shared_ptr<mtdfa> ltlf_to_mtdfa(formula f, const std::shared_ptr<bdd_dict>& dict, bool fuse, bool simplify,
                                     bool detect, bool empty);
std::shared_ptr<mtdfa> minimize_mtdfa(const std::shared_ptr<mtdfa>& dfa);
std::shared_ptr<mtdfa> product_xor(const std::shared_ptr<mtdfa>& a, const std::shared_ptr<mtdfa>& b);
std::shared_ptr<twa_graph> ltl_to_tgba_fm(formula f, const std::shared_ptr<bdd_dict>& dict, bool exprop,
                                          bool symb_merge, bool branching, bool fair, const std::set<formula>* unobs,
                                          tl_simplifier* simplifier, bool unambiguous,
                                          const output_aborter* aborter, bool, bool);
} // namespace spot

template <class Run> static double milliseconds(Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

int main(int argc, char** argv) {
  const int repeats = 9;
  // Both live until the end of the process: their destructors are not declared here.
  std::shared_ptr<spot::bdd_dict> dict(new spot::bdd_dict, [](spot::bdd_dict*) {});
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty())
      lines.push_back(line);
  auto& env = spot::default_environment::instance();
  if (argc > 1 && std::string(argv[1]) == "equiv") {
    std::vector<spot::formula> formulas;
    for (const auto& line : lines)
      formulas.push_back(spot::parse_formula(line, env));
    const double all = milliseconds([&] {
      for (size_t i = 0; i < formulas.size(); ++i)
        for (size_t j = i + 1; j < formulas.size(); ++j) {
          auto a = spot::ltlf_to_mtdfa(formulas[i], dict, true, true, true, true);
          auto b = spot::ltlf_to_mtdfa(formulas[j], dict, true, true, true, true);
          auto differ = spot::product_xor(a, b);
        }
    });
    std::printf("%.6f\n", all);
    std::fflush(stdout);
    std::_Exit(0);
  }
  for (const auto& line : lines) {
    const spot::formula f = spot::parse_formula(line, env);
    double finite = 1e9, infinite = 1e9;
    for (int i = 0; i < repeats; ++i) {
      finite = std::min(finite, milliseconds([&] {
                          spot::minimize_mtdfa(spot::ltlf_to_mtdfa(f, dict, true, true, true, true));
                        }));
      infinite = std::min(infinite, milliseconds([&] {
                            spot::ltl_to_tgba_fm(f, dict, false, true, false, false, nullptr, nullptr, false, nullptr,
                                                 false, false);
                          }));
    }
    std::printf("%.6f %.6f\n", finite, infinite);
  }
  std::fflush(stdout);
  std::_Exit(0);
}
